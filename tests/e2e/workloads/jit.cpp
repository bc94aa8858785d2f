// SPDX-License-Identifier: Apache-2.0
// Makes machine code in memory, names it in /tmp/perf-PID.map as JIT compilers do, and runs it:
//   jit SECONDS
// Says "ready" when both are there.
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// A function with a frame pointer that counts down from its argument.
#if defined(__x86_64__)
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
                                   0xcf, 0x75, 0xfb, 0x5d, 0xc3};
#elif defined(__aarch64__)
constexpr unsigned kCode[] = {0xa9bf7bfd, 0x910003fd, 0xf1000400,
                              0x54ffffe1, 0xa8c17bfd, 0xd65f03c0};
#endif

}  // namespace

int main(int, char** argv) {
  using Clock = std::chrono::steady_clock;
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memcpy(memory, kCode, sizeof(kCode));
  mprotect(memory, 4096, PROT_READ | PROT_EXEC);
  __builtin___clear_cache(static_cast<char*>(memory), static_cast<char*>(memory) + sizeof(kCode));
  char path[64];
  std::snprintf(path, sizeof(path), "/tmp/perf-%d.map", static_cast<int>(getpid()));
  FILE* map = std::fopen(path, "w");
  std::fprintf(map, "%lx %zx count down;twice\n", reinterpret_cast<unsigned long>(memory),
               sizeof(kCode));
  std::fclose(map);
  std::puts("ready");
  std::fflush(stdout);
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  while (Clock::now() < end)
    reinterpret_cast<void (*)(unsigned long)>(memory)(10'000'000);
  unlink(path);
}
