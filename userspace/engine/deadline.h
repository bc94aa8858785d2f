// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace pyprof::engine {

// At most so many readers may hang at once; then nothing more is read from processes.
inline constexpr int kMaxStuckReaders = 4;
inline std::atomic<int> running_readers{0};

// Runs `read` on a thread of its own and waits for its result at most `limit`. Reading another
// process's memory can block for ever on a page of a dead file system: such a thread is left
// behind. What `read` holds must be its own (captured by value).
template <typename Read>
auto within(std::chrono::milliseconds limit, Read read) -> std::optional<decltype(read())> {
  using Value = decltype(read());
  if (running_readers.fetch_add(1) >= kMaxStuckReaders) {
    --running_readers;
    return std::nullopt;
  }
  auto answer = std::make_shared<std::promise<Value>>();
  auto result = answer->get_future();
  std::thread([answer, read = std::move(read)] {
    answer->set_value(read());
    --running_readers;
  }).detach();
  if (result.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return result.get();
}

}  // namespace pyprof::engine
