// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/accountant.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>

namespace pyprof::account {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Names processes and cgroups from tables that the test fills.
class TableResolver : public Resolver {
 public:
  ProcessOwner resolve_process(const CpuDelta& first) override {
    ++process_calls;
    const auto found = processes.find(first.process);
    return found == processes.end() ? ProcessOwner{} : found->second;
  }
  std::optional<ContainerKey> resolve_cgroup(uint64_t cgroup_id) override {
    ++cgroup_calls;
    const auto found = cgroups.find(cgroup_id);
    if (found == cgroups.end()) return std::nullopt;
    return found->second;
  }

  std::map<model::ProcessId, ProcessOwner> processes;
  std::map<uint64_t, ContainerKey> cgroups;
  int process_calls = 0;
  int cgroup_calls = 0;
};

ProcessOwner owned_by(const std::string& group, const std::string& lang = "native") {
  return {GroupKey{group, "", lang}, Unattributed::kExitedBeforeRead};
}

CpuDelta delta_of(model::ProcessId process, uint64_t ns, uint64_t cgroup_id = 1) {
  const auto pid = static_cast<int32_t>(process);
  return {process, pid, pid, cgroup_id, ns, "comm"};
}

Interval second_number(uint64_t n, uint32_t cpus = 4) {
  return {n * kSecond, kSecond, cpus};
}

uint64_t sum_of(const std::array<uint64_t, kUnattributedReasons>& by_reason) {
  return std::accumulate(by_reason.begin(), by_reason.end(), uint64_t{0});
}

template <typename Series>
uint64_t ns_of(const Series& series) {
  uint64_t sum = 0;
  for (const auto& [key, amount] : series)
    sum += amount.cpu_ns;
  return sum;
}

void expect_sums_exact(const Totals& totals) {
  EXPECT_EQ(ns_of(totals.groups) + totals.other_groups.cpu_ns + totals.expired_groups.cpu_ns +
                sum_of(totals.unattributed_process_ns),
            totals.accepted_ns);
  EXPECT_EQ(ns_of(totals.containers) + totals.other_containers.cpu_ns +
                totals.expired_containers.cpu_ns + sum_of(totals.unattributed_container_ns),
            totals.accepted_ns);
}

TEST(AccountantTest, processes_of_one_name_share_a_group) {
  TableResolver resolver;
  resolver.processes[1] = owned_by("worker.py", "python");
  resolver.processes[2] = owned_by("worker.py", "python");
  resolver.cgroups[1] = {"", "", "", "nginx.service"};
  Accountant accountant(resolver, {});
  accountant.add(std::vector{delta_of(1, 100), delta_of(2, 50)}, second_number(1));
  accountant.add(std::vector{delta_of(1, 7)}, second_number(2));
  accountant.add_samples(1, 3, 2 * kSecond);
  const Totals totals = accountant.totals();
  ASSERT_EQ(totals.groups.size(), 1u);
  EXPECT_EQ(totals.groups[0].second, (Amount{157, 3}));
  ASSERT_EQ(totals.containers.size(), 1u);
  EXPECT_EQ(totals.containers[0].first.unit, "nginx.service");
  EXPECT_EQ(resolver.process_calls, 2);
  EXPECT_EQ(resolver.cgroup_calls, 1);
  expect_sums_exact(totals);
}

TEST(AccountantTest, what_has_no_owner_is_unattributed_with_its_reason) {
  TableResolver resolver;
  resolver.processes[2] = {std::nullopt, Unattributed::kKernelThread};
  Accountant accountant(resolver, {});
  accountant.add(std::vector{delta_of(1, 10), delta_of(2, 20)}, second_number(1));
  resolver.processes[1] = owned_by("late");
  accountant.add(std::vector{delta_of(1, 5)}, second_number(2));
  accountant.add_samples(99, 4, kSecond);
  const Totals totals = accountant.totals();
  EXPECT_EQ(totals.unattributed_process_ns,
            (std::array<uint64_t, kUnattributedReasons>{10, 20, 0}));
  EXPECT_EQ(totals.unattributed_container_ns[2], 35u);
  EXPECT_EQ(totals.unattributed_samples, 4u);
  ASSERT_EQ(totals.groups.size(), 1u);
  EXPECT_EQ(totals.groups[0].second.cpu_ns, 5u);
  expect_sums_exact(totals);
}

TEST(AccountantTest, impossible_deltas_are_refused_and_counted) {
  TableResolver resolver;
  resolver.processes[1] = owned_by("a");
  Accountant accountant(resolver, {});
  const auto id = accountant.windows().open({});
  accountant.add(std::vector{delta_of(1, 4 * kSecond), delta_of(1, 5 * kSecond),
                             delta_of(1, UINT64_MAX), delta_of(1, UINT64_MAX)},
                 second_number(1));
  const Totals totals = accountant.totals();
  EXPECT_EQ(totals.glitches, 3u);
  EXPECT_EQ(totals.glitch_ns, UINT64_MAX);
  EXPECT_EQ(totals.accepted_ns, 4 * kSecond);
  EXPECT_EQ(accountant.windows().close(*id).total_ns, 4 * kSecond);
  expect_sums_exact(totals);
}

TEST(AccountantTest, over_the_cap_goes_to_other_and_known_series_keep_growing) {
  TableResolver resolver;
  for (model::ProcessId process = 1; process <= 100; ++process) {
    resolver.processes[process] = owned_by("g" + std::to_string(process));
    resolver.cgroups[process] = {"c" + std::to_string(process), "docker", "", ""};
  }
  AccountantLimits limits;
  limits.groups = 10;
  limits.containers = 5;
  Accountant accountant(resolver, limits);
  for (uint64_t round = 1; round <= 3; ++round) {
    std::vector<CpuDelta> deltas;
    for (model::ProcessId process = 1; process <= 100; ++process) {
      deltas.push_back(delta_of(process, 1000 + process, process));
    }
    accountant.add(deltas, second_number(round));
  }
  const Totals totals = accountant.totals();
  EXPECT_EQ(totals.groups.size(), 10u);
  EXPECT_EQ(totals.containers.size(), 5u);
  EXPECT_EQ(totals.group_limit_hits, 90u * 3);
  EXPECT_EQ(totals.accepted_ns, 3u * (100 * 1000 + 5050));
  expect_sums_exact(totals);
}

TEST(AccountantTest, quiet_series_end_and_free_their_place) {
  TableResolver resolver;
  resolver.processes[1] = owned_by("old");
  resolver.processes[2] = owned_by("new");
  AccountantLimits limits;
  limits.groups = 1;
  limits.series_ttl_ns = 10 * kSecond;
  Accountant accountant(resolver, limits);
  accountant.add(std::vector{delta_of(1, 11)}, second_number(1));
  accountant.add(std::vector{delta_of(2, 22)}, second_number(5));
  accountant.add(std::vector{delta_of(2, 33)}, second_number(12));
  const Totals totals = accountant.totals();
  ASSERT_EQ(totals.groups.size(), 1u);
  EXPECT_EQ(totals.groups[0].first.group, "new");
  EXPECT_EQ(totals.groups[0].second.cpu_ns, 33u);
  EXPECT_EQ(totals.other_groups.cpu_ns, 22u);
  EXPECT_EQ(totals.expired_groups.cpu_ns, 11u);
  expect_sums_exact(totals);
}

TEST(AccountantTest, exec_and_forget_ask_for_the_owner_again) {
  TableResolver resolver;
  resolver.processes[1] = owned_by("sh");
  resolver.processes[2] = owned_by("python");  // the same pid after exec: another generation
  Accountant accountant(resolver, {});
  accountant.add(std::vector{delta_of(1, 1), delta_of(2, 2)}, second_number(1));
  accountant.forget(1);
  resolver.processes.erase(1);
  accountant.add(std::vector{delta_of(1, 4)}, second_number(2));
  const Totals totals = accountant.totals();
  EXPECT_EQ(totals.groups.size(), 2u);
  EXPECT_EQ(totals.unattributed_process_ns[0], 4u);
  expect_sums_exact(totals);
}

TEST(AccountantTest, cgroup_that_is_gone_keeps_its_name) {
  TableResolver resolver;
  resolver.cgroups[1] = {"abc", "docker", "", ""};
  Accountant accountant(resolver, {});
  accountant.add(std::vector{delta_of(1, 1)}, second_number(1));
  resolver.cgroups.clear();
  accountant.add(std::vector{delta_of(1, 2)}, second_number(500));
  EXPECT_EQ(accountant.totals().containers.at(0).second.cpu_ns, 3u);
  EXPECT_EQ(resolver.cgroup_calls, 2);
}

TEST(AccountantTest, sums_stay_exact_under_churn_with_tiny_tables) {
  TableResolver resolver;
  AccountantLimits limits;
  limits.groups = 7;
  limits.containers = 3;
  limits.processes = 16;
  limits.cgroups = 4;
  limits.series_ttl_ns = 20 * kSecond;
  Accountant accountant(resolver, limits);
  std::mt19937_64 random(7);
  Totals before;
  for (uint64_t round = 1; round <= 200; ++round) {
    std::vector<CpuDelta> deltas;
    for (int i = 0; i < 40; ++i) {
      const model::ProcessId process = random() % 500;
      if (process % 3 != 0) resolver.processes[process] = owned_by(std::to_string(process % 50));
      if (process % 5 != 0)
        resolver.cgroups[process % 20] = {std::to_string(process % 20), "", "", ""};
      deltas.push_back(delta_of(process, random() % (6 * kSecond), process % 20));
    }
    accountant.add(deltas, second_number(round));
    accountant.forget(random() % 500);
    const Totals now = accountant.totals();
    expect_sums_exact(now);
    EXPECT_LE(now.groups.size(), 7u);
    EXPECT_GE(now.accepted_ns, before.accepted_ns);
    EXPECT_GE(now.other_groups.cpu_ns, before.other_groups.cpu_ns);
    before = now;
  }
  EXPECT_GT(before.glitches, 0u);
  EXPECT_GT(before.other_groups.cpu_ns, 0u);
}

}  // namespace
}  // namespace pyprof::account
