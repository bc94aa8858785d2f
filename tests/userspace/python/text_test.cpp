// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/text.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bpf/wire.h"

namespace pyprof::python {
namespace {

template <typename Char>
std::vector<uint8_t> raw(std::basic_string_view<Char> text) {
  std::vector<uint8_t> bytes(text.size() * sizeof(Char));
  if (!bytes.empty()) std::memcpy(bytes.data(), text.data(), bytes.size());
  return bytes;
}

std::string utf8(std::u8string_view text) {
  return {text.begin(), text.end()};
}

std::string decode(std::u16string_view text) {
  return decode_text(raw(text), 2);
}
std::string decode(std::u32string_view text) {
  return decode_text(raw(text), 4);
}
std::string decode(std::string_view text) {
  return decode_text(raw(text), 1);
}

wire_task task_record(std::string_view name, uint8_t kind) {
  wire_task record{};
  record.type = WIRE_TYPE_TASK;
  record.id = 5;
  record.name.kind = kind;
  record.name.bytes = static_cast<uint16_t>(name.size());
  std::memcpy(record.text, name.data(), name.size());
  return record;
}

TEST(DecodeTaskTest, names_are_decoded_and_unnamed_tasks_counted) {
  EXPECT_EQ(decode_task(task_record("fetch", 1))->name, "fetch");
  EXPECT_EQ(decode_task(task_record(std::string_view("\x94\x03", 2), 2))->name, utf8(u8"Δ"));
  wire_task number{};
  number.number = 1234567890123;
  EXPECT_EQ(decode_task(number)->name, "Task-1234567890123");
  wire_task cut = task_record("fetch", 1);
  cut.name.flags = WIRE_TEXT_CUT;
  EXPECT_EQ(decode_task(cut)->name, utf8(u8"fetch…"));
  EXPECT_EQ(decode_task(task_record("", 1))->name, "");
}

TEST(DecodeTaskTest, more_bytes_than_there_are_is_an_error) {
  wire_task record = task_record("fetch", 1);
  record.name.bytes = WIRE_MAX_TASK_BYTES + 1;
  EXPECT_FALSE(decode_task(record));
}

TEST(DecodeTextTest, decodes_each_width) {
  EXPECT_EQ(decode("main.<locals>.f"), "main.<locals>.f");
  EXPECT_EQ(decode("gr\xf6\xdf"
                   "e"),
            utf8(u8"größe"));
  EXPECT_EQ(decode(u"计算"), utf8(u8"计算"));
  EXPECT_EQ(decode(u"Δ.μέθοδος"), utf8(u8"Δ.μέθοδος"));
  EXPECT_EQ(decode(U"naïve_🐍_计算"), utf8(u8"naïve_🐍_计算"));
}

TEST(DecodeTextTest, replaces_what_is_no_character) {
  const char16_t lone[] = {u'a', 0xd83d, u'b', 0xdc0d, 0};
  EXPECT_EQ(decode(std::u16string_view(lone)), utf8(u8"a\ufffdb\ufffd"));
  const char32_t beyond[] = {U'a', 0x110000, 0xffffffff, 0xd800, 0};
  EXPECT_EQ(decode(std::u32string_view(beyond)), utf8(u8"a\ufffd\ufffd\ufffd"));
}

TEST(DecodeTextTest, shows_controls_as_question_marks) {
  EXPECT_EQ(decode(std::string_view("\x1b[31m\n\0\x7f\x9b", 9)), "?[31m????");
  EXPECT_EQ(decode(u"a\u2028b\u202ec\u2066d\u200fe"), "a?b?c?d?e");
  EXPECT_EQ(decode(u"a\u00a0\u00ad"), utf8(u8"a\u00a0\u00ad"));
}

TEST(DecodeTextTest, leaves_out_a_character_that_was_cut) {
  std::vector<uint8_t> bytes = raw(std::u16string_view(u"计算"));
  bytes.pop_back();
  EXPECT_EQ(decode_text(bytes, 2), utf8(u8"计"));
  EXPECT_EQ(decode_text({}, 4), "");
}

TEST(DecodeTextTest, gives_nothing_for_an_unknown_width) {
  const std::vector<uint8_t> bytes(12, 'x');
  for (const uint8_t kind : {0, 3, 5, 6, 7, 255})
    EXPECT_EQ(decode_text(bytes, kind), "");
}

TEST(DecodeBytesTest, takes_bytes_for_utf8_where_they_can_be) {
  EXPECT_EQ(decode_bytes(raw(std::string_view("größe/计算/🐍.py"))), "größe/计算/🐍.py");
  EXPECT_EQ(decode_bytes(raw(std::string_view("gr\xf6\xdf"
                                              "e"))),
            "größe");
  EXPECT_EQ(decode_bytes(raw(std::string_view("a\x1b[31m\n"))), "a?[31m?");
  EXPECT_EQ(decode_bytes({}), "");
}

TEST(DecodeBytesTest, knows_what_is_no_utf8) {
  // cut, overlong, a surrogate, beyond the last character, a byte that never is
  for (const std::string_view bytes :
       {"\xe8\xae", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_EQ(decode_bytes(raw(bytes)), decode_text(raw(bytes), 1));
}

struct Record {
  wire_code head{};
  std::vector<uint8_t> tail;

  std::vector<uint8_t> bytes() const {
    std::vector<uint8_t> all(sizeof(head));
    std::memcpy(all.data(), &head, sizeof(head));
    all.insert(all.end(), tail.begin(), tail.end());
    return all;
  }
};

void add_text(Record& record, wire_text& text, const std::vector<uint8_t>& bytes, uint8_t kind) {
  text.bytes = static_cast<uint16_t>(bytes.size());
  text.kind = kind;
  text.length = static_cast<uint32_t>(bytes.size() / kind);
  record.tail.insert(record.tail.end(), bytes.begin(), bytes.end());
}

Record sample_record() {
  Record record;
  record.head.type = WIRE_TYPE_CODE;
  record.head.proc = 11;
  record.head.id = 22;
  record.head.address = 0x7f0000001000;
  record.head.tgid = 44;
  record.head.first_line = 55;
  record.head.version_slot = 0x30c;
  add_text(record, record.head.qualname, raw(std::u16string_view(u"Δ.μέθοδος")), 2);
  add_text(record, record.head.filename,
           raw(std::string_view("/srv/gr\xf6\xdf"
                                "e.py")),
           1);
  const std::vector<uint8_t> table = {0x80, 0x00, 0xd8, 0x08, 0x09};
  record.head.linetable_bytes = record.head.linetable_size = 5;
  record.tail.insert(record.tail.end(), table.begin(), table.end());
  return record;
}

TEST(DecodeCodeTest, takes_a_record_apart) {
  const auto code = decode_code(sample_record().bytes());
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(code->process, 11u);
  EXPECT_EQ(code->id, 22u);
  EXPECT_EQ(code->address, 0x7f0000001000u);
  EXPECT_EQ(code->pid, 44);
  EXPECT_EQ(code->first_line, 55u);
  EXPECT_EQ(code->version, 0x30c);
  EXPECT_EQ(code->qualname, utf8(u8"Δ.μέθοδος"));
  EXPECT_EQ(code->filename, utf8(u8"/srv/größe.py"));
  EXPECT_EQ(code->line_table, (std::string{'\x80', '\0', '\xd8', '\x08', '\x09'}));
  EXPECT_EQ(code->line_table_bytes, 5u);
  EXPECT_TRUE(code->complete);
}

// CPython up to 3.10: co_name and the name of the first argument's class.
Record method_record(std::string_view name, std::string_view owner) {
  Record record;
  record.head.type = WIRE_TYPE_CODE;
  record.head.version_slot = 0x207;
  record.head.flags = WIRE_CODE_METHOD;
  record.head.argument = 1;
  record.head.argument_type = 2;
  add_text(record, record.head.qualname, raw(name), 1);
  record.head.qualname.flags = WIRE_TEXT_BYTES;
  record.head.filename.kind = 1;
  record.head.owner_bytes = static_cast<uint32_t>(owner.size());
  record.tail.insert(record.tail.end(), owner.begin(), owner.end());
  return record;
}

TEST(DecodeCodeTest, puts_the_class_in_front_of_a_method) {
  const auto code = decode_code(method_record("run", "Größe").bytes());
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(code->qualname, "Größe.run");
  EXPECT_TRUE(code->method);
  EXPECT_EQ(code->argument, 1u);
  EXPECT_EQ(code->argument_type, 2u);
  EXPECT_TRUE(code->complete);
  EXPECT_EQ(decode_code(method_record("run", "queue.Queue").bytes())->qualname, "Queue.run");
  EXPECT_EQ(decode_code(method_record("run", "").bytes())->qualname, "run");
  // 2.7: the type of all instances of old-style classes
  EXPECT_EQ(decode_code(method_record("run", "instance").bytes())->qualname, "run");
  Record cut = method_record("run", "Class");
  cut.head.owner_bytes = 6;
  EXPECT_FALSE(decode_code(cut.bytes()).ok());
}

TEST(DecodeCodeTest, refuses_every_record_that_is_too_short) {
  const std::vector<uint8_t> bytes = sample_record().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_code(std::span(bytes).first(size)).ok()) << size;
}

TEST(DecodeCodeTest, refuses_lengths_beyond_the_record) {
  Record record = sample_record();
  record.head.linetable_bytes = 0xffffffff;
  EXPECT_FALSE(decode_code(record.bytes()).ok());
  record = sample_record();
  record.head.type = WIRE_TYPE_STACK;
  EXPECT_FALSE(decode_code(record.bytes()).ok());
}

TEST(DecodeCodeTest, says_what_is_incomplete) {
  Record record = sample_record();
  record.head.linetable_size = 5000;
  auto code = decode_code(record.bytes());
  ASSERT_TRUE(code.ok());
  EXPECT_FALSE(code->complete);
  EXPECT_EQ(code->line_table_bytes, 5000u);

  record = sample_record();
  record.head.qualname.flags = WIRE_TEXT_CUT;
  code = decode_code(record.bytes());
  ASSERT_TRUE(code.ok());
  EXPECT_FALSE(code->complete);
  EXPECT_EQ(code->qualname, utf8(u8"Δ.μέθοδος"));

  record = sample_record();
  record.head.flags = WIRE_CODE_FAULT;
  code = decode_code(record.bytes());
  ASSERT_TRUE(code.ok());
  EXPECT_FALSE(code->complete);
}

}  // namespace
}  // namespace pyprof::python
