// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/kernel_checks.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace pyprof::probe {
namespace {

using State = Check::State;

constexpr KernelVersion kOldestTested{5, 10, 0};
constexpr uint64_t kMemlockNeededBytes = 64 << 20;

Check ok(std::string name, std::string detail) {
  return {std::move(name), State::kOk, std::move(detail), ""};
}

Check check_version(const KernelFeatures& features) {
  const auto& [release, version, hardened] = features.kernel;
  if (auto reason = refused_reason(features.kernel)) {
    return {"kernel", State::kFail, std::move(*reason), "use a kernel with the fix"};
  }
  if (version < kOldestTested) {
    return {"kernel", State::kWarn, release + ", older than any kernel this was tested on",
            "use Linux 5.10 or later"};
  }
  return ok("kernel", fmt::format("{} (upstream {}.{}.{})", release, version.major, version.minor,
                                  version.patch));
}

Check check_btf(const KernelFeatures& features) {
  if (features.btf) return ok("btf", "/sys/kernel/btf/vmlinux is readable");
  return {"btf", State::kFail, "/sys/kernel/btf/vmlinux is not readable",
          "use a kernel built with CONFIG_DEBUG_INFO_BTF=y"};
}

struct Need {
  int capability;
  std::string_view name;
  bool admin_will_do;  // CAP_SYS_ADMIN is accepted instead
  State without;
};

constexpr Need kNeeds[] = {
    {CAP_BPF, "CAP_BPF", true, State::kFail},
    {CAP_PERFMON, "CAP_PERFMON", true, State::kFail},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false, State::kFail},
    {CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", true, State::kWarn},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", false, State::kWarn},
    {CAP_SYSLOG, "CAP_SYSLOG", false, State::kWarn},
};

Check check_capabilities(const KernelFeatures& features) {
  Check check = ok("capabilities", "all that are needed");
  std::string missing;
  for (const auto& need : kNeeds) {
    const auto& held = features.capabilities;
    if (need.admin_will_do ? held.has_or_admin(need.capability) : held.has(need.capability)) {
      continue;
    }
    missing += missing.empty() ? "" : ", ";
    missing += need.name;
    check.state = std::max(check.state, need.without);
  }
  if (missing.empty()) return check;
  check.detail = "missing: " + missing;
  check.advice = check.state == State::kFail
                     ? "run as root or grant them"
                     : "grant them, or some files and names will not be readable";
  return check;
}

Check check_memory(const KernelFeatures& features) {
  if (features.memory_charging == MemoryCharging::kCgroup) {
    return ok("memory", "BPF maps are charged to the memory cgroup");
  }
  if (features.memory_charging == MemoryCharging::kUnknown) {
    return {"memory", State::kFail, "no BPF map of 1 MiB could be made",
            "run as root, and see that bpf() is not blocked by a sandbox or a memory limit"};
  }
  if (features.memlock_limit_bytes >= kMemlockNeededBytes) {
    return ok("memory", "BPF maps are charged to the memlock limit, which is high enough");
  }
  const auto detail = fmt::format("BPF maps are charged to the memlock limit of {} KiB",
                                  features.memlock_limit_bytes / 1024);
  const bool can_raise = features.capabilities.has(CAP_SYS_RESOURCE);
  if (can_raise) return ok("memory", detail + ", which can be raised");
  return {"memory", State::kFail, detail,
          "raise it (LimitMEMLOCK=infinity, ulimit -l unlimited) or grant CAP_SYS_RESOURCE"};
}

Check check_paranoid(const KernelFeatures& features) {
  const auto level = features.perf_event_paranoid;
  if (!level) {
    return {"perf_event_paranoid", State::kFail, "not there", "use a kernel with perf events"};
  }
  const auto detail = fmt::format("kernel.perf_event_paranoid = {}", *level);
  if (*level < 0 || features.capabilities.has_or_admin(CAP_PERFMON)) {
    return ok("perf_event_paranoid", detail);
  }
  return {"perf_event_paranoid", State::kFail, detail, "run as root or grant CAP_PERFMON"};
}

