// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "userspace/engine/engine.h"
#include "userspace/server/control_protocol.h"
#include "userspace/server/control_server.h"

// What the daemon does for those who ask at its control socket. Any thread.
//   ping      -> message "PID"
//   processes -> payload of encode_processes()
//   snapshot  -> payload of join_outputs(), message for stderr. `title` names it for `finish`.
//   finish    -> the running snapshot of that title ends now and answers with what there is
namespace pyprof::daemon {

struct SnapshotCounts {
  uint64_t ok = 0;
  uint64_t no_samples = 0;
  uint64_t failed = 0;
};

class ControlService {
 public:
  // Snapshots are refused before this. The engine must outlive every handle().
  void set_engine(engine::Engine& engine) { engine_ = &engine; }

  [[nodiscard]] server::ControlResponse handle(const server::ControlRequest& request,
                                               const server::Cancelled& cancelled);

  [[nodiscard]] SnapshotCounts counts() const { return {ok_, no_samples_, failed_}; }

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;  // shared: of the one who runs and who finishes

  server::ControlResponse snapshot(const server::ControlRequest& request,
                                   const server::Cancelled& cancelled);
  Result<server::ControlResponse> sample(const server::ControlRequest& request,
                                         const server::Cancelled& cancelled, const Flag& finish);
  server::ControlResponse finish(const std::string& title);
  server::ControlResponse processes() const;

  std::atomic<engine::Engine*> engine_{nullptr};
  std::atomic<uint64_t> ok_{0};
  std::atomic<uint64_t> no_samples_{0};
  std::atomic<uint64_t> failed_{0};
  std::mutex mutex_;  // guards running_
  std::multimap<std::string, Flag> running_;
};

}  // namespace pyprof::daemon
