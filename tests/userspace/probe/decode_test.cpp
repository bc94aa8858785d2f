// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/decode.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace pyprof::probe {
namespace {

// Ring data as the kernel lays it out: 8-byte aligned.
class Bytes {
 public:
  template <typename T>
  Bytes& add(const T& value) {
    const auto* begin = reinterpret_cast<const uint8_t*>(&value);
    data_.insert(data_.end(), begin, begin + sizeof value);
    return *this;
  }
  std::span<const uint8_t> span() {
    words_.assign(data_.size() / 8 + 2, 0);
    std::memcpy(words_.data(), data_.data(), data_.size());
    return {reinterpret_cast<const uint8_t*>(words_.data()), data_.size()};
  }
  std::span<const uint8_t> shifted(std::size_t by) {
    span();
    auto* begin = reinterpret_cast<uint8_t*>(words_.data()) + by;
    std::memcpy(begin, data_.data(), data_.size());
    return {begin, data_.size()};
  }

 private:
  std::vector<uint8_t> data_;
  std::vector<uint64_t> words_;
};

wire_stack stack_head(uint16_t kernel, uint16_t native, uint16_t python) {
  wire_stack head{};
  head.tick.type = WIRE_TYPE_STACK;
  head.n_kernel = kernel;
  head.n_native = native;
  head.n_python = python;
  head.bytes = sizeof head + (kernel + kernel % 2U) * 8ULL + native * 16ULL + python * 16ULL;
  return head;
}

Bytes stack_bytes(const wire_stack& head) {
  Bytes bytes;
  bytes.add(head);
  for (uint64_t i = 0; i < head.n_kernel; ++i)
    bytes.add(0xffffffff81000000 + i);
  if (head.n_kernel % 2 != 0) bytes.add(uint64_t{0xdead});
  for (uint64_t i = 0; i < head.n_native; ++i)
    bytes.add(wire_native{0x400000 + i, 0x7ff0 + i});
  for (uint32_t i = 0; i < head.n_python; ++i)
    bytes.add(wire_python{0x1000 + i, 2 * i, 0});
  return bytes;
}

TEST(DecoderTest, gives_a_tick_back_as_it_was) {
  wire_tick tick{};
  tick.type = WIRE_TYPE_TICK;
  tick.cpu = 3;
  tick.flags = WIRE_TICK_PYTHON;
  tick.stack_key = 0x1122334455667788;
  tick.weight_ns = 10'101'010;
  Bytes bytes;
  bytes.add(tick);
  Decoder decoder;
  const auto record = decoder.decode(bytes.span());
  ASSERT_TRUE(record && std::holds_alternative<TickRecord>(*record));
  EXPECT_EQ(std::memcmp(&std::get<TickRecord>(*record).tick, &tick, sizeof tick), 0);
  EXPECT_EQ(decoder.malformed(), 0U);
}

TEST(DecoderTest, piece_of_stack_lies_behind_the_frames) {
  wire_stack head = stack_head(3, 1, 0);
  head.piece_bytes = 24;
  head.piece_sp = 0x7ff0;
  head.bytes += head.piece_bytes;
  Bytes bytes = stack_bytes(head);
  for (uint64_t word = 1; word <= 3; ++word)
    bytes.add(word);
  Decoder decoder;
  const auto record = decoder.decode(bytes.span());
  ASSERT_TRUE(record && std::holds_alternative<StackRecord>(*record));
  const auto piece = std::get<StackRecord>(*record).piece;
  ASSERT_EQ(piece.size(), 24U);
  EXPECT_EQ(piece[0], 1);
  EXPECT_EQ(piece[16], 3);
  EXPECT_FALSE(decoder.decode(bytes.span().first(bytes.span().size() - 8)));
  head.piece_bytes = WIRE_MAX_PIECE_BYTES + 8;
  EXPECT_FALSE(decoder.decode(stack_bytes(head).span()));
  EXPECT_EQ(decoder.malformed(), 2U);
}

TEST(DecoderTest, labels_come_out_of_a_ticks_flags) {
  wire_tick tick{};
  tick.type = WIRE_TYPE_TICK;
  tick.flags = WIRE_TICK_PYTHON | WIRE_GIL_HELD << WIRE_TICK_GIL_SHIFT |
               WIRE_GC_RUNNING << WIRE_TICK_GC_SHIFT | WIRE_TICK_INTERPRETER | WIRE_TICK_TASK |
               7U << WIRE_TICK_INTERPRETER_SHIFT;
  Bytes bytes;
  bytes.add(tick).add(uint64_t{99});
  Decoder decoder;
  const auto record = decoder.decode(bytes.span());
  ASSERT_TRUE(record && std::holds_alternative<TickRecord>(*record));
  const auto& got = std::get<TickRecord>(*record);
  EXPECT_EQ(labels_of(got.tick.flags, got.task),
            (model::RawLabels{model::Gil::kHeld, model::Gc::kRunning, true, true, 7, 99}));
  EXPECT_EQ(labels_of(0, 99), model::RawLabels{});
  EXPECT_EQ(labels_of(7U << WIRE_TICK_GIL_SHIFT | 3U << WIRE_TICK_GC_SHIFT, 0), model::RawLabels{});
  const auto attached =
      labels_of(WIRE_GC_RUNNING << WIRE_TICK_GC_SHIFT | WIRE_GC_IDLE << WIRE_TICK_USDT_GC_SHIFT |
                    WIRE_GC_RUNNING << WIRE_TICK_USDT_IMPORT_SHIFT,
                0);
  EXPECT_EQ(attached.gc, model::Gc::kIdle) << "the thread's own probe knows better";
  EXPECT_EQ(attached.import, model::Import::kRunning);
  Bytes cut;
  cut.add(tick);
  EXPECT_FALSE(decoder.decode(cut.span())) << "the task is missing";
}

std::optional<Record> decode_task(Decoder& decoder, const wire_task& task) {
  Bytes bytes;
  bytes.add(task);
  return decoder.decode(bytes.span());
}

TEST(DecoderTest, task_names_keep_within_their_record) {
  wire_task task{};
  task.type = WIRE_TYPE_TASK;
  task.id = 3;
  task.name.bytes = WIRE_MAX_TASK_BYTES;
  Decoder decoder;
  const auto record = decode_task(decoder, task);
  ASSERT_TRUE(record && std::holds_alternative<wire_task>(*record));
  EXPECT_EQ(std::get<wire_task>(*record).id, 3U);
  ++task.name.bytes;
  EXPECT_FALSE(decode_task(decoder, task));
  EXPECT_EQ(decoder.malformed(Malformed::kLimit), 1U);
}

TEST(DecoderTest, finds_all_three_frame_lists_when_the_kernel_part_is_padded) {
  for (const uint16_t kernel : {0, 1, 2, 5, WIRE_MAX_KERNEL_FRAMES}) {
    auto bytes = stack_bytes(stack_head(kernel, 3, 2));
    Decoder decoder;
    const auto record = decoder.decode(bytes.span());
    ASSERT_TRUE(record && std::holds_alternative<StackRecord>(*record)) << kernel;
    const auto& stack = std::get<StackRecord>(*record);
    ASSERT_EQ(stack.kernel.size(), kernel);
    ASSERT_EQ(stack.native.size(), 3U);
    ASSERT_EQ(stack.python.size(), 2U);
    if (kernel > 0) {
      EXPECT_EQ(stack.kernel.back(), 0xffffffff81000000 + kernel - 1);
    }
    EXPECT_EQ(stack.native[0].pc, 0x400000U);
    EXPECT_EQ(stack.native[2].cfa, 0x7ff2U);
    EXPECT_EQ(stack.python[1].id, 0x1001U);
    EXPECT_EQ(stack.python[1].lasti, 2U);
  }
}

TEST(DecoderTest, takes_the_deepest_stack_the_kernel_can_send) {
  auto bytes = stack_bytes(
      stack_head(WIRE_MAX_KERNEL_FRAMES, WIRE_MAX_NATIVE_FRAMES, WIRE_MAX_PYTHON_FRAMES));
  EXPECT_TRUE(Decoder().decode(bytes.span()));
}

TEST(DecoderTest, accepts_a_ring_slot_that_is_larger_than_the_record) {
  auto bytes = stack_bytes(stack_head(1, 1, 1));
  bytes.add(uint64_t{0});
  EXPECT_TRUE(Decoder().decode(bytes.span()));
}

TEST(DecoderTest, refuses_counts_that_do_not_fit_their_record) {
  Decoder decoder;
  auto more_than_sent = stack_head(2, 2, 2);
  auto bytes = stack_bytes(more_than_sent);
  EXPECT_FALSE(decoder.decode(bytes.span().first(more_than_sent.bytes - 1)));
  more_than_sent.bytes -= 16;
  auto inconsistent = stack_bytes(more_than_sent);
  EXPECT_FALSE(decoder.decode(inconsistent.span()));
  auto huge = stack_head(0, 0, 0);
  huge.bytes = ~0ULL;
  auto overlong = stack_bytes(huge);
  EXPECT_FALSE(decoder.decode(overlong.span()));
  EXPECT_EQ(decoder.malformed(Malformed::kShort), 3U);
}

TEST(DecoderTest, refuses_what_is_above_the_limits) {
  Decoder decoder;
  wire_stack heads[] = {
      stack_head(WIRE_MAX_KERNEL_FRAMES + 1, 0, 0), stack_head(0, WIRE_MAX_NATIVE_FRAMES + 1, 0),
      stack_head(0, 0, WIRE_MAX_PYTHON_FRAMES + 1), stack_head(0, 0, 0), stack_head(0, 0, 0)};
  heads[3].native_end = WIRE_FAULT_COUNT;
  heads[4].python_end = 255;
  for (const auto& head : heads) {
    auto bytes = stack_bytes(head);
    EXPECT_FALSE(decoder.decode(bytes.span()));
  }
  EXPECT_EQ(decoder.malformed(Malformed::kLimit), 5U);
}

TEST(DecoderTest, refuses_short_unknown_and_unaligned_bytes) {
  Decoder decoder;
  EXPECT_FALSE(decoder.decode({}));
  Bytes unknown;
  unknown.add(uint16_t{99}).add(wire_tick{});
  EXPECT_FALSE(decoder.decode(unknown.span()));
  wire_tick head{};
  head.type = WIRE_TYPE_TICK;
  Bytes tick;
  tick.add(head);
  EXPECT_FALSE(decoder.decode(tick.shifted(4)));
  EXPECT_EQ(decoder.malformed(Malformed::kShort), 1U);
  EXPECT_EQ(decoder.malformed(Malformed::kType), 1U);
  EXPECT_EQ(decoder.malformed(Malformed::kUnaligned), 1U);
}

TEST(DecoderTest, hands_a_code_object_on_with_its_texts) {
  wire_code code{};
  code.type = WIRE_TYPE_CODE;
  code.qualname.bytes = 4;
  code.filename.bytes = 7;
  code.linetable_bytes = 3;
  Bytes bytes;
  bytes.add(code);
  for (const char c : std::string_view("main/t/a.pyxyz"))
    bytes.add(c);
  Decoder decoder;
  const auto record = decoder.decode(bytes.span());
  ASSERT_TRUE(record && std::holds_alternative<CodeBytes>(*record));
  const auto payload = std::get<CodeBytes>(*record).payload;
  EXPECT_EQ(std::string(payload.begin(), payload.begin() + 4), "main");
  EXPECT_EQ(payload.size(), 14U);

  EXPECT_FALSE(decoder.decode(bytes.span().first(sizeof code + 13)));
  code.linetable_bytes = 0xffffffff;
  Bytes overlong;
  overlong.add(code);
  EXPECT_FALSE(decoder.decode(overlong.span()));
  EXPECT_EQ(decoder.malformed(), 2U);
}

wire_proc process(uint16_t kind) {
  wire_proc proc{};
  proc.type = WIRE_TYPE_PROC;
  proc.kind = kind;
  proc.tgid = 4711;
  proc.ns_tgid = 7;
  proc.time_ns = 123;
  proc.proc = 0xabc;
  proc.parent_proc = 0xdef;
  proc.parent_tgid = 4700;
  proc.exec_id = 5;
  std::memset(proc.comm, 'x', sizeof proc.comm);  // no terminator
  return proc;
}

TEST(DecoderTest, turns_process_records_into_events) {
  using Kind = model::ProcessEvent::Kind;
  const std::pair<uint16_t, Kind> kinds[] = {{WIRE_PROC_FORK, Kind::kFork},
                                             {WIRE_PROC_EXEC, Kind::kExec},
                                             {WIRE_PROC_EXIT, Kind::kExit},
                                             {WIRE_PROC_SCAN, Kind::kScan}};
  Decoder decoder;
  for (const auto& [wire_kind, kind] : kinds) {
    Bytes bytes;
    bytes.add(process(wire_kind));
    const auto record = decoder.decode(bytes.span());
    ASSERT_TRUE(record && std::holds_alternative<model::ProcessEvent>(*record));
    const auto& event = std::get<model::ProcessEvent>(*record);
    EXPECT_EQ(event.kind, kind);
    EXPECT_EQ(event.pid, 4711);
    EXPECT_EQ(event.tid, 4711);
    EXPECT_EQ(event.namespace_pid, 7);
    EXPECT_EQ(event.process, 0xabcU);
    EXPECT_EQ(event.parent_process, 0xdefU);
    EXPECT_EQ(event.parent_pid, 4700);
    EXPECT_EQ(event.exec_id, 5U);
    EXPECT_EQ(event.comm, std::string(WIRE_COMM_LEN, 'x'));
  }
  Bytes unknown;
  unknown.add(process(77));
  EXPECT_FALSE(decoder.decode(unknown.span()));
  EXPECT_FALSE(decoder.decode_process(unknown.span()));
  EXPECT_EQ(decoder.malformed(Malformed::kType), 2U);
}

// Under ASan this reads outside the record if any bound is wrong.
TEST(DecoderTest, survives_random_bytes) {
  std::mt19937_64 random(1);
  Decoder decoder;
  for (int round = 0; round < 50'000; ++round) {
    const std::size_t size = random() % 400;
    std::vector<uint64_t> words(size / 8 + 1);
    for (auto& word : words)
      word = random() & random() & random();
    words[0] = (words[0] & ~0xffffULL) | (random() % 6);
    const std::span bytes(reinterpret_cast<const uint8_t*>(words.data()), size);
    const auto record = decoder.decode(bytes);
    if (!record || !std::holds_alternative<StackRecord>(*record)) continue;
    const auto& stack = std::get<StackRecord>(*record);
    const auto* end = bytes.data() + bytes.size();
    EXPECT_LE(reinterpret_cast<const uint8_t*>(stack.python.data() + stack.python.size()), end);
  }
  EXPECT_GT(decoder.malformed(), 0U);
}

}  // namespace
}  // namespace pyprof::probe
