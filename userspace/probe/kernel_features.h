// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

// What this kernel offers and what this process may do with it, found by trying, not from the
// version: distributions backport. The version only serves the list of kernels that are known to
// hang. Facts, no judgement: that is kernel_checks.h.
namespace pyprof::probe {

struct KernelVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// "6.1.27-1" -> 6.1.27, "5.10" -> 5.10.0. nullopt: does not start with two numbers.
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view text);

// The upstream version with its patch level, which Debian and Ubuntu leave out of the release.
// `release` and `version` as uname gives them, `signature` from /proc/version_signature, may be
// empty.
[[nodiscard]] std::optional<KernelVersion> upstream_version(std::string_view release,
                                                            std::string_view version,
                                                            std::string_view signature);

struct KernelIdentity {
  std::string release;  // uname -r
  KernelVersion version;
  std::optional<bool> hardened_usercopy;  // nullopt: configuration not readable
};

[[nodiscard]] Result<KernelIdentity> read_kernel_identity();

// Why this kernel must not be profiled: a known bug would hang the whole machine. One line for a
// person. An unreadable configuration counts as affected.
[[nodiscard]] std::optional<std::string> refused_reason(const KernelIdentity& kernel);

// Effective capabilities as a mask of 1 << CAP_*.
class Capabilities {
 public:
  explicit Capabilities(uint64_t mask = 0) : mask_(mask) {}
  [[nodiscard]] bool has(int capability) const { return (mask_ >> capability & 1) != 0; }
  // Itself or CAP_SYS_ADMIN, which stands for what was split off it later.
  [[nodiscard]] bool has_or_admin(int capability) const;

 private:
  uint64_t mask_;
};

// From the text of /proc/PID/status; none if the line is missing.
[[nodiscard]] Capabilities parse_capabilities(std::string_view status);

enum class MemoryCharging : uint8_t {
  kCgroup,   // BPF maps count against the memory cgroup (5.11+); the memlock limit does not matter
  kRlimit,   // against RLIMIT_MEMLOCK
  kUnknown,  // no map could be made at all
};

enum class Lockdown : uint8_t { kNone, kIntegrity, kConfidentiality };

// "none [integrity] confidentiality" -> kIntegrity.
[[nodiscard]] Lockdown parse_lockdown(std::string_view text);

// Does a text like /proc/kallsyms show addresses, or were they all replaced by zeros?
[[nodiscard]] bool shows_addresses(std::string_view kallsyms);

struct KernelFeatures {
  KernelIdentity kernel;
  Capabilities capabilities;
  bool btf = false;
  MemoryCharging memory_charging = MemoryCharging::kUnknown;
  uint64_t memlock_limit_bytes = 0;  // UINT64_MAX = unlimited
  std::optional<int> perf_event_paranoid;
  std::optional<int> kptr_restrict;
  bool kernel_symbols = false;  // addresses in /proc/kallsyms are readable
  Lockdown lockdown = Lockdown::kNone;
  int cpu_clock_errno = 0;           // of opening the event, 0 = it works
  int cycles_errno = 0;              // ENOENT on machines without hardware counters
  std::optional<int> jit;            // net.core.bpf_jit_enable
  bool raw_tracepoint = false;       // program type loads
  bool perf_event_program = false;   // program type loads
  bool ring_buffer = false;          // map type exists
  bool helper_task_pt_regs = false;  // helper_*: in perf_event programs
  bool helper_loop = false;
  bool helper_current_task_btf = false;
};

// Takes some milliseconds: loads tiny programs, opens and closes two events, forks one child.
[[nodiscard]] Result<KernelFeatures> read_kernel_features();

// "0-3,8" -> 0 1 2 3 8. Error: not a CPU list, or CPU numbers beyond any machine.
[[nodiscard]] Result<std::vector<int>> parse_cpu_list(std::string_view text);

// CPUs that are on now, and all that may ever be.
[[nodiscard]] Result<std::vector<int>> online_cpus();
[[nodiscard]] Result<std::vector<int>> possible_cpus();

}  // namespace pyprof::probe
