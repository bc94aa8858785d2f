// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/workload.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "userspace/base/clock.h"

namespace pyprof::bench {

namespace {

constexpr uint64_t kWarmNs = 250'000'000;
constexpr uint64_t kStartLimitNs = 20'000'000'000;
constexpr uint32_t kSettleMs = 150;
constexpr int kNice = -15;
constexpr std::size_t kPageBytes = 4096;

cpu_set_t allowed_cpus() {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof(set), &set);
    return set;
  }();
  return allowed;
}

void raise_priority() {
  ::setpriority(PRIO_PROCESS, 0, kNice);
  const Fd group(::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC));
  if (!group.valid()) return;
  [[maybe_unused]] const auto written = ::write(group.get(), "-15", 3);
}

// In the child, which shares no thread with the parent: only calls that are safe after fork().
[[noreturn]] void run_child(char* const* argv, int inherited) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setsid();  // a session is an autogroup
  raise_priority();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(workload_cpu(), &one);
  ::sched_setaffinity(0, sizeof(one), &one);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  if (inherited >= 0) ::fcntl(inherited, F_SETFD, 0);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

}  // namespace

int workload_cpu() {
  const cpu_set_t set = allowed_cpus();
  int last = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) last = cpu;
  }
  return last;
}

void leave_workload_cpu() {
  cpu_set_t set = allowed_cpus();
  CPU_CLR(workload_cpu(), &set);
  if (CPU_COUNT(&set) > 0) ::sched_setaffinity(0, sizeof(set), &set);
}

void use_all_cpus() {
  const cpu_set_t set = allowed_cpus();
  ::sched_setaffinity(0, sizeof(set), &set);
}

Result<Workload> Workload::start(const std::vector<std::string>& argv, int inherited) {
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("starting a workload", errno);
  if (pid == 0) run_child(pointers.data(), inherited);
  Workload workload(pid);
  const uint64_t end_ns = monotonic_ns() + kStartLimitNs;
  while (workload.cpu_ns() < kWarmNs) {
    if (!workload.running() || monotonic_ns() > end_ns) {
      return Error{"the workload " + argv[0] + " did not start to work", ExitCode::kNoProcess};
    }
    sleep_ms(10);
  }
  return workload;
}

Workload::Workload(Workload&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Workload::~Workload() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Workload::pause() const {
  ::kill(pid_, SIGSTOP);
}

void Workload::resume() const {
  ::kill(pid_, SIGCONT);
  sleep_ms(kSettleMs);
}

uint64_t Workload::cpu_ns() const {
  clockid_t clock{};
  timespec now{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &now) != 0) return 0;
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

bool Workload::running() const {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | WNOWAIT;
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, options) == 0 && info.si_pid == 0;
}

Result<WorkCounter> WorkCounter::make() {
  Fd fd(::memfd_create("work", MFD_CLOEXEC));
  if (!fd.valid() || ::ftruncate(fd.get(), kPageBytes) != 0) {
    return errno_error("making a shared page", errno);
  }
  void* page = ::mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) return errno_error("mapping a shared page", errno);
  return WorkCounter(std::move(fd), Mmap(page, kPageBytes));
}

uint64_t WorkCounter::done() const {
  return *static_cast<const volatile uint64_t*>(page_.data());
}

void sleep_ms(uint32_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

}  // namespace pyprof::bench
