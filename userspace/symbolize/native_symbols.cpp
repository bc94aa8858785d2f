// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/native_symbols.h"

#include <utility>

namespace pyprof::symbolize {
namespace {

// Of a C++ name, what a person can still read; mangled names may unfold to megabytes.
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kFileBytes = 256;     // list and map nodes of one file
constexpr std::size_t kAddressBytes = 160;  // map node of one address, without long names

NativeSymbol resolve(const elf::SymbolTable& table, uint64_t address) {
  const auto hit = table.find(address);
  if (!hit) {
    return {.function = "", .raw = "", .start = address};
  }
  std::string function = elf::demangle(hit->name);
  if (function.size() > kMaxNameBytes) {
    function.resize(kMaxNameBytes);
  }
  return {std::move(function), std::string(hit->name.substr(0, kMaxNameBytes)), hit->start};
}

}  // namespace

const NativeSymbol& NativeSymbols::find(model::FileId id, uint64_t address, uint64_t now_ns) {
  File& found = file(id, now_ns);
  if (const auto known = found.addresses.find(address); known != found.addresses.end()) {
    return known->second;
  }
  if (found.addresses.size() >= limits_.addresses_per_file) {
    forget_addresses(found);
  }
  NativeSymbol symbol{.function = "", .raw = "", .start = address};
  if (found.table) {
    symbol = resolve(*found.table, address);
  }
  charge(found, kAddressBytes + symbol.function.size() + symbol.raw.size());
  const NativeSymbol& kept = found.addresses.emplace(address, std::move(symbol)).first->second;
  evict_all_but_first();
  return kept;
}

NativeSymbols::File& NativeSymbols::file(model::FileId id, uint64_t now_ns) {
  if (const auto known = by_id_.find(id); known != by_id_.end()) {
    files_.splice(files_.begin(), files_, known->second);
  } else {
    files_.emplace_front().id = id;
    by_id_[id] = files_.begin();
    charge(files_.front(), kFileBytes);
    load(files_.front(), now_ns);
  }
  File& found = files_.front();
  if (!found.table && now_ns - found.read_ns >= limits_.retry_ns) {
    load(found, now_ns);
  }
  return found;
}

void NativeSymbols::load(File& file, uint64_t now_ns) {
  file.read_ns = now_ns;
  forget_addresses(file);
  file.table = opener_.symbols(file.id);
  if (file.table) charge(file, file.table->bytes());
}

void NativeSymbols::forget(model::FileId id) {
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return;
  bytes_ -= known->second->bytes;
  files_.erase(known->second);
  by_id_.erase(known);
}

void NativeSymbols::charge(File& file, std::size_t bytes) {
  file.bytes += bytes;
  bytes_ += bytes;
}

void NativeSymbols::forget_addresses(File& file) {
  file.addresses.clear();
  const std::size_t kept = kFileBytes + (file.table ? file.table->bytes() : 0);
  bytes_ -= file.bytes - kept;
  file.bytes = kept;
}

void NativeSymbols::evict_all_but_first() {
  while (bytes_ > limits_.table_bytes && files_.size() > 1) {
    bytes_ -= files_.back().bytes;
    by_id_.erase(files_.back().id);
    files_.pop_back();
  }
}

}  // namespace pyprof::symbolize
