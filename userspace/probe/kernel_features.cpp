// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/kernel_features.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "userspace/base/fd.h"

namespace pyprof::probe {
namespace {

constexpr std::size_t kSmallFileBytes = 64 << 10;
constexpr std::size_t kConfigBytes = 4 << 20;
constexpr int kMaxCpu = 65535;
constexpr uint32_t kProbeMapBytes = 1 << 20;

// Kernels that stop the whole machine when a sampler reads user memory.
struct KnownBad {
  KernelVersion first;
  KernelVersion fixed;
};

// With CONFIG_HARDENED_USERCOPY, copy_from_user_nofault() takes the vmalloc lock in interrupt
// context from 5.19 on. "mm: Fix copy_from_user_nofault()" went into 6.4, 6.3.10 and 6.1.36; 5.19,
// 6.0 and 6.2 ended without it (Debian bug 1033398).
constexpr std::array kUsercopyDeadlock = {
    KnownBad{{5, 19, 0}, {6, 1, 36}},
    KnownBad{{6, 2, 0}, {6, 3, 10}},
};

// The first `max_bytes`, unpacked if gzipped; empty if unreadable.
std::string read_file(const std::string& path, std::size_t max_bytes) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rbe"), gzclose);
  std::string text;
  if (!file) return text;
  std::array<char, 16384> block;
  while (text.size() < max_bytes) {
    const int bytes = gzread(file.get(), block.data(), block.size());
    if (bytes <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(bytes));
  }
  return text;
}

// Takes the number off the front of `text`.
std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::string_view after_last(std::string_view text, std::string_view mark) {
  const auto at = text.rfind(mark);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
}

std::optional<int> read_sysctl(const char* path) {
  const std::string text = read_file(path, kSmallFileBytes);
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<bool> read_hardened_usercopy(const std::string& release) {
  const std::string command_line = " " + read_file("/proc/cmdline", kSmallFileBytes) + " ";
  for (const char* off : {"off", "0", "n", "no", "N"}) {
    for (const char* end : {" ", "\n"}) {
      if (command_line.find(std::string(" hardened_usercopy=") + off + end) != std::string::npos) {
        return false;
      }
    }
  }
  for (const auto& path : {std::string("/proc/config.gz"), "/boot/config-" + release,
                           "/lib/modules/" + release + "/config"}) {
    const std::string config = read_file(path, kConfigBytes);
    if (!config.empty()) return config.find("\nCONFIG_HARDENED_USERCOPY=y") != std::string::npos;
  }
  return std::nullopt;
}

long make_probe_map() {
  bpf_attr attr{};
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = sizeof(uint32_t);
  attr.value_size = kProbeMapBytes;
  attr.max_entries = 1;
  return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

// In a forked child: nothing here allocates, and the child's limit is lowered, not ours.
[[noreturn]] void try_map_without_memlock() {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
    ::getrlimit(RLIMIT_MEMLOCK, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  if (make_probe_map() < 0) ::_exit(static_cast<int>(MemoryCharging::kUnknown));
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_MEMLOCK, &limit);
  const bool made = make_probe_map() >= 0;
  ::_exit(static_cast<int>(made ? MemoryCharging::kCgroup : MemoryCharging::kRlimit));
}

MemoryCharging probe_memory_charging() {
  const pid_t child = ::fork();
  if (child < 0) return MemoryCharging::kUnknown;
  if (child == 0) try_map_without_memlock();
  int status = 0;
  pid_t waited = -1;
  do {
    waited = ::waitpid(child, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (waited != child || !WIFEXITED(status)) return MemoryCharging::kUnknown;
  return static_cast<MemoryCharging>(WEXITSTATUS(status));
}

uint64_t read_memlock_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

int try_event(uint32_t type, uint64_t config, int cpu) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = type;
  attr.config = config;
  attr.sample_period = 1'000'000'000;
  attr.disabled = 1;
  const Fd fd(
      static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  return fd.valid() ? 0 : errno;
}

// Only where programs load at all: libbpf takes a refusal for want of rights as a yes.
bool has_helper(bpf_func_id helper) {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, helper, nullptr) == 1;
}

void probe_bpf(KernelFeatures& features) {
  features.raw_tracepoint = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_RAW_TRACEPOINT, nullptr) == 1;
  features.perf_event_program = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, nullptr) == 1;
  features.ring_buffer = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr) == 1;
  if (!features.perf_event_program) return;
  features.helper_task_pt_regs = has_helper(BPF_FUNC_task_pt_regs);
  features.helper_loop = has_helper(BPF_FUNC_loop);
  features.helper_current_task_btf = has_helper(BPF_FUNC_get_current_task_btf);
}

Result<std::vector<int>> read_cpu_list(const std::string& path) {
  const std::string text = read_file(path, kSmallFileBytes);
  if (text.empty()) {
    return Error{"reading " + path + ": not there or empty; mount sysfs on /sys",
                 ExitCode::kNotSupported, 0};
  }
  return parse_cpu_list(text);
}

}  // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view text) {
  const auto major = take_number(text);
  if (!major || !take(text, '.')) return std::nullopt;
  const auto minor = take_number(text);
  if (!minor) return std::nullopt;
  const auto patch = take(text, '.') ? take_number(text) : std::nullopt;
  return KernelVersion{*major, *minor, patch.value_or(0)};
}

