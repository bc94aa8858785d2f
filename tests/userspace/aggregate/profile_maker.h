// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "userspace/model/profile.h"

// Profiles written by hand, for the tests of what reads them.
namespace pyprof::test {

class ProfileMaker {
 public:
  ProfileMaker() {
    profile_.host = "web-3";
    profile_.tool_version = "0.1.0";
    profile_.start_unix_ns = 1'764'000'000'000'000'000;
    profile_.duration_ns = 10'000'000'000;
    profile_.rate_hz = 100;
    profile_.period_ns = 10'000'000;
    profile_.event = "cpu-clock";
  }

  uint32_t process(int32_t pid, const std::string& comm,
                   const std::string& exe = "/usr/bin/python3") {
    model::ProcessInfo info;
    info.process = static_cast<model::ProcessId>(pid);
    info.pid = pid;
    info.comm = comm;
    info.exe = exe;
    info.python_version = 0x30c;
    info.python_full_version = "3.12.1";
    profile_.processes.push_back(info);
    return static_cast<uint32_t>(profile_.processes.size() - 1);
  }

  uint32_t thread(uint32_t process, int32_t tid, const std::string& comm, uint64_t cpu_ns = 0) {
    profile_.threads.push_back({process, tid, comm, "", cpu_ns});
    return static_cast<uint32_t>(profile_.threads.size() - 1);
  }

  uint32_t module(const std::string& path, const std::string& build_id = "") {
    profile_.modules.push_back({path, build_id});
    return static_cast<uint32_t>(profile_.modules.size());
  }

  uint32_t python(const std::string& function, const std::string& file, uint32_t line,
                  uint32_t first_line = 1) {
    model::Frame frame;
    frame.kind = model::FrameKind::kPython;
    frame.function = function;
    frame.file = file;
    frame.line = line;
    frame.first_line = first_line;
    return add(std::move(frame));
  }

  // `module` as module() answered it.
  uint32_t native(const std::string& function, uint32_t module, uint64_t address,
                  model::FrameKind kind = model::FrameKind::kNative) {
    model::Frame frame;
    frame.kind = kind;
    frame.function = function;
    frame.module = module;
    frame.address = address;
    return add(std::move(frame));
  }

  uint32_t kernel(const std::string& function, uint64_t address) {
    return native(function, 0, address, model::FrameKind::kKernel);
  }

  uint32_t marker(const std::string& text) { return native(text, 0, 0, model::FrameKind::kMarker); }

  // Frames root first, as one reads them.
  void sample(uint32_t thread, std::initializer_list<uint32_t> root_first, uint64_t count) {
    model::Stack stack;
    for (const uint32_t frame : root_first)
      stack.frames.insert(stack.frames.begin(), frame);
    profile_.stacks.push_back(std::move(stack));
    profile_.samples.push_back({thread, static_cast<uint32_t>(profile_.stacks.size() - 1), count,
                                count * profile_.period_ns});
    profile_.quality.samples += count;
    model::Coverage& coverage = profile_.processes[profile_.threads[thread].process].coverage;
    coverage.samples += count;
    coverage.whole += count;
  }

  model::Profile& profile() { return profile_; }

 private:
  uint32_t add(model::Frame frame) {
    profile_.frames.push_back(std::move(frame));
    return static_cast<uint32_t>(profile_.frames.size() - 1);
  }

  model::Profile profile_;
};

// Two threads of a Python service: 100 samples, 1 second of CPU in 10 s.
inline model::Profile service_profile() {
  using model::FrameKind;
  ProfileMaker maker;
  const uint32_t process = maker.process(4242, "python3");
  const uint32_t worker = maker.thread(process, 4247, "worker-0", 720'000'000);
  const uint32_t main = maker.thread(process, 4242, "python3", 300'000'000);
  const uint32_t python = maker.module("/usr/bin/python3", "aa01");
  const uint32_t conv = maker.module("/opt/app/libconv.so.1", "bb02");
  const uint32_t start = maker.native("_start", python, 0x1000);
  const uint32_t eval =
      maker.native("_PyEval_EvalFrameDefault", python, 0x2000, FrameKind::kInterpreter);
  const uint32_t top = maker.python("<module>", "/srv/app/main.py", 12);
  const uint32_t serve = maker.python("Server.serve", "/srv/app/main.py", 88, 80);
  const uint32_t fib3 = maker.python("fib", "/srv/app/fib.py", 3, 1);
  const uint32_t fib4 = maker.python("fib", "/srv/app/fib.py", 4, 1);
  const uint32_t kernel_call = maker.native("conv::run(float*)", conv, 0x3000);
  const uint32_t unnamed = maker.native("", conv, 0x3abc);
  const uint32_t fault = maker.kernel("asm_exc_page_fault", 0xffffffff81000010);
  maker.sample(worker, {start, eval, top, eval, serve, kernel_call}, 40);
  maker.sample(worker, {start, eval, top, eval, serve, kernel_call, fault}, 10);
  maker.sample(worker, {start, eval, top, eval, serve, unnamed}, 20);
  maker.sample(main, {start, eval, top, eval, fib3, eval, fib3, eval, fib4}, 20);
  maker.sample(main, {start, eval, top, eval, fib3, eval}, 7);
  maker.sample(main, {start}, 3);
  maker.profile().quality.lost = 1;
  maker.profile().quality.unnamed_native = 20;
  return maker.profile();
}

// Names a process could choose to break out of an output.
inline const char* const kHostileNames[] = {"</title><script>alert(1)</script>",
                                            "a;b;c 99",
                                            "two\nlines 7\r\n",
                                            "\x1b[31mred\x1b[0m",
                                            "bad\xff\xfe utf8 \xc3",
                                            "]]><!-- \" ' & -->",
                                            "\xe2\x80\xae reversed",
                                            "nul"
                                            "\x01"
                                            "\x7f",
                                            "\xe5\x87\xbd\xe6\x95\xb0",
                                            "%s %n {} {0}"};

inline model::Profile hostile_profile() {
  ProfileMaker maker;
  uint64_t count = 1;
  int32_t pid = 10;
  for (const char* name : kHostileNames) {
    const uint32_t process = maker.process(pid, name, name);
    const uint32_t thread = maker.thread(process, pid, name);
    const uint32_t module = maker.module(name, name);
    maker.sample(thread,
                 {maker.python(name, name, 1), maker.native(name, module, 1), maker.kernel(name, 2),
                  maker.marker(name)},
                 count);
    ++count;
    ++pid;
  }
  return maker.profile();
}

}  // namespace pyprof::test
