// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/client.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <utility>

#include "userspace/base/clock.h"

namespace pyprof::debuginfod {
namespace {

constexpr std::size_t kMinBuildIdDigits = 8;
constexpr std::size_t kMaxBuildIdDigits = 128;

// It comes from a stranger's file and becomes part of a path and of a URL.
bool is_build_id(const std::string& text) {
  return text.size() >= kMinBuildIdDigits && text.size() <= kMaxBuildIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Client::Client(Options options) : options_(std::move(options)) {
  if (options_.urls.empty()) return;
  cancel_.reset(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { run(); });
}

Client::~Client() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  (void)::eventfd_write(cancel_.get(), 1);
  thread_.join();
}

Fd Client::find(const std::string& build_id) const {
  const std::lock_guard lock(mutex_);
  const auto known = builds_.find(build_id);
  if (known == builds_.end() || known->second.state != State::kFound) return Fd();
  return Fd(::fcntl(known->second.file.get(), F_DUPFD_CLOEXEC, 3));
}

void Client::ask(const std::string& build_id) {
  if (!thread_.joinable() || !is_build_id(build_id)) return;
  const std::lock_guard lock(mutex_);
  const auto known = builds_.find(build_id);
  const bool again = known != builds_.end() && known->second.state == State::kFailed &&
                     monotonic_ns() >= known->second.failed_ns + kRetryNs;
  if (known == builds_.end() || again) enqueue(build_id);
}

void Client::enqueue(const std::string& build_id) {
  if (no_library_ || files_ >= kMaxFiles || builds_.size() >= kMaxBuilds) {
    ++stats_.dropped;
    return;
  }
  builds_[build_id].state = State::kAsked;
  asked_.push_back(build_id);
  changed_.notify_all();
}

void Client::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !asked_.empty(); });
    if (stopping_) return;
    const std::string build_id = std::move(asked_.front());
    asked_.pop_front();
    working_ = true;
    lock.unlock();
    Download result = download(options_, build_id, cancel_);
    lock.lock();
    working_ = false;
    settle(build_id, std::move(result));
    changed_.notify_all();
  }
}

void Client::settle(const std::string& build_id, Download result) {
  Build& build = builds_[build_id];
  switch (result.outcome) {
    case Outcome::kFound:
      build.state = State::kFound;
      build.file = std::move(result.file);
      ++files_;
      ++stats_.found;
      found_.push_back(build_id);
      return;
    case Outcome::kMissing:
      build.state = State::kMissing;
      ++stats_.missing;
      return;
    case Outcome::kNoLibrary:
      no_library_ = true;
      asked_.clear();
      [[fallthrough]];
    case Outcome::kFailed:
    case Outcome::kCancelled:
      build.state = State::kFailed;
      build.failed_ns = monotonic_ns();
      ++stats_.failed;
  }
}

std::vector<std::string> Client::take_found() {
  const std::lock_guard lock(mutex_);
  return std::exchange(found_, {});
}

bool Client::wait_idle(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return asked_.empty() && !working_; });
}

Stats Client::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::string Client::trouble() const {
  const std::lock_guard lock(mutex_);
  return no_library_ ? "libdebuginfod is not installed (Debian: libdebuginfod1)" : "";
}

}  // namespace pyprof::debuginfod
