// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/userspace/python/interpreters.h"
#include "tests/userspace/python/target.h"
#include "userspace/python/code_object.h"
#include "userspace/python/interpreter.h"
#include "userspace/python/memory.h"
#include "userspace/python/method_names.h"
#include "userspace/python/stacks.h"
#include "userspace/python/thread_names.h"

namespace pyprof::python {
namespace {

struct Runtime {
  InterpreterFile file;
  uint64_t bias = 0;
  wire_python_config config{};
  [[nodiscard]] uint64_t address() const { return file.runtime_address + bias; }
};

// Finds the runtime and the C library among the process's mappings.
std::optional<Runtime> find_runtime(const testing::Target& target) {
  std::optional<Runtime> runtime;
  TsdLayout tsd;
  for (const auto& mapping : target.files()) {
    const auto file = elf::ElfFile::open_path(mapping.path);
    if (!file) continue;
    if (const auto layout = inspect_libc(*file)) tsd = *layout;
    const auto found = inspect(*file, mapping.path);
    if (!found || !found->supported()) continue;
    const uint64_t first = file->segments().front().address & ~uint64_t{0xfff};
    runtime = Runtime{*found, mapping.start - first, {}};
  }
  if (runtime) {
    runtime->config = make_config(runtime->file, runtime->bias, tsd);
    runtime->file.runtime.pthread_tid = tsd.pthread_tid;
  }
  return runtime;
}

// What threads.py says of itself.
struct Said {
  std::map<int32_t, std::string> names;
  std::vector<std::string> codes;
  std::vector<std::string> methods;
  std::multiset<std::string> stacks;  // of all threads but the main one, innermost first
};

Said read_said(testing::Target& target) {
  Said said;
  for (std::string line; !(line = target.read_line()).empty() && line != "ready";) {
    std::istringstream fields(line);
    std::string kind, name;
    int32_t tid = 0;
    fields >> kind;
    if (kind == "code") said.codes.push_back(line);
    if (kind == "method") said.methods.push_back(line);
    if (kind == "stack") said.stacks.insert(line.substr(kind.size() + 1));
    if (kind != "thread") continue;
    fields >> tid;
    std::getline(fields >> std::ws, name);
    said.names[tid] = name;
  }
  return said;
}

// Runs `check` for each supported interpreter with threads.py running in it.
template <typename Check>
void for_each_target(Check check) {
  const std::string script = testing::read_file(SCRIPT_DIR "/threads.py");
  int checked = 0;
  for (const auto& interpreter : testing::find_interpreters()) {
    const std::string name = testing::ask_version(interpreter);
    const int version = testing::minor_version(name);
    if (find_version(static_cast<uint16_t>(version)) == nullptr || name.ends_with("t")) continue;
    SCOPED_TRACE(interpreter.path + " " + name);
    testing::Target target(interpreter, script);
    const Said said = read_said(target);
    const auto runtime = find_runtime(target);
    ASSERT_TRUE(runtime.has_value());
    ASSERT_EQ(said.names.size(), 7u);
    check(target, *runtime, said);
    ++checked;
  }
  if (checked == 0) GTEST_SKIP() << "no supported CPython that runs here";
}

TEST(ReadThreadNamesTest, agrees_with_the_program) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said& said) {
    const ProcessMemory memory(target.pid());
    const auto names =
        read_thread_names(memory, runtime.config, runtime.file.runtime, runtime.address());
    ASSERT_TRUE(names.ok());
    EXPECT_EQ(*names, said.names);
  });
}

TEST(ReadStacksTest, agrees_with_the_program) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said& said) {
    const ProcessMemory memory(target.pid());
    const auto stacks =
        read_stacks(memory, runtime.config, runtime.file.runtime, runtime.address());
    ASSERT_TRUE(stacks.ok());
    std::multiset<std::string> read;
    for (const ThreadStack& stack : *stacks) {
      EXPECT_TRUE(stack.whole && stack.stable);
      EXPECT_TRUE(said.names.contains(stack.tid)) << stack.tid;
      if (stack.tid == target.pid()) continue;
      std::string text;
      for (const StackFrame& frame : stack.frames) {
        text += text.empty() ? "" : " ";
        text += frame.qualname + "@" + std::to_string(frame.line) + "@" +
                std::to_string(frame.first_line);
      }
      read.insert(text);
    }
    EXPECT_EQ(read, said.stacks);
    EXPECT_EQ(stacks->size(), said.names.size());
  });
}

