// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/debuginfod/download.h"

// Separate debug files from servers that speak debuginfod, as distributions run them.
namespace pyprof::debuginfod {

struct Stats {
  uint64_t found = 0;
  uint64_t missing = 0;  // no server has the file
  uint64_t failed = 0;   // the servers could not be asked, or not in time
  uint64_t dropped = 0;  // not asked for: too many files
};

// One file is downloaded at a time, by a thread of its own. Any thread may call.
class Client {
 public:
  static constexpr std::size_t kMaxFiles = 512;     // kept open
  static constexpr std::size_t kMaxBuilds = 8'192;  // remembered
  static constexpr uint64_t kRetryNs = 600'000'000'000;

  // Nothing is done, and no thread started, if there are no servers.
  explicit Client(Options options);
  // Kills a download that runs.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A descriptor of the debug file if it is here. `build_id` is hexadecimal.
  [[nodiscard]] Fd find(const std::string& build_id) const;
  // Has it downloaded, unless it is here or nobody had it.
  void ask(const std::string& build_id);
  // Build-ids whose files came since the last call.
  [[nodiscard]] std::vector<std::string> take_found();
  // Until nothing is asked for any more; false if that takes longer.
  bool wait_idle(std::chrono::milliseconds limit);
  [[nodiscard]] Stats stats() const;
  // Why no file will ever come, for people; "" = they may.
  [[nodiscard]] std::string trouble() const;

 private:
  enum class State : uint8_t { kAsked, kFound, kMissing, kFailed };
  struct Build {
    State state = State::kAsked;
    Fd file;
    uint64_t failed_ns = 0;
  };

  void enqueue(const std::string& build_id);
  void run();
  void settle(const std::string& build_id, Download result);

  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::unordered_map<std::string, Build> builds_;
  std::deque<std::string> asked_;
  std::vector<std::string> found_;
  std::size_t files_ = 0;
  bool working_ = false;
  bool no_library_ = false;
  bool stopping_ = false;
  Stats stats_;
  Fd cancel_;  // an eventfd
  std::thread thread_;
};

}  // namespace pyprof::debuginfod
