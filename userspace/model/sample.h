// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/model/labels.h"

// What the kernel said, after the program counters were resolved to files: the values that cross
// from probe/ and process/ to symbolize/. Owning, move-only in spirit, no behaviour.
namespace pyprof::model {

using ProcessId = uint64_t;  // generation of a process: changes with exec and with pid reuse
using FileId = uint32_t;     // an executable file as process/ numbers it; 0 = none
using StackKey = uint64_t;   // the kernel's key of an interned stack

// A program counter made independent of the address space.
struct NativeAddress {
  FileId file = 0;
  uint64_t address =
      0;            // virtual address in the file (as its symbols use); the raw PC if file is 0
  uint64_t pc = 0;  // as the process saw it
};

struct NativeFrame {
  NativeAddress where;
  uint64_t cfa = 0;    // canonical frame address, 0 if the unwind ended at this frame
  bool exact = false;  // pc is the instruction itself (leaf, or interrupted by a signal)
};

struct PythonFrame {
  enum class Kind : uint8_t { kCode, kEntry, kUnreadable };
  Kind kind = Kind::kCode;
  uint64_t code = 0;        // code identity; the code object's address if kUnreadable
  uint64_t address = 0;     // kEntry: address of the entry frame on the C stack
  int32_t lasti = 0;        // bytecode offset in bytes
  bool activation = false;  // <= 3.10: an activation of the eval loop of its own
};

// Of a stack that the kernel could not unwind for want of tables.
struct StackPiece {
  uint64_t sp = 0;  // of the outermost frame that is known
  uint64_t bp = 0;
  std::vector<uint8_t> bytes;  // the user stack from sp on; empty = there is no piece
};

// A stack at its first sight. Frames are innermost first.
struct RawStack {
  StackKey key = 0;
  ProcessId process = 0;
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::vector<uint64_t> kernel;
  std::vector<NativeFrame> native;
  std::vector<PythonFrame> python;
  StackPiece piece;
  uint64_t sp = 0;         // user stack pointer of the leaf
  uint8_t native_end = 0;  // wire_fault, 0 = reached the root
  uint8_t python_end = 0;  // wire_fault, 0 = reached the root
};

// One tick of one thread. Its stack is `key`, but for the leaf's position, which is here.
struct RawSample {
  StackKey key = 0;
  ProcessId process = 0;
  uint64_t time_ns = 0;
  uint64_t weight_ns = 0;  // CPU time that this sample stands for
  int32_t pid = 0;
  int32_t tid = 0;
  uint16_t cpu = 0;
  bool kernel_leaf = false;
  bool python_leaf = false;  // leaf_lasti is valid
  NativeAddress leaf;        // innermost PC; a kernel address if kernel_leaf (file 0)
  int32_t leaf_lasti = 0;
  RawLabels labels;
};

// A code object as the kernel captured it.
struct CodeObject {
  ProcessId process = 0;
  uint64_t id = 0;
  uint64_t address = 0;
  int32_t pid = 0;
  std::string qualname;  // UTF-8; empty if not captured; <= 3.10: "Class.method" or co_name
  std::string filename;  // UTF-8
  uint32_t first_line = 0;
  std::string line_table;         // raw bytes
  uint32_t line_table_bytes = 0;  // of the object; more than line_table.size() if it was cut
  uint16_t version = 0;           // CPython major << 8 | minor
  bool complete = true;           // names and table were all captured
  // <= 3.10, where the first argument is called self or cls: what the class is found by.
  bool method = false;
  uint64_t argument = 0;       // its object, 0 = gone
  uint64_t argument_type = 0;  // the object's type
};

}  // namespace pyprof::model