TEST(ReadStacksTest, fails_where_there_is_no_runtime) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said&) {
    const ProcessMemory memory(target.pid());
    EXPECT_FALSE(read_stacks(memory, runtime.config, runtime.file.runtime, 0).ok());
  });
}

TEST(ReadCodeTest, agrees_with_the_program) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said& said) {
    const ProcessMemory memory(target.pid());
    ASSERT_EQ(said.codes.size(), 5u);
    for (const std::string& line : said.codes) {
      std::istringstream fields(line);
      std::string kind, hex, qualname, filename, read_hex;
      uint64_t address = 0;
      uint32_t first_line = 0;
      fields >> kind >> address >> first_line >> hex >> qualname >> filename;
      const auto code = read_code(memory, runtime.config, address);
      ASSERT_TRUE(code.ok()) << line;
      EXPECT_EQ(code->qualname, qualname);
      EXPECT_EQ(code->filename, filename);
      EXPECT_EQ(code->first_line, first_line);
      EXPECT_TRUE(code->complete);
      for (const char byte : code->line_table) {
        char digits[3];
        std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(byte));
        read_hex += digits;
      }
      EXPECT_EQ(read_hex, hex);
    }
  });
}

model::CodeObject method_of(const std::string& line, std::string& name) {
  std::istringstream fields(line);
  std::string kind;
  model::CodeObject code;
  fields >> kind >> code.address >> code.first_line >> code.argument >> code.argument_type >> name;
  code.method = true;
  code.qualname = "Guess." + name.substr(name.rfind('.') + 1);
  return code;
}

TEST(MethodFinderTest, names_methods_as_the_program_does) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said& said) {
    if (runtime.file.version >= 0x30b) return;  // code objects have a qualified name
    const ProcessMemory memory(target.pid());
    MethodFinder finder(memory, runtime.config, runtime.file.runtime);
    ASSERT_EQ(said.methods.size(), 5u);
    for (const std::string& line : said.methods) {
      std::string name;
      const model::CodeObject code = method_of(line, name);
      EXPECT_EQ(finder.find(code), name) << line;
    }
  });
}

TEST(MethodFinderTest, finds_nothing_where_something_else_is_by_now) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said& said) {
    if (runtime.file.version >= 0x30b) return;
    const ProcessMemory memory(target.pid());
    MethodFinder finder(memory, runtime.config, runtime.file.runtime);
    std::string name;
    const model::CodeObject right = method_of(said.methods.at(0), name);
    model::CodeObject code = right;
    code.first_line += 1;
    EXPECT_EQ(finder.find(code), std::nullopt);
    code = right;
    code.qualname = "Guess.other";
    EXPECT_EQ(finder.find(code), std::nullopt);
    code = right;
    code.argument_type = code.argument;
    EXPECT_EQ(finder.find(code), std::nullopt);
    code = right;
    code.argument = 0;  // gone; its class is still there
    EXPECT_EQ(finder.find(code), name);
    code.address = 0;
    EXPECT_EQ(finder.find(code), std::nullopt);
  });
}

TEST(ReadCodeTest, fails_where_there_is_no_code_object) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said&) {
    const ProcessMemory memory(target.pid());
    EXPECT_FALSE(read_code(memory, runtime.config, 0).ok());
    EXPECT_FALSE(read_code(memory, runtime.config, runtime.address()).ok());
    EXPECT_FALSE(read_code(memory, runtime.config, ~uint64_t{0} - 8).ok());
  });
}

std::optional<uint32_t> read_counter(const Memory& memory, const Runtime& runtime) {
  uint64_t address = runtime.config.stamp_address;
  uint64_t interpreter = 0;
  uint32_t count = 0;
  if (!address && runtime.config.stamp_offset &&
      memory.read_value(runtime.address() + runtime.file.runtime.interpreters_head, interpreter))
    address = interpreter + runtime.config.stamp_offset;
  if (!address || !memory.read_value(address, count)) return std::nullopt;
  return count;
}

