// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

// The hand-over between two threads. A producer never waits: what does not fit is dropped and
// counted, because a stalled consumer must not stall the reader of the kernel's ring.
namespace pyprof {

// Any number of producers and consumers. `T` is movable.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // False = full or closed; the value is gone and counted in dropped().
  bool push(T value) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || values_.size() >= capacity_) {
        ++dropped_;
        return false;
      }
      values_.push_back(std::move(value));
    }
    filled_.notify_one();
    return true;
  }

  // Waits for a value. Empty = closed and drained.
  [[nodiscard]] std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return closed_ || !values_.empty(); });
    return take_front();
  }

  // Waits at most `timeout`. Empty = nothing came in time, or closed and drained.
  [[nodiscard]] std::optional<T> pop_for(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    filled_.wait_for(lock, timeout, [this] { return closed_ || !values_.empty(); });
    return take_front();
  }

  // Appends up to `limit` values that are there now, without waiting. Returns how many.
  std::size_t drain(std::vector<T>& into, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (; count < limit && !values_.empty(); ++count) {
      into.push_back(std::move(values_.front()));
      values_.pop_front();
    }
    return count;
  }

  // From now on push() fails and a waiting pop() returns once the queue is empty.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    filled_.notify_all();
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }
  [[nodiscard]] uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  std::optional<T> take_front() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    return value;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable filled_;
  std::deque<T> values_;
  uint64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace pyprof
