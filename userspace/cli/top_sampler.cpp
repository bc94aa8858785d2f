// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/top_sampler.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "userspace/daemon/targets.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::cli {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr std::size_t kMaxFresh = 16;

}  // namespace

TopSampler::TopSampler(TopSource source, std::vector<int32_t> pids, uint32_t refresh_ms)
    : source_(std::move(source)),
      pids_(std::move(pids)),
      refresh_ms_(refresh_ms),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      sum_(std::make_unique<aggregate::ProfileSum>()),
      thread_([this] { run(); }) {}

TopSampler::~TopSampler() {
  stopping_ = true;
  thread_.join();
}

void TopSampler::run() {
  while (!stopping_) {
    auto window =
        source_.window(refresh_ms_.load() * kNsPerMs, [this] { return stopping_.load(); });
    if (!window && end(window.error().message)) return;
    {
      const std::lock_guard lock(mutex_);
      sum_->add(*window);
      if (fresh_.size() >= kMaxFresh) fresh_.erase(fresh_.begin());
      fresh_.push_back(*std::move(window));
    }
    ::eventfd_write(wake_.get(), 1);
    if (!any_left() && end("ended")) return;
  }
}

bool TopSampler::end(std::string why) {
  const std::lock_guard lock(mutex_);
  ended_ = std::move(why);
  ::eventfd_write(wake_.get(), 1);
  return true;
}

bool TopSampler::any_left() const {
  const process::ProcFs proc;
  return pids_.empty() || std::any_of(pids_.begin(), pids_.end(), [&](int32_t pid) {
           return daemon::check_process(proc, pid).ok();
         });
}

std::vector<model::Profile> TopSampler::take() {
  eventfd_t count = 0;
  ::eventfd_read(wake_.get(), &count);
  const std::lock_guard lock(mutex_);
  return std::exchange(fresh_, {});
}

model::Profile TopSampler::sum() const {
  const std::lock_guard lock(mutex_);
  return sum_->profile();
}

void TopSampler::restart() {
  const std::lock_guard lock(mutex_);
  sum_ = std::make_unique<aggregate::ProfileSum>();
  fresh_.clear();
}

std::optional<std::string> TopSampler::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace pyprof::cli
