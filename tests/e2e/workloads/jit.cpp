// SPDX-License-Identifier: Apache-2.0
// Makes machine code in memory, names it as JIT compilers do, and runs it:
//   jit SECONDS              in /tmp/perf-PID.map
//   jit SECONDS DIRECTORY    in DIRECTORY/jit-PID.dump
// Says "ready" when both are there.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

// A function with a frame pointer that counts down from its argument.
#if defined(__x86_64__)
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
                                   0xcf, 0x75, 0xfb, 0x5d, 0xc3};
#elif defined(__aarch64__)
constexpr unsigned kCode[] = {0xa9bf7bfd, 0x910003fd, 0xf1000400,
                              0x54ffffe1, 0xa8c17bfd, 0xd65f03c0};
#endif

constexpr char kName[] = "count down;twice";

std::string write_perf_map(const void* code) {
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  FILE* map = std::fopen(path.c_str(), "w");
  std::fprintf(map, "%lx %zx %s\n", reinterpret_cast<unsigned long>(code), sizeof(kCode), kName);
  std::fclose(map);
  return path;
}

// As tools/perf/Documentation/jitdump-specification.txt of the kernel says; the mapping tells of
// it.
std::string write_jit_dump(const void* code, const std::string& directory) {
  struct {
    unsigned magic = 0x4a695444, version = 1, bytes = 40, machine = 62, pad = 0, pid = 0;
    unsigned long time = 0, flags = 0;
  } head;
  struct {
    unsigned id = 0, bytes = sizeof(*this) + sizeof(kName) + sizeof(kCode);
    unsigned long time = 0;
    unsigned pid = 0, tid = 0;
    unsigned long executed_at = 0, address = 0, code_bytes = sizeof(kCode), number = 0;
  } load;
  head.pid = load.pid = load.tid = static_cast<unsigned>(getpid());
  load.address = load.executed_at = reinterpret_cast<unsigned long>(code);
  const std::string path = directory + "/jit-" + std::to_string(getpid()) + ".dump";
  const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
  FILE* dump = fdopen(dup(fd), "w");
  std::fwrite(&head, sizeof(head), 1, dump);
  std::fwrite(&load, sizeof(load), 1, dump);
  std::fwrite(kName, sizeof(kName), 1, dump);
  std::fwrite(kCode, sizeof(kCode), 1, dump);
  std::fclose(dump);
  mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  return path;
}

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memcpy(memory, kCode, sizeof(kCode));
  mprotect(memory, 4096, PROT_READ | PROT_EXEC);
  __builtin___clear_cache(static_cast<char*>(memory), static_cast<char*>(memory) + sizeof(kCode));
  const auto path = argc > 2 ? write_jit_dump(memory, argv[2]) : write_perf_map(memory);
  std::puts("ready");
  std::fflush(stdout);
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  while (Clock::now() < end)
    reinterpret_cast<void (*)(unsigned long)>(memory)(10'000'000);
  unlink(path.c_str());
}
