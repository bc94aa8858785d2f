// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/model/process.h"

namespace pyprof::engine {

// What waits for files that are being read. A job is to be done again when the last of its files on
// the fast thread is there, and once more with each of those that take long: they hold up nobody.
// One thread.
template <typename Job>
class FileWaits {
 public:
  // False = the file is not being read.
  [[nodiscard]] bool is_reading(model::FileId file) const { return reading_.contains(file); }
  void reading(model::FileId file, bool slow) { reading_[file] = slow; }

  void wait(model::ProcessId process, Job job, std::vector<model::FileId> files) {
    waiting_[process] = {std::move(job), std::move(files)};
  }
  void forget(model::ProcessId process) { waiting_.erase(process); }

  // The jobs to be done now that the file moved to the slow thread.
  [[nodiscard]] std::vector<Job> slow(model::FileId file) {
    const auto it = reading_.find(file);
    if (it == reading_.end() || it->second) return {};
    it->second = true;
    return take(file);
  }
  // The jobs to be done now that it is there.
  [[nodiscard]] std::vector<Job> done(model::FileId file) {
    reading_.erase(file);
    return take(file);
  }

  [[nodiscard]] bool empty() const { return reading_.empty(); }

 private:
  struct Waiting {
    Job job;
    std::vector<model::FileId> files;
  };

  std::vector<Job> take(model::FileId file) {
    std::vector<Job> jobs;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      const auto& files = it->second.files;
      const bool concerned = std::find(files.begin(), files.end(), file) != files.end();
      const bool more = std::any_of(files.begin(), files.end(), [this](model::FileId other) {
        const auto reading = reading_.find(other);
        return reading != reading_.end() && !reading->second;
      });
      if (concerned && !more) {
        jobs.push_back(std::move(it->second.job));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
    return jobs;
  }

  std::unordered_map<model::ProcessId, Waiting> waiting_;
  std::unordered_map<model::FileId, bool> reading_;  // the slow thread has it
};

}  // namespace pyprof::engine