Check check_symbols(const KernelFeatures& features) {
  const auto detail =
      fmt::format("kernel addresses {} (kernel.kptr_restrict = {})",
                  features.kernel_symbols ? "readable" : "hidden",
                  features.kptr_restrict ? std::to_string(*features.kptr_restrict) : "unknown");
  if (features.kernel_symbols) return ok("kernel symbols", detail);
  return {"kernel symbols", State::kWarn, detail,
          "grant CAP_SYSLOG and set kernel.kptr_restrict to 1 or less, or kernel frames stay "
          "unnamed"};
}

Check check_lockdown(const KernelFeatures& features) {
  switch (features.lockdown) {
    case Lockdown::kNone:
      return ok("lockdown", "none");
    case Lockdown::kIntegrity:
      return ok("lockdown", "integrity, which allows profiling");
    case Lockdown::kConfidentiality:
      break;
  }
  return {"lockdown", State::kFail, "confidentiality: BPF programs may not read kernel memory",
          "boot with lockdown=integrity"};
}

std::string errno_text(int value) {
  return std::generic_category().message(value);
}

Check check_cpu_clock(const KernelFeatures& features) {
  if (features.cpu_clock_errno == 0) return ok("cpu-clock", "event opens");
  return {"cpu-clock", State::kFail, "event does not open: " + errno_text(features.cpu_clock_errno),
          "run as root, and see that perf_event_open() is not blocked by a sandbox"};
}

Check check_cycles(const KernelFeatures& features) {
  if (features.cycles_errno == 0) return ok("cycles", "hardware event opens");
  const bool forbidden = features.cycles_errno == EACCES || features.cycles_errno == EPERM;
  return {"cycles", State::kWarn,
          "hardware event does not open: " + errno_text(features.cycles_errno),
          forbidden ? "run as root or grant CAP_PERFMON"
                    : "cpu-clock is used instead, which does not see code with interrupts off"};
}

Check check_jit(const KernelFeatures& features) {
  // Kernels that always compile may not show the switch outside the first network namespace.
  if (!features.jit) return ok("bpf jit", "switch not visible");
  if (*features.jit > 0) return ok("bpf jit", "on");
  return {"bpf jit", State::kWarn, "off: sampling costs many times more",
          "set net.core.bpf_jit_enable to 1"};
}

Check check_programs(const KernelFeatures& features) {
  std::string missing;
  if (!features.perf_event_program) missing += " perf_event programs,";
  if (!features.raw_tracepoint) missing += " raw tracepoint programs,";
  if (!features.ring_buffer) missing += " ring buffer maps,";
  if (missing.empty()) return ok("bpf programs", "perf_event, raw tracepoint and ring buffer load");
  missing.pop_back();
  return {"bpf programs", State::kFail, "not loadable:" + missing,
          "run as root on Linux 5.10 or later, with CONFIG_BPF_EVENTS=y"};
}

Check check_helpers(const KernelFeatures& features) {
  const auto word = [](bool there) { return there ? "yes" : "no"; };
  return ok("bpf helpers",
            fmt::format("bpf_task_pt_regs {}, bpf_loop {}, bpf_get_current_task_btf {} (optional)",
                        word(features.helper_task_pt_regs), word(features.helper_loop),
                        word(features.helper_current_task_btf)));
}

}  // namespace

std::vector<Check> check_kernel(const KernelFeatures& features) {
  return {check_version(features),  check_btf(features),       check_capabilities(features),
          check_memory(features),   check_paranoid(features),  check_symbols(features),
          check_lockdown(features), check_cpu_clock(features), check_cycles(features),
          check_jit(features),      check_programs(features),  check_helpers(features)};
}

}  // namespace pyprof::probe
