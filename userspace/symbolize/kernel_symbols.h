// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.h"

// Names of kernel functions from /proc/kallsyms, modules and BPF programs included.
namespace pyprof::symbolize {

// Not thread-safe.
class KernelSymbols {
 public:
  struct Hit {
    std::string_view name;    // valid until the next call of find()
    std::string_view module;  // "" = the kernel itself
    uint64_t start = 0;
  };

  explicit KernelSymbols(std::string path = "/proc/kallsyms") : path_(std::move(path)) {}

  // The function that contains the address. Reads the list at the first call, and again, at most
  // every 30 s, when nothing is found: a module or BPF program may have been loaded since.
  std::optional<Hit> find(uint64_t address, uint64_t now_ns);

  // Why there are no names, from the last read.
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    uint64_t address;
    uint32_t name;    // offset in names_, zero-terminated
    uint16_t module;  // index in modules_, 0 = the kernel itself
    uint8_t rank;     // of aliases, the lowest wins
  };

  void load();
  void parse_line(std::string_view line);
  void sort_and_drop_aliases();
  uint16_t module_index(std::string_view name);
  [[nodiscard]] std::optional<Hit> look_up(uint64_t address) const;

  std::string path_;
  std::vector<Entry> entries_;
  std::string names_;
  std::vector<std::string> modules_;
  bool addresses_hidden_ = false;
  std::optional<uint64_t> read_ns_;
  std::optional<Error> problem_;
};

}  // namespace pyprof::symbolize