std::optional<KernelVersion> upstream_version(std::string_view release, std::string_view version,
                                              std::string_view signature) {
  // Ubuntu: "Ubuntu 5.15.0-91.101-generic 5.15.131"
  if (const auto exact = parse_kernel_version(after_last(signature, " "))) return exact;
  // Debian: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)"
  if (const auto exact = parse_kernel_version(after_last(version, "Debian "))) return exact;
  return parse_kernel_version(release);
}

Result<KernelIdentity> read_kernel_identity() {
  utsname name{};
  if (::uname(&name) != 0) return errno_error("reading the kernel's release", errno);
  const std::string signature = read_file("/proc/version_signature", kSmallFileBytes);
  const auto version = upstream_version(name.release, name.version, signature);
  if (!version) {
    return Error{"kernel release \"" + std::string(name.release) + "\" is not a version number",
                 ExitCode::kNotSupported, 0};
  }
  return KernelIdentity{name.release, *version, read_hardened_usercopy(name.release)};
}

std::optional<std::string> refused_reason(const KernelIdentity& kernel) {
  const bool in_range =
      std::any_of(kUsercopyDeadlock.begin(), kUsercopyDeadlock.end(), [&](const KnownBad& bad) {
        return kernel.version >= bad.first && kernel.version < bad.fixed;
      });
  if (!in_range || !kernel.hardened_usercopy.value_or(true)) return std::nullopt;
  return "kernel " + kernel.release +
         " can lock up the whole machine when a profiler reads user memory "
         "(CONFIG_HARDENED_USERCOPY, Debian bug 1033398): install 6.1.36, 6.3.10, 6.4 or later, or "
         "boot with hardened_usercopy=off";
}

bool Capabilities::has_or_admin(int capability) const {
  return has(capability) || has(CAP_SYS_ADMIN);
}

Capabilities parse_capabilities(std::string_view status) {
  auto text = after_last(status, "CapEff:");
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  uint64_t mask = 0;
  std::from_chars(text.data(), text.data() + text.size(), mask, 16);
  return Capabilities(mask);
}

Lockdown parse_lockdown(std::string_view text) {
  if (text.find("[confidentiality]") != std::string_view::npos) return Lockdown::kConfidentiality;
  if (text.find("[integrity]") != std::string_view::npos) return Lockdown::kIntegrity;
  return Lockdown::kNone;
}

bool shows_addresses(std::string_view kallsyms) {
  while (!kallsyms.empty()) {
    const auto line = kallsyms.substr(0, kallsyms.find('\n'));
    const auto address = line.substr(0, line.find(' '));
    // The last line may be cut anywhere: without a space it is no proof.
    if (address.size() < line.size() && address.find_first_not_of('0') != std::string_view::npos) {
      return true;
    }
    kallsyms.remove_prefix(std::min(line.size() + 1, kallsyms.size()));
  }
  return false;
}

Result<KernelFeatures> read_kernel_features() {
  auto kernel = read_kernel_identity();
  if (!kernel) return kernel.error();
  const auto cpus = online_cpus();
  if (!cpus) return cpus.error();
  KernelFeatures features;
  features.kernel = std::move(*kernel);
  features.capabilities = parse_capabilities(read_file("/proc/self/status", kSmallFileBytes));
  features.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  features.memory_charging = probe_memory_charging();
  features.memlock_limit_bytes = read_memlock_limit();
  features.perf_event_paranoid = read_sysctl("/proc/sys/kernel/perf_event_paranoid");
  features.kptr_restrict = read_sysctl("/proc/sys/kernel/kptr_restrict");
  features.kernel_symbols = shows_addresses(read_file("/proc/kallsyms", kSmallFileBytes));
  features.lockdown = parse_lockdown(read_file("/sys/kernel/security/lockdown", kSmallFileBytes));
  features.cpu_clock_errno = try_event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, cpus->front());
  features.cycles_errno = try_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, cpus->front());
  features.jit = read_sysctl("/proc/sys/net/core/bpf_jit_enable");
  probe_bpf(features);
  return features;
}

Result<std::vector<int>> parse_cpu_list(std::string_view text) {
  const Error error{"\"" + std::string(text.substr(0, 64)) + "\" is not a list of CPUs",
                    ExitCode::kNotSupported, 0};
  std::vector<int> cpus;
  do {
    const auto first = take_number(text);
    const auto last = take(text, '-') ? take_number(text) : first;
    if (!first || !last || *last < *first || *last > kMaxCpu) return error;
    for (int cpu = *first; cpu <= *last; ++cpu)
      cpus.push_back(cpu);
  } while (cpus.size() <= kMaxCpu && take(text, ','));
  take(text, '\n');
  if (!text.empty()) return error;
  return cpus;
}

Result<std::vector<int>> online_cpus() {
  return read_cpu_list("/sys/devices/system/cpu/online");
}

Result<std::vector<int>> possible_cpus() {
  return read_cpu_list("/sys/devices/system/cpu/possible");
}

}  // namespace pyprof::probe
