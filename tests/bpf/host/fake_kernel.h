// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf/wire.h"
#include "tests/bpf/host/host_api.h"

// The kernel around the BPF programs: maps, the ring, the memory of the sampled process. The
// programs know one kernel only, so there is one; reset() makes it new. One thread.
namespace pyprof::bpftest {

// A ring record, at an address that is a multiple of 8 as in the ring.
struct RingRecord {
  std::vector<uint64_t> words;
  std::size_t bytes = 0;
};

// struct control of bpf/maps.bpf.h.
struct Control {
  uint32_t cpu_table = 0;
  uint32_t codes_dropped = 0;
};

class FakeKernel {
 public:
  using Read = std::function<bool(uint64_t from, void* to, std::size_t bytes)>;

  static FakeKernel& get();
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;

  // As after loading: empty maps and ring, no memory, no failures.
  void reset();
  // Forgets what the programs learnt (stacks, codes, caches, counters); keeps tables and memory.
  void forget();

  // Memory of the sampled process; false = page not resident.
  void set_memory(Read read) { read_ = std::move(read); }
  void set_time_ns(uint64_t time_ns) { time_ns_ = time_ns; }
  void set_kernel_stack(std::vector<uint64_t> frames) { kernel_stack_ = std::move(frames); }
  // The n-th record from now on (0 = the next) finds the ring full; nullopt = never.
  void fail_ring_at(std::optional<uint32_t> n);
  void fail_ring_always(bool always) { ring_full_ = always; }

  // An element of an array map by name; nullptr if out of range.
  template <typename T>
  T* slot(const std::string& map, uint32_t index) {
    return static_cast<T*>(find_slot(map, index, sizeof(T)));
  }
  template <typename K, typename V>
  void put(const std::string& map, const K& key, const V& value) {
    fake_map_update(find(map), &key, &value, 0);
  }
  // The value of a key in a hash map, nullptr if there is none.
  void* element(const std::string& map, const void* key) { return lookup(find(map), key); }
  template <typename K>
  void erase(const std::string& map, const K& key) {
    fake_map_delete(find(map), &key);
  }
  [[nodiscard]] std::size_t size(const std::string& map) const;
  void clear(const std::string& map);

  [[nodiscard]] const wire_counters& counters() { return *slot<wire_counters>("counters", 0); }
  // Sum of all outcomes: has to be the number of ticks.
  [[nodiscard]] uint64_t outcomes();

  // Runs one tick; returns what it put into the ring.
  std::vector<RingRecord> tick(const host_regs& regs, uint64_t kernel_pc = 0);

  // What the programs put into the rings since the last call of this or tick().
  std::vector<RingRecord> take_records();

  // What the helpers call.
  void* lookup(const void* map, const void* key);
  long update(const void* map, const void* key, const void* value, uint64_t flags);
  long erase_key(const void* map, const void* key);
  long read_user(void* to, uint32_t bytes, uint64_t from);
  long ring_output(const void* data, uint64_t bytes);
  long kernel_stack(void* to, uint32_t bytes) const;
  [[nodiscard]] uint64_t time_ns() const { return time_ns_; }

 private:
  using Bytes = std::vector<uint8_t>;
  struct Map {
    host_map about{};
    std::vector<uint64_t> array;                      // HOST_ARRAY
    std::map<Bytes, std::vector<uint64_t>> elements;  // the others; nodes stay where they are
  };

  FakeKernel();
  [[nodiscard]] const void* find(const std::string& name) const;
  void* find_slot(const std::string& name, uint32_t index, std::size_t bytes);

  std::unordered_map<const void*, Map> maps_;
  Read read_;
  std::vector<RingRecord> ring_;
  std::vector<uint64_t> kernel_stack_;
  std::optional<uint32_t> ring_fails_in_;
  bool ring_full_ = false;
  uint64_t time_ns_ = 0;
};

}  // namespace pyprof::bpftest
