// SPDX-License-Identifier: Apache-2.0
// How a publisher has files read, and finds room for their rows.
#include <algorithm>
#include <iterator>

#include "userspace/base/clock.h"
#include "userspace/engine/publisher.h"

namespace pyprof::engine {

// Not waited for if it can't be opened.
void Publisher::read_file(const Job& job, model::FileId id, const model::Mapping& mapping,
                          Built& built) {
  if (!waits_.is_reading(id)) {
    Fd fd = catalog_.keep_open(id, Fd(), 0);
    if (!fd.valid()) {
      auto opened = process::open_mapping(proc_, job.state.pid, mapping);
      if (!opened) return;
      fd = catalog_.keep_open(id, std::move(*opened), job.state.pid);
    }
    if (!fd.valid()) return;
    start_reading(id, std::move(fd));
  }
  built.missing = true;
  built.reading.push_back(id);
}

void Publisher::start_reading(model::FileId id, Fd fd) {
  const auto info = files_.info(id);
  const auto done = [this, id](reader::FileReader::Outcome outcome) {
    {
      const std::lock_guard lock(mutex_);
      read_files_.emplace_back(id, std::move(outcome));
    }
    work_.notify_one();
  };
  waits_.reading(id, reader_->read(std::move(fd), info ? info->path : std::string(), done));
}

// What the readers have answered; the lock is not held meanwhile.
void Publisher::take_files(std::unique_lock<std::mutex>& lock) {
  auto files = std::move(read_files_);
  read_files_.clear();
  lock.unlock();
  std::vector<Job> jobs;
  for (auto& [id, outcome] : files) {
    if (!outcome.later) catalog_.place(id, outcome.result);
    auto ready = outcome.later ? waits_.slow(id) : waits_.done(id);
    std::move(ready.begin(), ready.end(), std::back_inserter(jobs));
  }
  lock.lock();
  do_again(jobs);
  waiting_ = !waits_.empty();
}

// With the lock held. A job that came in meanwhile knows more.
void Publisher::do_again(std::vector<Job>& jobs) {
  for (auto& job : jobs) {
    const auto id = job.state.process;
    if (jobs_.try_emplace(id, std::move(job)).second) fresh_.push_back(id);
  }
}

// When there is nothing else to do, at least once a second: room in the kernel's arrays.
void Publisher::look_after_files() {
  tables_.reclaim(monotonic_ns());
  catalog_.make_room();
  for (auto it = starved_.begin(); it != starved_.end();) {
    const auto wakes = [this](model::FileId id) { return catalog_.would_fit(id); };
    if (std::none_of(it->second.files.begin(), it->second.files.end(), wakes)) {
      ++it;
      continue;
    }
    retry(it->first, std::move(it->second));
    it = starved_.erase(it);
  }
}

// Reads again what would find room now; the others are found to be starved again.
void Publisher::retry(model::ProcessId process, Starved starved) {
  for (const auto id : starved.files) {
    if (!catalog_.would_fit(id) || waits_.is_reading(id)) continue;
    Fd fd = catalog_.keep_open(id, Fd(), 0);
    if (fd.valid()) start_reading(id, std::move(fd));
  }
  const auto reads = [this](model::FileId id) { return waits_.is_reading(id); };
  if (std::none_of(starved.files.begin(), starved.files.end(), reads)) return;
  waits_.wait(process, std::move(starved.job), std::move(starved.files));
}

}  // namespace pyprof::engine
