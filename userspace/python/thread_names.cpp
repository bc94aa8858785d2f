// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/thread_names.h"

#include "userspace/python/objects.h"

namespace pyprof::python {
namespace {

constexpr std::size_t kMaxThreads = 4096;
constexpr std::size_t kMaxInterpreters = 64;
constexpr std::size_t kMaxNameBytes = 256;
constexpr uint64_t kModuleDict = 16;  // PyModuleObject.md_dict
// 4,096 threads need a third of this.
constexpr uint32_t kMaxReads = 500'000;
constexpr uint64_t kMaxBytes = 256u << 20;

// pthread_self() of a thread -> its id in the process's PID namespace.
using NativeIds = std::map<uint64_t, int32_t>;

class ThreadLister {
 public:
  ThreadLister(const Memory& memory, const wire_python_config& config,
               const RuntimeOffsets& offsets)
      : memory_(memory), config_(config), offsets_(offsets), objects_(memory, config, offsets) {}

  void add_interpreter(uint64_t interpreter, std::map<int32_t, std::string>& names) const {
    const NativeIds ids = offsets_.thread_native_id ? native_ids(interpreter) : NativeIds{};
    uint64_t modules = 0, threading = 0;
    if (!memory_.read_value(interpreter + offsets_.interp_modules, modules)) return;
    const uint64_t module = objects_.dict_value(modules, "threading");
    if (!module || !memory_.read_value(module + kModuleDict + objects_.head_growth(), threading))
      return;
    for (const auto& entry : objects_.dict_entries(objects_.dict_value(threading, "_active"))) {
      if (names.size() >= kMaxThreads) return;
      add_thread(entry, ids, names);
    }
  }

 private:
  NativeIds native_ids(uint64_t interpreter) const {
    NativeIds ids;
    uint64_t thread = 0;
    if (!memory_.read_value(interpreter + offsets_.interp_threads, thread)) return ids;
    for (std::size_t i = 0; thread && i < kMaxThreads; ++i) {
      uint64_t identity = 0, native = 0;
      if (!memory_.read_value(thread + config_.ts_thread_id, identity) ||
          !memory_.read_value(thread + offsets_.thread_native_id, native) ||
          !memory_.read_value(thread + offsets_.thread_next, thread))
        break;
      if (native && native <= INT32_MAX) ids[identity] = static_cast<int32_t>(native);
    }
    return ids;
  }

  // Up to 3.10 CPython doesn't keep it, but the C library does, in what pthread_self() points to.
  std::optional<int32_t> native_id(uint64_t identity, const NativeIds& ids) const {
    if (const auto known = ids.find(identity); known != ids.end()) return known->second;
    int32_t id = 0;
    if (offsets_.thread_native_id || !offsets_.pthread_tid ||
        !memory_.read_value(identity + offsets_.pthread_tid, id) || id <= 0)
      return std::nullopt;
    return id;
  }

  // An entry of threading._active: pthread_self() -> Thread.
  void add_thread(const ObjectReader::Entry& entry, const NativeIds& ids,
                  std::map<int32_t, std::string>& names) const {
    const auto identity = objects_.integer(entry.key);
    if (!identity) return;
    const auto native = native_id(*identity, ids);
    if (!native) return;
    const char* attribute = config_.version < 0x300 ? "_Thread__name" : "_name";
    const auto name = objects_.text(objects_.attribute(entry.value, attribute), kMaxNameBytes);
    if (name && !name->utf8.empty()) names[*native] = name->utf8;
  }

  const Memory& memory_;
  const wire_python_config& config_;
  const RuntimeOffsets& offsets_;
  const ObjectReader objects_;
};

}  // namespace

Result<std::map<int32_t, std::string>> read_thread_names(const Memory& memory,
                                                         const wire_python_config& config,
                                                         const RuntimeOffsets& offsets,
                                                         uint64_t runtime_address) {
  const BoundedMemory bounded(memory, kMaxReads, kMaxBytes);
  const ThreadLister lister(bounded, config, offsets);
  std::map<int32_t, std::string> names;
  uint64_t interpreter = 0;
  if (!memory.read_value(runtime_address + offsets.interpreters_head, interpreter))
    return Error{"Python runtime: not readable; has the process ended?"};
  for (std::size_t i = 0; interpreter && i < kMaxInterpreters; ++i) {
    lister.add_interpreter(interpreter, names);
    if (!memory.read_value(interpreter + offsets.interp_next, interpreter)) break;
  }
  return names;
}

}  // namespace pyprof::python
