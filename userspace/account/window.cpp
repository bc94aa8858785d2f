// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/window.h"

namespace pyprof::account {

std::optional<WindowTotals::Id> WindowTotals::open(std::set<int32_t> pids) {
  if (windows_.size() >= max_windows_) return std::nullopt;
  const Id id = next_id_++;
  windows_[id].pids = std::move(pids);
  return id;
}

void WindowTotals::add(const CpuDelta& delta) {
  for (auto& [id, window] : windows_) {
    if (window.pids.empty() || window.pids.contains(delta.pid)) add_to(window, delta);
  }
}

void WindowTotals::add_to(Window& window, const CpuDelta& delta) const {
  window.total_ns += delta.ns;
  const ThreadKey key{delta.pid, delta.tid};
  auto thread = window.threads.find(key);
  if (thread == window.threads.end()) {
    if (window.threads.size() >= max_threads_) {
      window.over_limit_ns += delta.ns;
      return;
    }
    thread = window.threads.emplace(key, ThreadCpu{}).first;
  }
  // After an exec the thread has a new process generation and a new name, and stays one thread.
  thread->second.process = delta.process;
  thread->second.pid = delta.pid;
  thread->second.tid = delta.tid;
  thread->second.comm = delta.comm;
  thread->second.ns += delta.ns;
}

WindowCpu WindowTotals::close(Id id) {
  WindowCpu result;
  const auto window = windows_.find(id);
  if (window == windows_.end()) return result;
  result.total_ns = window->second.total_ns;
  result.over_limit_ns = window->second.over_limit_ns;
  result.threads.reserve(window->second.threads.size());
  for (auto& [key, thread] : window->second.threads)
    result.threads.push_back(std::move(thread));
  windows_.erase(window);
  return result;
}

}  // namespace pyprof::account
