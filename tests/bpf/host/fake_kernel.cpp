// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/host/fake_kernel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <span>
#include <stdexcept>
#include <utility>

namespace pyprof::bpftest {
namespace {

constexpr uint64_t kPeriodNs = 10'000'000;
constexpr uint64_t kStartNs = 1'000'000'000'000;
constexpr uint64_t kNoExist = 1;  // BPF_NOEXIST

std::size_t words_for(std::size_t bytes) {
  return (bytes + 7) / 8;
}

std::span<const host_map> all_maps() {
  uint32_t count = 0;
  const host_map* maps = host_maps(&count);
  return {maps, count};
}

}  // namespace

FakeKernel& FakeKernel::get() {
  static FakeKernel kernel;
  return kernel;
}

FakeKernel::FakeKernel() {
  for (const host_map& about : all_maps())
    maps_[about.map].about = about;
  reset();
}

void FakeKernel::reset() {
  for (auto& [address, map] : maps_) {
    map.elements.clear();
    if (map.about.kind == HOST_ARRAY)
      map.array.assign(words_for(map.about.value_bytes) * map.about.entries, 0);
  }
  read_ = nullptr;
  ring_.clear();
  kernel_stack_.clear();
  ring_fails_in_.reset();
  ring_full_ = false;
  time_ns_ = kStartNs;
}

void FakeKernel::forget() {
  for (const char* name : {"stacks", "codes", "scratches", "counters", "capture_rates"})
    clear(name);
  ring_.clear();
}

void FakeKernel::clear(const std::string& name) {
  Map& map = maps_.at(find(name));
  map.elements.clear();
  std::fill(map.array.begin(), map.array.end(), 0);
}

void FakeKernel::fail_ring_at(std::optional<uint32_t> n) {
  ring_fails_in_ = n;
}

const void* FakeKernel::find(const std::string& name) const {
  for (const auto& [address, map] : maps_)
    if (name == map.about.name) return address;
  throw std::out_of_range("no map " + name);
}

void* FakeKernel::find_slot(const std::string& name, uint32_t index, std::size_t bytes) {
  const void* address = find(name);
  if (maps_.at(address).about.value_bytes != bytes) throw std::invalid_argument("size of " + name);
  return lookup(address, &index);
}

std::size_t FakeKernel::size(const std::string& name) const {
  return maps_.at(find(name)).elements.size();
}

uint64_t FakeKernel::outcomes() {
  const auto& all = counters().outcomes;
  return std::accumulate(std::begin(all), std::end(all), uint64_t{0});
}

std::vector<RingRecord> FakeKernel::tick(const host_regs& regs, uint64_t kernel_pc) {
  time_ns_ += kPeriodNs;
  host_tick(&regs, kernel_pc, kPeriodNs);
  return take_records();
}

std::vector<RingRecord> FakeKernel::take_records() {
  return std::exchange(ring_, {});
}

void* FakeKernel::lookup(const void* address, const void* key) {
  Map& map = maps_.at(address);
  if (map.about.kind == HOST_ARRAY) {
    uint32_t index = 0;
    std::memcpy(&index, key, sizeof(index));
    if (index >= map.about.entries) return nullptr;
    return &map.array[index * words_for(map.about.value_bytes)];
  }
  const auto* bytes = static_cast<const uint8_t*>(key);
  const auto found = map.elements.find(Bytes(bytes, bytes + map.about.key_bytes));
  return found == map.elements.end() ? nullptr : found->second.data();
}

long FakeKernel::update(const void* address, const void* key, const void* value, uint64_t flags) {
  Map& map = maps_.at(address);
  void* present = lookup(address, key);
  if (map.about.kind == HOST_ARRAY && present == nullptr) return -E2BIG;
  if (present != nullptr && flags == kNoExist) return -EEXIST;
  if (present == nullptr) {
    if (map.elements.size() >= map.about.entries) {
      if (map.about.kind != HOST_LRU) return -E2BIG;
      map.elements.erase(map.elements.begin());
    }
    const auto* bytes = static_cast<const uint8_t*>(key);
    auto& element = map.elements[Bytes(bytes, bytes + map.about.key_bytes)];
    element.resize(words_for(map.about.value_bytes));
    present = element.data();
  }
  std::memcpy(present, value, map.about.value_bytes);
  return 0;
}

long FakeKernel::erase_key(const void* address, const void* key) {
  Map& map = maps_.at(address);
  const auto* bytes = static_cast<const uint8_t*>(key);
  return map.elements.erase(Bytes(bytes, bytes + map.about.key_bytes)) == 1 ? 0 : -ENOENT;
}

// Like the kernel, a failed read leaves zeros.
long FakeKernel::read_user(void* to, uint32_t bytes, uint64_t from) {
  if (bytes == 0 || (read_ && read_(from, to, bytes))) return 0;
  std::memset(to, 0, bytes);
  return -EFAULT;
}

long FakeKernel::ring_output(const void* data, uint64_t bytes) {
  const bool fails = ring_full_ || (ring_fails_in_ && *ring_fails_in_ == 0);
  if (ring_fails_in_) {
    if (*ring_fails_in_ == 0)
      ring_fails_in_.reset();
    else
      --*ring_fails_in_;
  }
  if (fails) return -EAGAIN;
  RingRecord record{std::vector<uint64_t>(words_for(bytes)), bytes};
  std::memcpy(record.words.data(), data, bytes);
  ring_.push_back(std::move(record));
  return 0;
}

long FakeKernel::kernel_stack(void* to, uint32_t bytes) const {
  if (kernel_stack_.empty()) return -EFAULT;
  const std::size_t n = std::min<std::size_t>(bytes, kernel_stack_.size() * sizeof(uint64_t));
  std::memcpy(to, kernel_stack_.data(), n);
  return static_cast<long>(n);
}

}  // namespace pyprof::bpftest

using pyprof::bpftest::FakeKernel;

void* fake_map_lookup(const void* map, const void* key) {
  return FakeKernel::get().lookup(map, key);
}
long fake_map_update(const void* map, const void* key, const void* value, uint64_t flags) {
  return FakeKernel::get().update(map, key, value, flags);
}
long fake_map_delete(const void* map, const void* key) {
  return FakeKernel::get().erase_key(map, key);
}
long fake_read_user(void* to, uint32_t bytes, uint64_t from) {
  return FakeKernel::get().read_user(to, bytes, from);
}
// The kernel's meaning: the length with the end, cut to `bytes`.
long fake_read_user_str(void* to, uint32_t bytes, uint64_t from) {
  auto* text = static_cast<char*>(to);
  for (uint32_t i = 0; i < bytes; ++i) {
    if (const long fault = fake_read_user(text + i, 1, from + i)) return fault;
    if (!text[i]) return i + 1;
  }
  if (bytes) text[bytes - 1] = 0;
  return bytes;
}
long fake_ring_output(const void* map, const void* data, uint64_t bytes) {
  (void)map;
  return FakeKernel::get().ring_output(data, bytes);
}
long fake_kernel_stack(void* to, uint32_t bytes) {
  return FakeKernel::get().kernel_stack(to, bytes);
}
uint64_t fake_time_ns() {
  return FakeKernel::get().time_ns();
}
