// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Repeated measurements and where they go: a table for people, figures.txt for comparing runs.
namespace pyprof::bench {

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
  std::size_t count = 0;
};

[[nodiscard]] Spread spread(std::vector<double> values);

// "4.21 (3.90-5.07)"; the median alone if there is one value.
[[nodiscard]] std::string text(const Spread& values, int decimals);

// Rows of the final table. Also writes each row to figures.txt, in the form the e2e tests use.
class Figures {
 public:
  explicit Figures(std::string path) : path_(std::move(path)) {}

  void add(const std::string& what, const Spread& values, int decimals, const std::string& unit,
           const std::string& goal = "", const std::string& note = "");
  void add(const std::string& what, double value, int decimals, const std::string& unit,
           const std::string& goal = "", const std::string& note = "");
  // A line between rows.
  void heading(const std::string& title);

  void print() const;

 private:
  struct Row {
    std::string what, value, goal, note;
    bool heading = false;
  };

  std::string path_;
  std::vector<Row> rows_;
};

// How much the machine itself disturbed: time stolen by the hypervisor, and the workload CPU's use.
struct CpuTimes {
  uint64_t total = 0;
  uint64_t idle = 0;
  uint64_t steal = 0;
};
[[nodiscard]] CpuTimes cpu_times();

}  // namespace pyprof::bench
