// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/kernel_symbols.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kRefreshNs = 30'000'000'000;
constexpr std::size_t kMaxSymbols = 2'000'000;
constexpr std::size_t kMaxNameBytes = 512;  // KSYM_NAME_LEN
constexpr std::size_t kMaxModules = 4096;
// kallsyms has no sizes: a function further away than this is not the one. The largest functions of
// x86-64 and arm64 kernels are below 64 KiB.
constexpr uint64_t kMaxFunctionBytes = 256 << 10;

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

bool is_function_type(char type) {
  return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

// Padding in front of functions, CFI jump slots and arm64 mapping symbols: no functions.
bool is_artificial(std::string_view name) {
  return name.starts_with("__pfx_") || name.starts_with("__cfi_") || name.starts_with("$");
}

std::string_view take_word(std::string_view& rest) {
  const std::size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
  rest.remove_prefix(begin);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t\n"));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace

std::optional<KernelSymbols::Hit> KernelSymbols::find(uint64_t address, uint64_t now_ns) {
  auto hit = look_up(address);
  if (!hit && (!read_ns_ || now_ns - *read_ns_ >= kRefreshNs)) {
    read_ns_ = now_ns;
    load();
    hit = look_up(address);
  }
  return hit;
}

std::size_t KernelSymbols::bytes() const {
  return entries_.capacity() * sizeof(Entry) + names_.capacity();
}

void KernelSymbols::load() {
  entries_.clear();
  names_.clear();
  modules_.assign(1, "");
  addresses_hidden_ = true;
  problem_.reset();
  const std::unique_ptr<FILE, CloseFile> file(std::fopen(path_.c_str(), "re"));
  if (!file) {
    problem_ = errno_error("reading kernel symbols from " + path_, errno);
    return;
  }
  std::array<char, 1024> line{};
  while (std::fgets(line.data(), line.size(), file.get()) && entries_.size() < kMaxSymbols) {
    parse_line(line.data());
  }
  if (addresses_hidden_) {
    entries_.clear();
    names_.clear();
    problem_ =
        Error{path_ + " shows no kernel addresses: run as root, or set kernel.kptr_restrict to 1",
              ExitCode::kPermission};
  }
  sort_and_drop_aliases();
}

// "ffffffff81000000 T name\t[module]"
void KernelSymbols::parse_line(std::string_view line) {
  const std::string_view hex = take_word(line);
  const std::string_view type = take_word(line);
  const std::string_view name = take_word(line);
  const std::string_view module = take_word(line);
  uint64_t address = 0;
  const auto parsed = std::from_chars(hex.data(), hex.data() + hex.size(), address, 16);
  if (parsed.ec != std::errc() || parsed.ptr != hex.data() + hex.size() || type.size() != 1 ||
      name.empty() || name.size() > kMaxNameBytes) {
    return;
  }
  addresses_hidden_ = addresses_hidden_ && address == 0;
  if (!is_function_type(type[0]) || is_artificial(name)) {
    return;
  }
  const uint8_t rank = type[0] == 'T' ? 0 : 1;
  entries_.push_back({address, static_cast<uint32_t>(names_.size()), module_index(module), rank});
  names_.append(name).push_back('\0');
}

uint16_t KernelSymbols::module_index(std::string_view name) {
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  if (name == modules_.back()) {  // symbols of one module follow each other
    return static_cast<uint16_t>(modules_.size() - 1);
  }
  auto found = std::find(modules_.begin(), modules_.end(), name);
  if (found == modules_.end()) {
    if (modules_.size() >= kMaxModules) {
      return 0;
    }
    found = modules_.emplace(modules_.end(), name);
  }
  return static_cast<uint16_t>(found - modules_.begin());
}

// Of several names for one address: the global one, then the shortest, then the first by name.
void KernelSymbols::sort_and_drop_aliases() {
  const auto name = [this](const Entry& entry) {
    return std::string_view(names_.c_str() + entry.name);
  };
  std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
    if (a.address != b.address || a.rank != b.rank) {
      return a.address != b.address ? a.address < b.address : a.rank < b.rank;
    }
    const std::string_view x = name(a);
    const std::string_view y = name(b);
    return x.size() != y.size() ? x.size() < y.size() : x < y;
  });
  const auto same_address = [](const Entry& a, const Entry& b) { return a.address == b.address; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same_address), entries_.end());
  entries_.shrink_to_fit();
  names_.shrink_to_fit();
}

std::optional<KernelSymbols::Hit> KernelSymbols::look_up(uint64_t address) const {
  const auto next =
      std::upper_bound(entries_.begin(), entries_.end(), address,
                       [](uint64_t a, const Entry& entry) { return a < entry.address; });
  if (next == entries_.begin() || address - std::prev(next)->address >= kMaxFunctionBytes) {
    return std::nullopt;
  }
  const Entry& entry = *std::prev(next);
  return Hit{names_.c_str() + entry.name, modules_[entry.module], entry.address};
}

}  // namespace pyprof::symbolize
