// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/stack_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pyprof::symbolize {
namespace {

constexpr std::size_t kMaxEvicted = 65'536;
constexpr std::size_t kEntryBytes = 512;   // list and map nodes, fixed parts
constexpr std::size_t kStackIdBytes = 48;  // map node

std::size_t bytes_of(const StackCache::Entry& entry) {
  const model::RawStack& raw = entry.raw;
  std::size_t bytes = kEntryBytes + raw.kernel.capacity() * sizeof(uint64_t) +
                      raw.native.capacity() * sizeof(model::NativeFrame) +
                      raw.python.capacity() * sizeof(model::PythonFrame);
  if (entry.prepared) {
    bytes += entry.prepared->frames.capacity() * sizeof(uint32_t) +
             entry.prepared->stack_ids.size() * kStackIdBytes;
  }
  return bytes;
}

}  // namespace

void StackCache::add(model::RawStack stack) {
  const model::StackKey key = stack.key;
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
    bytes_ -= entries_.front().bytes;
    entries_.front() = Entry();
  } else {
    entries_.emplace_front();
    by_key_[key] = entries_.begin();
  }
  entries_.front().raw = std::move(stack);
  update_bytes(entries_.front());
}

bool StackCache::redefines(const model::RawStack& stack) const {
  const auto known = by_key_.find(stack.key);
  if (known == by_key_.end()) return false;
  const auto& python = known->second->raw.python;
  const auto same = [](const model::PythonFrame& a, const model::PythonFrame& b) {
    return a.kind == b.kind && a.code == b.code;
  };
  return !std::equal(python.begin(), python.end(), stack.python.begin(), stack.python.end(), same);
}

StackCache::Entry* StackCache::find(model::StackKey key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, known->second);
  return &entries_.front();
}

void StackCache::update_bytes(Entry& entry) {
  bytes_ -= entry.bytes;
  entry.bytes = bytes_of(entry);
  bytes_ += entry.bytes;
  while (bytes_ > max_bytes_ && &entries_.back() != &entry) {
    evict(std::prev(entries_.end()));
  }
}

void StackCache::drop_processes(const std::unordered_set<model::ProcessId>& processes) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry = processes.contains(entry->raw.process) ? evict(entry) : std::next(entry);
  }
}

std::vector<model::StackKey> StackCache::take_evicted() {
  return std::exchange(evicted_, {});
}

StackCache::Entries::iterator StackCache::evict(Entries::iterator entry) {
  if (evicted_.size() < kMaxEvicted) {
    evicted_.push_back(entry->raw.key);
  }
  bytes_ -= entry->bytes;
  by_key_.erase(entry->raw.key);
  return entries_.erase(entry);
}

}  // namespace pyprof::symbolize
