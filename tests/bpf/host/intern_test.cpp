// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/python_target.h"
#include "tests/bpf/host/reader.h"

// When a stack is sent again, and when not.
namespace pyprof::bpftest {
namespace {

// The sampled process with a reader of its ring.
class Session {
 public:
  explicit Session(PythonTarget& target) : target_(target) {}

  std::optional<Sample> tick() {
    records_ = FakeKernel::get().tick(target_.image().regs());
    return reader_.read(records_);
  }
  [[nodiscard]] std::size_t records() const { return records_.size(); }
  [[nodiscard]] const Reader& reader() const { return reader_; }
  [[nodiscard]] Image& image() { return target_.image(); }
  [[nodiscard]] static wire_python_config& config() {
    return *FakeKernel::get().slot<wire_python_config>("pythons", 0);
  }

  template <typename T>
  T load(uint64_t at) {
    T value{};
    EXPECT_TRUE(image().read(at, &value, sizeof(value)));
    return value;
  }
  template <typename T>
  void store(uint64_t at, T value) {
    image().poke(at, &value, sizeof(value));
  }

  // Where the code-object counter is, 0 = this version has none.
  uint64_t stamp_address() {
    if (config().stamp_address) return config().stamp_address;
    return config().stamp_offset ? interpreter_ + config().stamp_offset : 0;
  }
  void set_interpreter(uint64_t address) { interpreter_ = address; }
  // As if code objects had been created since.
  void move_stamp() {
    if (const uint64_t at = stamp_address()) store<uint32_t>(at, load<uint32_t>(at) + 1);
  }
  // Address of the code object with this qualified name.
  [[nodiscard]] uint64_t code_address(const std::string& qualname) const {
    for (const auto& [id, code] : reader_.codes())
      if (code.qualname == qualname) return code.address;
    return 0;
  }

 private:
  PythonTarget& target_;
  Reader reader_;
  std::vector<RingRecord> records_;
  uint64_t interpreter_ = 0;
};

// PyThreadState of the stopped thread gives the interpreter, whose counter 3.13+ has.
uint64_t interpreter_of(Session& session) {
  const auto& config = Session::config();
  const auto key = session.load<uint32_t>(config.key_address + (config.key_plain ? 0 : 4));
  const uint64_t block =
      session.image().task().fs_base + config.tsd_level1 - 32ULL * config.tsd_data_size;
  const auto state =
      session.load<uint64_t>(block + config.tsd_data_size * uint64_t{key} + config.tsd_data_offset);
  return session.load<uint64_t>(state + config.ts_interp);
}

void for_each_session(const std::function<void(Session&, const std::vector<std::string>&)>& check) {
  for_each_interpreter("deep 4", [&check](PythonTarget& target) {
    Session session(target);
    session.set_interpreter(interpreter_of(session));
    check(session, target.said());
  });
}

TEST(InternTest, same_stack_again_is_one_tick_record) {
  for_each_session([](Session& session, const auto& said) {
    ASSERT_TRUE(session.tick());
    EXPECT_GT(session.records(), 1U);
    for (int i = 0; i < 5; ++i) {
      const auto again = session.tick();
      ASSERT_TRUE(again);
      EXPECT_TRUE(again->is_tick);
      EXPECT_EQ(again->names, said);
      EXPECT_EQ(session.records(), 1U);
    }
  });
}

TEST(InternTest, newer_versions_skip_verification_while_the_counter_stands_still) {
  for_each_session([](Session& session, const auto&) {
    ASSERT_TRUE(session.tick());
    const uint64_t checks = FakeKernel::get().counters().identity_checks;
    ASSERT_TRUE(session.tick());
    const uint64_t more = FakeKernel::get().counters().identity_checks - checks;
    EXPECT_EQ(more > 0, session.stamp_address() == 0);
  });
}

TEST(InternTest, moved_counter_with_the_same_code_is_a_tick_record) {
  for_each_session([](Session& session, const auto& said) {
    ASSERT_TRUE(session.tick());
    session.move_stamp();
    const auto again = session.tick();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->is_tick);
    EXPECT_EQ(again->names, said);
    EXPECT_EQ(session.records(), 1U);
  });
}

TEST(InternTest, other_code_object_at_the_same_address_is_sent_in_full) {
  for_each_session([](Session& session, const auto& said) {
    const auto first = session.tick();
    ASSERT_TRUE(first);
    const std::size_t known = session.reader().codes().size();
    const uint64_t code = session.code_address("deep");
    ASSERT_NE(code, 0U);
    const uint64_t at = code + Session::config().code_qualname;
    session.store<uint64_t>(
        at, session.load<uint64_t>(session.code_address("stop") + Session::config().code_qualname));
    session.move_stamp();
    const auto second = session.tick();
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->is_tick);
    EXPECT_EQ(second->tick.stack_key, first->tick.stack_key);
    EXPECT_EQ(session.reader().codes().size(), known + 1);
    ASSERT_EQ(second->names.size(), said.size());
    for (std::size_t i = 0; i < said.size(); ++i) {
      const bool replaced = said[i].starts_with("deep\t");
      EXPECT_EQ(second->names[i], replaced ? "stop" + said[i].substr(4) : said[i]);
    }
    EXPECT_TRUE(session.tick()->is_tick);
  });
}

