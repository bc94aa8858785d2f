// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/kernel/budget.h"

#include <algorithm>
#include <fstream>
#include <regex>

namespace pyprof::bpftest {
namespace {

// "650,000" as a number.
uint64_t number(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ','), text.end());
  return std::stoull(text);
}

}  // namespace

std::map<std::string, Budget> read_budgets(const std::string& readme_path) {
  static const std::regex kRow(R"(^\| `(\w+)` \| ([\d,]{1,12}) \| ([\d,]{1,12}) \|.*)");
  std::map<std::string, Budget> budgets;
  std::ifstream readme(readme_path);
  std::smatch cells;
  for (std::string line; std::getline(readme, line);)
    if (std::regex_match(line, cells, kRow))
      budgets[cells[1]] = {number(cells[2]), number(cells[3])};
  return budgets;
}

}  // namespace pyprof::bpftest
