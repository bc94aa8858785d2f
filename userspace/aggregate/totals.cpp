// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/totals.h"

#include <string_view>
#include <vector>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::aggregate {
namespace {

constexpr std::size_t kMaxGroupBytes = 125;  // with the ellipsis of clean_text: 128
constexpr const char* kOther = "__other__";

// The program a Python command line runs: "-m MODULE" or the file name of the script; empty for -c,
// standard input and what can't be told.
std::string_view python_program(const std::vector<std::string>& command) {
  for (std::size_t i = 1; i < command.size(); ++i) {
    const std::string_view argument = command[i];
    if (argument.empty() || argument == "-") return {};
    if (argument[0] != '-') return base_name(argument);
    if (argument == "-X" || argument == "-W" || argument == "--check-hash-based-pycs") {
      ++i;
    } else if (!argument.starts_with("--")) {
      const std::size_t stop = argument.find_first_of("cmXW");
      if (stop == std::string_view::npos) continue;
      if (argument[stop] == 'c') return {};
      const bool attached = stop + 1 < argument.size();
      if (argument[stop] != 'm') {
        i += attached ? 0 : 1;
        continue;
      }
      if (attached) return argument.substr(stop + 1);
      return i + 1 < command.size() ? std::string_view(command[i + 1]) : std::string_view();
    }
  }
  return {};
}

template <typename Map>
Totals::Counts& slot(Map& map, std::size_t max, const typename Map::key_type& key,
                     const typename Map::key_type& other) {
  const auto found = map.find(key);
  if (found != map.end()) return found->second;
  return map[map.size() < max ? key : other];
}

}  // namespace

std::string process_group(const model::ProcessInfo& process) {
  std::string_view name;
  if (process.python_version != 0) name = python_program(process.command);
  if (name.empty()) name = base_name(process.exe);
  if (name.empty()) name = process.comm;
  return clean_text(name, kMaxGroupBytes);
}

Totals::Totals(std::size_t max_groups, std::size_t max_containers)
    : max_groups_(max_groups), max_containers_(max_containers) {}

void Totals::add(const model::Profile& window) {
  std::vector<Counts> sums(window.processes.size());
  for (const model::Sample& sample : window.samples) {
    Counts& sum = sums[window.threads[sample.thread].process];
    sum.samples += sample.count;
    sum.weight_ns += sample.weight_ns;
  }
  for (const model::Thread& thread : window.threads) {
    sums[thread.process].measured_ns += thread.cpu_ns;
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const model::ProcessInfo& process = window.processes[i];
    const std::string container = clean_text(process.container.id, kMaxGroupBytes);
    const GroupKey key{process_group(process), container, process.python_version != 0};
    for (Counts* total : {&slot(groups_, max_groups_, key, GroupKey{kOther, "", false}),
                          &slot(containers_, max_containers_, container, kOther)}) {
      total->samples += sums[i].samples;
      total->weight_ns += sums[i].weight_ns;
      total->measured_ns += sums[i].measured_ns;
    }
  }
}

}  // namespace pyprof::aggregate
