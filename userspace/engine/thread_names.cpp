// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/thread_names.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "userspace/python/thread_names.h"

namespace pyprof::engine {

namespace {

using Names = std::map<int32_t, std::string>;
std::atomic<int> running{0};

Names read(int32_t pid, const PythonRuntime& runtime) {
  const python::ProcessMemory memory(pid);
  auto names =
      python::read_thread_names(memory, runtime.config, runtime.offsets, runtime.address);
  return names ? std::move(*names) : Names{};
}

}  // namespace

Names thread_names(int32_t pid, const PythonRuntime& runtime, std::chrono::milliseconds limit) {
  if (running.load() >= kMaxStuck) return {};
  ++running;
  auto answer = std::make_shared<std::promise<Names>>();
  auto result = answer->get_future();
  std::thread([pid, runtime, answer] {
    answer->set_value(read(pid, runtime));
    --running;
  }).detach();
  return result.wait_for(limit) == std::future_status::ready ? result.get() : Names{};
}

}  // namespace pyprof::engine
