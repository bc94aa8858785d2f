// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/bpf/host/fake_kernel.h"
#include "userspace/model/sample.h"
#include "userspace/probe/decode.h"
#include "userspace/python/memory.h"

// Userspace's side of the ring, as plain as can be: remembers stacks and code objects, and says
// what the last sample was.
namespace pyprof::bpftest {

// "?" for a frame without a name, whose code object or line table isn't known in full.
inline constexpr char kUnnamed[] = "?";

struct Sample {
  wire_tick tick{};
  bool is_tick = false;   // came as a tick record
  bool interned = false;  // the kernel will send ticks for it
  wire_stack head{};
  std::vector<uint64_t> kernel;
  std::vector<wire_native> native;
  std::vector<wire_python> python;  // entry frames too
  std::vector<uint8_t> piece;
  std::vector<std::string> names;  // "qualname\tline\tfile" of the code frames, innermost first
  std::vector<uint64_t> entries;   // addresses of the entry frames, innermost first

  [[nodiscard]] std::vector<uint64_t> pcs() const;
};

std::span<const uint8_t> bytes_of(const RingRecord& record);

class Reader {
 public:
  Reader() = default;
  // Completes what the kernel could not capture from `memory`, as the daemon does. Both outlive the
  // reader.
  Reader(const python::Memory& memory, const wire_python_config& config)
      : memory_(&memory), config_(&config) {}

  // The sample among a tick's records; nullopt if there is none or its stack was never sent.
  std::optional<Sample> read(const std::vector<RingRecord>& records);

  [[nodiscard]] const std::map<uint64_t, model::CodeObject>& codes() const { return codes_; }
  [[nodiscard]] uint64_t malformed() const { return decoder_.malformed(); }
  [[nodiscard]] uint64_t unknown_stacks() const { return unknown_stacks_; }

 private:
  void add_code(const RingRecord& record);
  [[nodiscard]] std::optional<model::CodeObject> whole_code(uint64_t id) const;
  [[nodiscard]] std::string name(const wire_python& frame, int32_t lasti) const;
  void add_names(Sample& sample) const;

  const python::Memory* memory_ = nullptr;
  const wire_python_config* config_ = nullptr;
  probe::Decoder decoder_;
  std::map<uint64_t, model::CodeObject> codes_;
  std::map<uint64_t, Sample> stacks_;
  uint64_t unknown_stacks_ = 0;
};

}  // namespace pyprof::bpftest
