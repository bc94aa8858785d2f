// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/model/process.h"

extern char** environ;

// Programs to be watched by the tests, and what /proc says of them.
namespace pyprof::probe {

// A child with its stdin and stdout at our end of two pipes.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::vector<char*> argv;
    for (auto& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_.reset(in[1]);
    out_.reset(out[0]);
  }
  ~Child() { finish(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  std::string read_line() {
    std::string line;
    char c = 0;
    while (::read(out_.get(), &c, 1) == 1 && c != '\n')
      line += c;
    return line;
  }
  bool write_line(const std::string& line) {
    const std::string bytes = line + "\n";
    return ::write(in_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  // Its stdin ends; waits for it.
  void finish() {
    in_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  Fd in_, out_;
};

// Starts a program, waits for its end, returns the pid it had.
inline int run(const std::vector<std::string>& arguments) {
  Child child(arguments);
  const int pid = child.pid();
  child.finish();
  return pid;
}

// Keeps this thread, and what it starts, on one CPU.
class OnCpu {
 public:
  explicit OnCpu(int cpu) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  ~OnCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  cpu_set_t before_;
};

// Runs `check` in a child as nobody, who holds `capability` only (-1: none). Its result, or 99.
inline int as_nobody(int capability, int (*check)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit nothing{0, 0};
    ::setrlimit(RLIMIT_MEMLOCK, &nothing);
    ::prctl(PR_SET_KEEPCAPS, 1);
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(99);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (capability >= 0) {
      auto& word = data[capability / 32];
      word.effective = word.permitted = 1U << (capability % 32);
    }
    if (::syscall(SYS_capset, &header, data) != 0) ::_exit(99);
    ::_exit(check());
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 99;
  return WEXITSTATUS(status);
}

inline std::vector<model::Mapping> executable_maps(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/maps");
  std::vector<model::Mapping> maps;
  for (std::string line; std::getline(in, line);) {
    unsigned long start = 0, end = 0, offset = 0, inode = 0;
    unsigned major = 0, minor = 0;
    char rights[8] = "";
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx %x:%x %lu %n", &start, &end, rights, &offset,
                    &major, &minor, &inode, &path_at) < 7) {
      continue;
    }
    const std::string path = line.substr(static_cast<std::size_t>(path_at));
    if (rights[2] != 'x' || path == "[vsyscall]") continue;
    maps.push_back({start, end, offset, {makedev(major, minor), inode, 0}, "", path});
  }
  return maps;
}

}  // namespace pyprof::probe