std::optional<uint32_t> counter_after(testing::Target& target, const Memory& memory,
                                      const Runtime& runtime, const std::string& command) {
  target.write_line(command);
  EXPECT_EQ(target.read_line(), "done");
  return read_counter(memory, runtime);
}

TEST(MakeConfigTest, finds_a_counter_that_moves_with_code_objects_only) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said&) {
    const ProcessMemory memory(target.pid());
    const auto before = counter_after(target, memory, runtime, "calls");
    if (!before) {
      std::printf("CPython %s: no counter\n", runtime.file.full_version.c_str());
      EXPECT_LE(runtime.file.version, 0x30d);
      return;
    }
    EXPECT_EQ(counter_after(target, memory, runtime, "calls"), before);
    const auto after = counter_after(target, memory, runtime, "code");
    EXPECT_NE(after, before);
    EXPECT_NE(counter_after(target, memory, runtime, "code"), after);
  });
}

TEST(MakeConfigTest, finds_the_key_that_the_interpreter_made) {
  for_each_target([](testing::Target& target, const Runtime& runtime, const Said&) {
    const ProcessMemory memory(target.pid());
    uint32_t made[2] = {};  // Py_tss_t: initialized, key
    if (runtime.config.state_kind == WIRE_PY_STATE_LIST || runtime.config.key_plain) return;
    ASSERT_TRUE(memory.read_value(runtime.config.key_address, made));
    EXPECT_EQ(made[0], 1u);
    EXPECT_LT(made[1], 1024u);
    EXPECT_NE(runtime.config.state_kind, 0u);
  });
}

// Reads succeed everywhere and give noise, now and then an address that leads on.
class NoisyMemory final : public Memory {
 public:
  explicit NoisyMemory(uint32_t seed) : random_(seed) {}

  bool read(uint64_t address, void* out, std::size_t bytes) const override {
    EXPECT_LE(bytes, 2u << 20);
    ++reads_;
    std::vector<uint64_t> words(bytes / 8 + 1);
    for (uint64_t& word : words)
      word = random_() % 4 ? random_() % 64 : address ^ (random_() << 4);
    std::memcpy(out, words.data(), bytes);
    return random_() % 64 != 0;
  }
  uint64_t reads() const { return reads_; }

 private:
  mutable std::mt19937_64 random_;
  mutable uint64_t reads_ = 0;
};

// Each address holds itself: every list is a loop, every length is huge.
class LoopingMemory final : public Memory {
 public:
  bool read(uint64_t address, void* out, std::size_t bytes) const override {
    EXPECT_LE(bytes, 2u << 20);
    std::vector<uint64_t> words(bytes / 8 + 1, address & ~uint64_t{0xfff});
    std::memcpy(out, words.data(), bytes);
    return true;
  }
};

std::optional<std::string> name_in(const Memory& memory, const VersionRow& row) {
  model::CodeObject code;
  code.address = code.argument = code.argument_type = 0x100000;
  code.method = true;
  return MethodFinder(memory, row.config, row.runtime).find(code);
}

TEST(HostileMemoryTest, is_read_within_bounds) {
  for (const uint16_t version :
       {0x207, 0x306, 0x307, 0x308, 0x309, 0x30a, 0x30b, 0x30c, 0x30d, 0x30e}) {
    const VersionRow* row = find_version(version);
    for (uint32_t seed = 0; seed < 300; ++seed) {
      const NoisyMemory memory(seed);
      const auto names = read_thread_names(memory, row->config, row->runtime, 0x1000);
      EXPECT_TRUE(!names || names->size() <= 4096);
      const auto code = read_code(memory, row->config, 0x1000);
      EXPECT_TRUE(!code || code->line_table.size() <= 1u << 20);
      const NoisyMemory classes(seed);
      std::ignore = name_in(classes, *row);
      EXPECT_LT(classes.reads(), 1'000'000u);
      EXPECT_LT(memory.reads(), 4'000'000u);
    }
    const LoopingMemory loops;
    std::ignore = name_in(loops, *row);
    EXPECT_TRUE(read_thread_names(loops, row->config, row->runtime, 0x100000).ok());
    const auto code = read_code(loops, row->config, 0x100000);
    EXPECT_TRUE(!code || code->line_table.size() <= 1u << 20);
  }
}

}  // namespace
}  // namespace pyprof::python
