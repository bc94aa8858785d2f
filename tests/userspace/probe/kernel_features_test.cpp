// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/kernel_features.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "userspace/probe/kernel_checks.h"

namespace pyprof::probe {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(KernelVersionTest, is_read_from_releases_of_many_distributions) {
  const std::pair<const char*, KernelVersion> cases[] = {
      {"6.18.44-fc-v657", {6, 18, 44}},
      {"6.1.0-9-amd64", {6, 1, 0}},
      {"5.14.0-427.el9.x86_64", {5, 14, 0}},
      {"6.1.25-37.47.amzn2023.x86_64", {6, 1, 25}},
      {"5.10", {5, 10, 0}},
      {"7.3.4+deb14-amd64", {7, 3, 4}},
  };
  for (const auto& [text, version] : cases)
    EXPECT_EQ(parse_kernel_version(text), version) << text;
  for (const char* text : {"", "linux", "6", "6.", "-6.1", ".6.1", "99999999999.1"}) {
    EXPECT_FALSE(parse_kernel_version(text)) << text;
  }
}

TEST(KernelVersionTest, finds_the_patch_level_that_debian_and_ubuntu_hide) {
  EXPECT_EQ(
      upstream_version("6.1.0-9-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)", ""),
      (KernelVersion{6, 1, 27}));
  EXPECT_EQ(upstream_version("5.15.0-91-generic", "#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023",
                             "Ubuntu 5.15.0-91.101-generic 5.15.131\n"),
            (KernelVersion{5, 15, 131}));
  EXPECT_EQ(upstream_version("6.18.44", "#1 SMP PREEMPT_DYNAMIC @0", ""),
            (KernelVersion{6, 18, 44}));
  EXPECT_FALSE(upstream_version("custom", "", ""));
}

TEST(RefusedReasonTest, names_exactly_the_kernels_that_deadlock) {
  const auto refused = [](KernelVersion version, std::optional<bool> hardened = true) {
    return refused_reason({"x", version, hardened}).has_value();
  };
  for (const KernelVersion bad : {KernelVersion{5, 19, 0},
                                  {5, 19, 17},
                                  {6, 0, 19},
                                  {6, 1, 0},
                                  {6, 1, 35},
                                  {6, 2, 16},
                                  {6, 3, 9}}) {
    EXPECT_TRUE(refused(bad)) << bad.major << '.' << bad.minor << '.' << bad.patch;
    EXPECT_TRUE(refused(bad, std::nullopt));
    EXPECT_FALSE(refused(bad, false));
  }
  for (const KernelVersion good : {KernelVersion{5, 10, 0},
                                   {5, 18, 19},
                                   {6, 1, 36},
                                   {6, 1, 192},
                                   {6, 3, 10},
                                   {6, 4, 0},
                                   {6, 18, 44},
                                   {7, 3, 4}}) {
    EXPECT_FALSE(refused(good)) << good.major << '.' << good.minor << '.' << good.patch;
  }
}

TEST(CapabilitiesTest, are_parsed_from_the_effective_line) {
  const auto some = parse_capabilities(
      "CapInh:\tffffffffffffffff\nCapEff:\t000000c000080000\nCapBnd:\tffffffffffffffff\n");
  EXPECT_TRUE(some.has(CAP_BPF) && some.has(CAP_PERFMON) && some.has(CAP_SYS_PTRACE));
  EXPECT_FALSE(some.has(CAP_SYSLOG) || some.has_or_admin(CAP_CHECKPOINT_RESTORE));
  EXPECT_TRUE(parse_capabilities("CapEff:\t0000000000200000\n").has_or_admin(CAP_BPF));
  EXPECT_FALSE(parse_capabilities("CapEff:").has(CAP_SYS_ADMIN));
  EXPECT_FALSE(parse_capabilities("").has(0));
}

TEST(LockdownTest, is_the_word_in_brackets) {
  EXPECT_EQ(parse_lockdown("[none] integrity confidentiality\n"), Lockdown::kNone);
  EXPECT_EQ(parse_lockdown("none [integrity] confidentiality\n"), Lockdown::kIntegrity);
  EXPECT_EQ(parse_lockdown("none integrity [confidentiality]\n"), Lockdown::kConfidentiality);
  EXPECT_EQ(parse_lockdown(""), Lockdown::kNone);
}

TEST(KallsymsTest, hidden_addresses_are_all_zero) {
  EXPECT_TRUE(shows_addresses("0000000000000000 A a\nffffffff81000000 T _text\n"));
  EXPECT_FALSE(shows_addresses("0000000000000000 A a\n0000000000000000 T _text\n"));
  EXPECT_FALSE(shows_addresses("0000000000000000 T a\nfff"));
  EXPECT_FALSE(shows_addresses(""));
}

TEST(CpuListTest, expands_ranges_and_refuses_nonsense) {
  EXPECT_EQ(*parse_cpu_list("0-3,8\n"), (std::vector<int>{0, 1, 2, 3, 8}));
  EXPECT_EQ(*parse_cpu_list("5"), (std::vector<int>{5}));
  for (const char* text : {"", "a", "0-", "3-1", "0,,1", "0-99999999", "0 1", "-1"}) {
    EXPECT_FALSE(parse_cpu_list(text)) << text;
  }
}

TEST(CpuListTest, online_is_what_sysconf_counts) {
  const auto cpus = online_cpus();
  ASSERT_TRUE(cpus) << cpus.error().message;
  EXPECT_EQ(static_cast<long>(cpus->size()), ::sysconf(_SC_NPROCESSORS_ONLN));
}

class ThisKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto features = read_kernel_features();
    ASSERT_TRUE(features) << features.error().message;
    features_ = *features;
  }
  KernelFeatures features_;
};

