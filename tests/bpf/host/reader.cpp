// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/host/reader.h"

#include "userspace/python/code_object.h"
#include "userspace/python/line_table.h"
#include "userspace/python/text.h"

namespace pyprof::bpftest {
namespace {

template <typename T>
std::vector<T> copy(std::span<const T> from) {
  return {from.begin(), from.end()};
}

Sample sample_of(const probe::StackRecord& record) {
  Sample sample;
  sample.tick = record.head.tick;
  sample.head = record.head;
  sample.interned = (record.head.flags & WIRE_STACK_UNINTERNED) == 0;
  sample.kernel = copy(record.kernel);
  sample.native = copy(record.native);
  sample.python = copy(record.python);
  sample.piece = copy(record.piece);
  return sample;
}

}  // namespace

std::span<const uint8_t> bytes_of(const RingRecord& record) {
  return {reinterpret_cast<const uint8_t*>(record.words.data()), record.bytes};
}

std::vector<uint64_t> Sample::pcs() const {
  std::vector<uint64_t> all;
  for (const auto& frame : native)
    all.push_back(frame.pc);
  return all;
}

void Reader::add_code(const RingRecord& record) {
  const auto code = python::decode_code(bytes_of(record));
  if (code) codes_[code->id] = *code;
}

std::optional<model::CodeObject> Reader::whole_code(uint64_t id) const {
  const auto known = codes_.find(id);
  if (known == codes_.end()) return std::nullopt;
  if (known->second.complete || memory_ == nullptr) return known->second;
  auto read = python::read_code(*memory_, *config_, known->second.address);
  if (!read || read->first_line != known->second.first_line) return known->second;
  if (known->second.method && !known->second.qualname.empty())
    read->qualname = known->second.qualname;  // to 3.10 code objects don't have it
  return *std::move(read);
}

std::string Reader::name(const wire_python& frame, int32_t lasti) const {
  const auto code = whole_code(frame.id);
  if (frame.flags & WIRE_PY_NO_CODE || !code || !code->complete) return kUnnamed;
  const uint32_t line = python::line_of(code->line_table, code->first_line, lasti, code->version);
  return code->qualname + "\t" + std::to_string(line) + "\t" + code->filename;
}

void Reader::add_names(Sample& sample) const {
  sample.names.clear();
  sample.entries.clear();
  for (const auto& frame : sample.python) {
    if (frame.lasti == WIRE_PY_ENTRY) {
      sample.entries.push_back(frame.id);
      continue;
    }
    const bool leaf = sample.names.empty();
    sample.names.push_back(
        name(frame, static_cast<int32_t>(leaf ? sample.tick.leaf_lasti : frame.lasti)));
  }
}

std::optional<Sample> Reader::read(const std::vector<RingRecord>& records) {
  std::optional<Sample> sample;
  for (const auto& bytes : records) {
    const auto record = decoder_.decode(bytes_of(bytes));
    if (!record) continue;
    if (std::holds_alternative<probe::CodeBytes>(*record)) add_code(bytes);
    if (const auto* stack = std::get_if<probe::StackRecord>(&*record)) {
      sample = sample_of(*stack);
      stacks_[sample->tick.stack_key] = *sample;
    }
    if (const auto* tick = std::get_if<probe::TickRecord>(&*record)) {
      const auto known = stacks_.find(tick->tick.stack_key);
      if (known == stacks_.end()) {
        ++unknown_stacks_;
        continue;
      }
      sample = known->second;
      sample->tick = tick->tick;
      sample->is_tick = true;
    }
  }
  if (sample) add_names(*sample);
  return sample;
}

}  // namespace pyprof::bpftest
