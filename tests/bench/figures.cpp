// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

namespace pyprof::bench {

Spread spread(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size(), middle = n / 2;
  const double median = n % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back(), n};
}

std::string text(const Spread& values, int decimals) {
  if (values.count == 0) return "-";
  const std::string median = fmt::format("{:.{}f}", values.median, decimals);
  if (values.count == 1) return median;
  return fmt::format("{} ({:.{}f} to {:.{}f})", median, values.low, decimals, values.high,
                     decimals);
}

void Figures::add(const std::string& what, const Spread& values, int decimals,
                  const std::string& unit, const std::string& goal, const std::string& note) {
  rows_.push_back({what, text(values, decimals) + " " + unit, goal, note});
  std::ofstream file(path_, std::ios::app);
  file << fmt::format("figure: bench {} = {:.4g} {} low {:.4g} high {:.4g} n {} {}\n", what,
                      values.median, unit, values.low, values.high, values.count, note);
}

void Figures::add(const std::string& what, double value, int decimals, const std::string& unit,
                  const std::string& goal, const std::string& note) {
  add(what, spread({value}), decimals, unit, goal, note);
}

void Figures::heading(const std::string& title) {
  rows_.push_back({title, "", "", "", true});
}

void Figures::print() const {
  std::size_t what = 0, value = 0, goal = 4;
  for (const auto& row : rows_) {
    if (row.heading) continue;
    what = std::max(what, row.what.size());
    value = std::max(value, row.value.size());
    goal = std::max(goal, row.goal.size());
  }
  fmt::print("\n{:<{}}  {:<{}}  {:<{}}  {}\n", "what", what, "median (min to max)", value, "goal",
             goal, "note");
  for (const auto& row : rows_) {
    if (row.heading) {
      fmt::print("\n{}\n", row.what);
      continue;
    }
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {}\n", row.what, what, row.value, value, row.goal, goal,
               row.note);
  }
  std::fflush(stdout);
}

CpuTimes cpu_times() {
  std::ifstream file("/proc/stat");
  std::string name;
  std::array<uint64_t, 8> ticks{};  // user nice system idle iowait irq softirq steal
  file >> name;
  CpuTimes times;
  for (auto& value : ticks) {
    file >> value;
    times.total += value;
  }
  times.idle = ticks[3] + ticks[4];
  times.steal = ticks[7];
  return times;
}

}  // namespace pyprof::bench