TEST_F(ThisKernelTest, agrees_with_uname_and_proc) {
  utsname name{};
  ASSERT_EQ(::uname(&name), 0);
  EXPECT_EQ(features_.kernel.release, name.release);
  EXPECT_EQ(features_.btf, ::access("/sys/kernel/btf/vmlinux", R_OK) == 0);
  ASSERT_TRUE(features_.perf_event_paranoid);
  EXPECT_EQ(*features_.perf_event_paranoid,
            std::stoi(slurp("/proc/sys/kernel/perf_event_paranoid")));
  ASSERT_TRUE(features_.kptr_restrict);
  EXPECT_EQ(*features_.kptr_restrict, std::stoi(slurp("/proc/sys/kernel/kptr_restrict")));
}

TEST_F(ThisKernelTest, can_do_everything_as_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(features_.cpu_clock_errno, 0);
  EXPECT_TRUE(features_.raw_tracepoint && features_.perf_event_program && features_.ring_buffer);
  EXPECT_TRUE(features_.capabilities.has_or_admin(CAP_BPF));
  EXPECT_NE(features_.memory_charging, MemoryCharging::kUnknown);
  if (features_.kernel.version >= KernelVersion{5, 18, 0}) {
    EXPECT_EQ(features_.memory_charging, MemoryCharging::kCgroup);
    EXPECT_TRUE(features_.helper_task_pt_regs && features_.helper_loop &&
                features_.helper_current_task_btf);
  }
}

TEST_F(ThisKernelTest, leaves_the_memlock_limit_of_the_caller_alone) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  ASSERT_TRUE(read_kernel_features());
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &after), 0);
  EXPECT_EQ(limit.rlim_cur, after.rlim_cur);
}

TEST_F(ThisKernelTest, every_finding_has_advice_unless_it_is_fine) {
  for (const auto& check : check_kernel(features_)) {
    EXPECT_FALSE(check.detail.empty()) << check.name;
    EXPECT_EQ(check.advice.empty(), check.state == Check::State::kOk) << check.name;
    EXPECT_EQ((check.detail + check.advice).find('\n'), std::string::npos) << check.name;
  }
}

KernelFeatures good_features() {
  KernelFeatures features;
  features.kernel = {"6.12.0", {6, 12, 0}, true};
  features.capabilities = Capabilities(~0ULL);
  features.btf = features.kernel_symbols = true;
  features.memory_charging = MemoryCharging::kCgroup;
  features.perf_event_paranoid = 2;
  features.jit = 1;
  features.raw_tracepoint = features.perf_event_program = features.ring_buffer = true;
  return features;
}

Check find(const KernelFeatures& features, const std::string& name) {
  for (auto& check : check_kernel(features)) {
    if (check.name == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

TEST(KernelChecksTest, a_good_kernel_is_fine_throughout) {
  for (const auto& check : check_kernel(good_features())) {
    EXPECT_EQ(check.state, Check::State::kOk) << check.name << ": " << check.detail;
  }
}

TEST(KernelChecksTest, each_lack_is_found_and_graded) {
  using State = Check::State;
  auto features = good_features();
  features.capabilities = Capabilities(~(1ULL << CAP_SYSLOG));
  EXPECT_EQ(find(features, "capabilities").state, State::kWarn);
  features.capabilities = Capabilities(0);
  EXPECT_EQ(find(features, "capabilities").state, State::kFail);
  EXPECT_NE(find(features, "capabilities").detail.find("CAP_BPF, CAP_PERFMON"), std::string::npos);
  EXPECT_EQ(find(features, "perf_event_paranoid").state, State::kFail);
  features.memory_charging = MemoryCharging::kRlimit;
  features.memlock_limit_bytes = 64 << 10;
  EXPECT_EQ(find(features, "memory").state, State::kFail);
  features.capabilities = Capabilities(1ULL << CAP_SYS_RESOURCE);
  EXPECT_EQ(find(features, "memory").state, State::kOk);
  features.btf = false;
  EXPECT_EQ(find(features, "btf").state, State::kFail);
  features.lockdown = Lockdown::kConfidentiality;
  EXPECT_EQ(find(features, "lockdown").state, State::kFail);
  features.cycles_errno = ENOENT;
  EXPECT_EQ(find(features, "cycles").state, State::kWarn);
  features.kernel = {"6.1.0-9-amd64", {6, 1, 27}, true};
  EXPECT_EQ(find(features, "kernel").state, State::kFail);
  features.kernel = {"5.4.0", {5, 4, 0}, true};
  EXPECT_EQ(find(features, "kernel").state, State::kWarn);
}

}  // namespace
}  // namespace pyprof::probe
