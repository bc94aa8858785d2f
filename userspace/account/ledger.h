// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

// Monotonic totals by key under a cap. Nothing that is added is ever lost: over the cap it goes to
// other(), and what expires stays in expired().
namespace pyprof::account {

struct Amount {
  uint64_t cpu_ns = 0;
  uint64_t samples = 0;

  Amount& operator+=(const Amount& more) {
    cpu_ns += more.cpu_ns;
    samples += more.samples;
    return *this;
  }
  bool operator==(const Amount&) const = default;
};

// One thread.
template <typename Key>
class Ledger {
 public:
  explicit Ledger(std::size_t capacity) : capacity_(capacity) {}

  // A key that has no place goes to other(), and stays there only until places are free again.
  void add(const Key& key, const Amount& amount, uint64_t now_ns) {
    auto entry = entries_.find(key);
    if (entry == entries_.end()) {
      if (entries_.size() >= capacity_) {
        other_ += amount;
        ++over_limit_;
        return;
      }
      entry = entries_.emplace(key, Entry{}).first;
    }
    entry->second.amount += amount;
    entry->second.last_ns = now_ns;
  }

  // Ends the series that got nothing since `before_ns` and frees their places.
  void expire(uint64_t before_ns) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (entry->second.last_ns < before_ns) {
        expired_ += entry->second.amount;
        entry = entries_.erase(entry);
      } else {
        ++entry;
      }
    }
  }

  [[nodiscard]] std::vector<std::pair<Key, Amount>> entries() const {
    std::vector<std::pair<Key, Amount>> all;
    all.reserve(entries_.size());
    for (const auto& [key, entry] : entries_)
      all.emplace_back(key, entry.amount);
    return all;
  }

  // Everything ever added.
  [[nodiscard]] Amount total() const {
    Amount sum = other_;
    sum += expired_;
    for (const auto& [key, entry] : entries_)
      sum += entry.amount;
    return sum;
  }

  [[nodiscard]] const Amount& other() const { return other_; }
  [[nodiscard]] const Amount& expired() const { return expired_; }
  [[nodiscard]] uint64_t over_limit() const { return over_limit_; }  // calls of add()

 private:
  struct Entry {
    Amount amount;
    uint64_t last_ns = 0;
  };

  const std::size_t capacity_;
  std::map<Key, Entry> entries_;  // ordered, so that two scrapes list the series alike
  Amount other_;
  Amount expired_;
  uint64_t over_limit_ = 0;
};

}  // namespace pyprof::account
