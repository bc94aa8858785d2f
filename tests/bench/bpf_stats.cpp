// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bpf_stats.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>

namespace pyprof::bench {

namespace {

int bpf_call(int command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
}

bool read_info(int fd, bpf_prog_info& info) {
  bpf_attr attributes{};
  attributes.info.bpf_fd = static_cast<uint32_t>(fd);
  attributes.info.info_len = sizeof(info);
  attributes.info.info = reinterpret_cast<uint64_t>(&info);
  return bpf_call(BPF_OBJ_GET_INFO_BY_FD, attributes) == 0;
}

void for_each_program(const std::function<void(const bpf_prog_info&)>& visit) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const auto target = std::filesystem::read_symlink(entry.path(), error);
    bpf_prog_info info{};
    if (error || target != "anon_inode:bpf-prog") continue;
    if (read_info(std::stoi(entry.path().filename()), info)) visit(info);
  }
}

}  // namespace

Result<BpfStats> BpfStats::enable() {
  bpf_attr attributes{};
  attributes.enable_stats.type = BPF_STATS_RUN_TIME;
  Fd fd(bpf_call(BPF_ENABLE_STATS, attributes));
  if (!fd.valid()) return errno_error("measuring BPF programs (run as root)", errno);
  return BpfStats(std::move(fd));
}

Result<ProgramRun> program_run(const std::string& name) {
  ProgramRun found;
  bool any = false;
  for_each_program([&](const bpf_prog_info& info) {
    if (name.substr(0, BPF_OBJ_NAME_LEN - 1) != info.name) return;
    found = {info.run_time_ns, info.run_cnt, info.verified_insns};
    any = true;
  });
  if (!any) return Error{"no BPF program " + name + " is loaded", ExitCode::kNotSupported};
  return found;
}

uint64_t verified_instructions() {
  uint64_t sum = 0;
  for_each_program([&](const bpf_prog_info& info) { sum += info.verified_insns; });
  return sum;
}

}  // namespace pyprof::bench