TEST(InternTest, other_first_line_is_another_identity) {
  for_each_session([](Session& session, const auto&) {
    ASSERT_TRUE(session.tick());
    const std::size_t known = session.reader().codes().size();
    const uint64_t at = session.code_address("deep") + Session::config().code_first_line;
    session.store<uint32_t>(at, session.load<uint32_t>(at) + 100);
    session.move_stamp();
    ASSERT_FALSE(session.tick()->is_tick);
    EXPECT_EQ(session.reader().codes().size(), known + 1);
  });
}

// What an exec() loop leaves at one address: another object whose parts lie where the old ones did.
void expect_change_is_seen(const std::function<uint64_t(Session&, uint64_t code)>& changed_byte) {
  for_each_session([&](Session& session, const auto&) {
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(session.tick());
    const std::size_t known = session.reader().codes().size();
    const uint64_t at = changed_byte(session, session.code_address("deep"));
    session.store<uint8_t>(at, session.load<uint8_t>(at) ^ 0x15);
    session.move_stamp();
    ASSERT_FALSE(session.tick()->is_tick);
    EXPECT_EQ(session.reader().codes().size(), known + 1);
    EXPECT_TRUE(session.tick()->is_tick);
  });
}

TEST(InternTest, a_line_table_rewritten_in_its_place_is_seen) {
  expect_change_is_seen([](Session& session, uint64_t code) {
    return session.load<uint64_t>(code + Session::config().code_linetable) +
           Session::config().bytes_data + 3;
  });
}

TEST(InternTest, a_name_rewritten_in_its_place_is_seen) {
  expect_change_is_seen([](Session& session, uint64_t code) {
    // another text has another cached hash, which lies behind the length
    return session.load<uint64_t>(code + Session::config().code_qualname) +
           Session::config().str_length + 8;
  });
}

TEST(InternTest, a_file_name_rewritten_in_its_place_is_seen) {
  for_each_session([](Session& session, const auto&) {
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(session.tick());
    const uint64_t at =
        session.load<uint64_t>(session.code_address("deep") + Session::config().code_filename) +
        Session::config().str_length + 8;
    session.store<uint8_t>(at, session.load<uint8_t>(at) ^ 0x15);
    session.move_stamp();
    EXPECT_FALSE(session.tick()->is_tick);
    EXPECT_TRUE(session.tick()->is_tick);
  });
}

TEST(InternTest, stack_that_userspace_dropped_is_sent_again) {
  for_each_session([](Session& session, const auto& said) {
    const auto first = session.tick();
    ASSERT_TRUE(first);
    FakeKernel::get().erase("stacks", first->tick.stack_key);
    const auto again = session.tick();
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->is_tick);
    EXPECT_EQ(again->names, said);
  });
}

TEST(InternTest, code_object_that_userspace_dropped_is_sent_again_with_its_stack) {
  for_each_session([](Session& session, const auto& said) {
    const auto first = session.tick();
    ASSERT_TRUE(first);
    FakeKernel::get().clear("codes");
    FakeKernel::get().slot<Control>("controls", 0)->codes_dropped++;
    FakeKernel::get().clear("stacks");
    const std::size_t records = session.records();
    const auto again = session.tick();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->names, said);
    EXPECT_EQ(session.records(), records) << "all of its code objects, and the stack";
  });
}

TEST(InternTest, exec_makes_a_new_process_with_stacks_of_its_own) {
  for_each_session([](Session& session, const auto&) {
    const auto first = session.tick();
    ASSERT_TRUE(first);
    host_task after = session.image().task();
    after.exec_id++;
    host_set_task(&after);
    const auto second = session.tick();
    ASSERT_TRUE(second);
    EXPECT_NE(second->tick.proc, first->tick.proc);
    EXPECT_FALSE(second->is_tick);
    EXPECT_TRUE(second->python.empty()) << "the tables were of the image before";
  });
}

TEST(InternTest, leaf_position_travels_in_the_tick) {
  for_each_session([](Session& session, const auto&) {
    const auto first = session.tick();
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->tick.flags & WIRE_TICK_PYTHON);
    const auto second = session.tick();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->tick.leaf_lasti, first->tick.leaf_lasti);
    EXPECT_EQ(second->tick.leaf_ip, session.image().regs().pc);
  });
}

}  // namespace
}  // namespace pyprof::bpftest
