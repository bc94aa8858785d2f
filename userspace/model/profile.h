// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "userspace/model/labels.h"
#include "userspace/model/process.h"

// A finished profile: tables that point at each other by index, like pprof's. What aggregate/
// makes and export/ and report/ read. No behaviour.
namespace pyprof::model {

enum class FrameKind : uint8_t {
  kPython,
  kNative,       // C, C++, ... code of a file
  kInterpreter,  // CPython's own C code (libpython or the python executable), hidden by default
  kKernel,
  kMarker,  // not code: "[truncated: native_no_rule]"
};

struct Frame {
  FrameKind kind = FrameKind::kNative;
  std::string function;  // qualname, demangled symbol, kernel symbol; "" = unknown
  std::string
      file;  // Python: co_filename in full; native: the source file, "" = unknown; kernel: ""
  uint32_t line = 0;        // Python and native: that runs; 0 = unknown
  uint32_t first_line = 0;  // of the def or declaration; 0 = unknown
  uint32_t module = 0;      // native: index + 1 into Profile::modules, 0 = none
  uint64_t address = 0;     // native: virtual address in the module; kernel: the address
  bool inlined = false;     // native: into the next native frame of its stack, of the same address
  bool operator==(const Frame&) const = default;
};

struct Module {
  std::string path;
  std::string build_id;  // lower-case hex
};

struct Stack {
  std::vector<uint32_t> frames;  // indexes into Profile::frames, innermost first
};

struct Thread {
  uint32_t process = 0;  // index into Profile::processes
  int32_t tid = 0;
  std::string comm;
  std::string python_name;  // threading.Thread.name, empty = unknown
  uint64_t cpu_ns = 0;      // measured by the scheduler in the window
};

struct Sample {
  uint32_t thread = 0;  // index into Profile::threads
  uint32_t stack = 0;   // index into Profile::stacks
  uint64_t count = 0;
  uint64_t weight_ns = 0;  // sum of the sampling periods
  uint32_t labels = 0;     // 0 = not told apart, else 1 + index into Profile::labels
};

// How far the numbers can be trusted: the fate of every kernel tick.
struct Quality {
  uint64_t kernel_ticks = 0;
  uint64_t samples = 0;  // delivered, in this profile
  uint64_t lost = 0;     // ticks that did not become samples for any reason but idle or filter
  uint64_t truncated_native = 0;  // samples
  uint64_t truncated_python = 0;
  uint64_t unnamed_python = 0;             // samples with a Python frame without a name
  uint64_t unnamed_native = 0;             // samples whose innermost native frame has no symbol
  std::map<std::string, uint64_t> faults;  // label -> count, only those that happened
};

struct Profile {
  std::string host;
  std::string tool_version;
  int64_t start_unix_ns = 0;  // CLOCK_REALTIME
  uint64_t duration_ns = 0;
  uint32_t rate_hz = 0;
  uint64_t period_ns = 0;
  std::string event;  // "cpu-clock" or "cycles"
  std::vector<ProcessInfo> processes;
  std::vector<Thread> threads;
  std::vector<Module> modules;
  std::vector<Frame> frames;
  std::vector<Stack> stacks;
  std::vector<Labels> labels;
  std::vector<Sample> samples;
  Quality quality;
  // What stands in lines of source files, by Frame::file and line; only where it was asked for.
  std::map<std::pair<std::string, uint32_t>, std::string> source;
};

}  // namespace pyprof::model
