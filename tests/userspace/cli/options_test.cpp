// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options.h"

#include <gtest/gtest.h>

namespace pyprof::cli {
namespace {

using Words = std::vector<std::string>;

std::string error_of(const Words& words) {
  const auto parsed = parse_arguments(words);
  return parsed ? "" : parsed.error().message;
}

TEST(ParseArgumentsTest, reads_top) {
  const auto top = parse_arguments(
      {"top", "-p", "7,8", "--once", "--plain", "-d", "0.5", "-r", "49", "--view", "tree", "-n"});
  ASSERT_TRUE(top) << top.error().message;
  EXPECT_EQ(top->verb, Verb::kTop);
  EXPECT_EQ(top->top.pids, (std::vector<int32_t>{7, 8}));
  EXPECT_TRUE(top->top.once && top->top.plain && top->top.native);
  EXPECT_EQ(top->top.duration_s, 0.5);
  EXPECT_EQ(top->top.rate_hz, 49U);
  EXPECT_EQ(top->top.view, "tree");
  EXPECT_TRUE(parse_arguments({"top"})->top.pids.empty());
  const auto py_spy = parse_arguments({"top", "-p", "7", "-s", "-g", "-F", "--nonblocking"});
  ASSERT_TRUE(py_spy) << py_spy.error().message;
  EXPECT_TRUE(py_spy->top.subprocesses && py_spy->top.gil);
  EXPECT_NE(error_of({"top", "--view", "waits"}), "");
  EXPECT_NE(error_of({"top", "-d", "0"}), "");
  EXPECT_NE(error_of({"top", "-p", "x"}), "");
}

TEST(ParseArgumentsTest, reads_a_snapshot) {
  const auto parsed = parse_arguments({"snapshot",
                                       "-p",
                                       "1,2",
                                       "--pid",
                                       "3",
                                       "-p2",
                                       "-d",
                                       "0.5",
                                       "-r",
                                       "199",
                                       "-t",
                                       "-n",
                                       "-o",
                                       "a.svg",
                                       "-o",
                                       "b.txt",
                                       "--full-filenames",
                                       "--limit",
                                       "5",
                                       "--no-daemon",
                                       "--control-socket",
                                       "/x",
                                       "--nonblocking"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->verb, Verb::kSnapshot);
  const SnapshotOptions& options = parsed->snapshot;
  EXPECT_EQ(options.pids, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(options.duration_s, 0.5);
  EXPECT_EQ(options.rate_hz, 199U);
  EXPECT_TRUE(options.threads && options.native && options.full_filenames && options.no_daemon);
  EXPECT_EQ(options.outputs, (Words{"a.svg", "b.txt"}));
  EXPECT_EQ(options.limit, 5U);
  EXPECT_EQ(options.control_socket, "/x");
}

TEST(ParseArgumentsTest, reads_groups_and_the_gil_filter) {
  const auto parsed = parse_arguments({"snapshot", "-a", "-g", "--by", "task"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->snapshot.gil);
  EXPECT_EQ(parsed->snapshot.by, aggregate::GroupBy::kTask);
  const auto wrong = parse_arguments({"snapshot", "-a", "--by", "colour"});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("'colour'"), std::string::npos);
}

TEST(ParseArgumentsTest, has_defaults) {
  const auto parsed = parse_arguments({"snapshot", "-a"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->snapshot.all);
  EXPECT_EQ(parsed->snapshot.rate_hz, 99U);
  EXPECT_FALSE(parsed->snapshot.duration_s);
  EXPECT_EQ(parsed->snapshot.outputs, Words{"-"});
  EXPECT_FALSE(parsed->snapshot.config_path);
}

TEST(ParseArgumentsTest, leaves_the_command_alone) {
  const auto parsed =
      parse_arguments({"record", "-r", "49", "--", "ps", "-d", "x", "", "--", "-h"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->snapshot.command, (Words{"ps", "-d", "x", "", "--", "-h"}));
  EXPECT_EQ(parsed->snapshot.rate_hz, 49U);
}

TEST(ParseArgumentsTest, reads_the_other_verbs) {
  const auto daemon = parse_arguments({"daemon", "-c", "f", "--listen", "l:1"});
  ASSERT_TRUE(daemon);
  EXPECT_EQ(daemon->verb, Verb::kDaemon);
  EXPECT_EQ(daemon->daemon.config_path, "f");
  EXPECT_EQ(daemon->daemon.listen, "l:1");
  const auto ps = parse_arguments({"ps", "-j"});
  ASSERT_TRUE(ps);
  EXPECT_TRUE(ps->verb == Verb::kPs && ps->ps.json);
  const auto dump = parse_arguments({"dump", "-p", "9", "-j", "--full-filenames", "--nonblocking"});
  ASSERT_TRUE(dump);
  EXPECT_EQ(dump->verb, Verb::kDump);
  EXPECT_EQ(dump->dump.pid, 9);
  EXPECT_TRUE(dump->dump.json && dump->dump.full_filenames);
  EXPECT_EQ(dump->dump.locals, 0);
  const auto locals = parse_arguments({"dump", "-p", "9", "-ll", "--redact"});
  ASSERT_TRUE(locals);
  EXPECT_EQ(locals->dump.locals, 2);
  EXPECT_TRUE(locals->dump.redact);
  EXPECT_EQ(parse_arguments({"dump", "-p", "9", "-l", "--locals"})->dump.locals, 2);
  EXPECT_NE(error_of({"dump", "-p", "9", "-n"}).find("not available"), std::string::npos);
  const auto convert = parse_arguments({"convert", "a.pb.gz", "-o", "b.svg", "-t", "--limit", "5"});
  ASSERT_TRUE(convert);
  EXPECT_EQ(convert->verb, Verb::kConvert);
  EXPECT_EQ(convert->convert.input, "a.pb.gz");
  EXPECT_EQ(convert->convert.outputs, std::vector<std::string>{"b.svg"});
  EXPECT_TRUE(convert->convert.threads && convert->convert.limit == 5);
  const auto diff =
      parse_arguments({"diff", "a", "b", "--work", "10,20.5", "--annual-cost", "7", "-j"});
  ASSERT_TRUE(diff);
  EXPECT_TRUE(diff->verb == Verb::kDiff && diff->diff.before == "a" && diff->diff.after == "b");
  EXPECT_EQ(diff->diff.compare.unit, report::DiffUnit::kWork);
  EXPECT_EQ(diff->diff.compare.work_after, 20.5);
  EXPECT_TRUE(diff->diff.json && diff->diff.annual_cost == 7 && diff->diff.output == "-");
  const auto probes = parse_arguments({"probes", "-p", "8", "-j"});
  ASSERT_TRUE(probes);
  EXPECT_EQ(probes->verb, Verb::kProbes);
  EXPECT_EQ(probes->probes.pid, 8);
  EXPECT_TRUE(probes->probes.json);
  const auto doctor = parse_arguments({"doctor", "-p", "7"});
  ASSERT_TRUE(doctor);
  EXPECT_EQ(doctor->doctor.pid, 7);
  const auto check = parse_arguments({"check-config", "x.yaml"});
  ASSERT_TRUE(check);
  EXPECT_EQ(check->check_config_file, "x.yaml");
}

TEST(ParseArgumentsTest, names_the_word_that_is_wrong) {
  EXPECT_NE(error_of({}).find("snapshot"), std::string::npos);
  EXPECT_NE(error_of({"explode"}).find("explode"), std::string::npos);
  EXPECT_NE(error_of({"snapshot", "-p", "1", "--colour"}).find("--colour"), std::string::npos);
  for (const char* pid :
       {"0", "-1", "abc", "1.5", "99999999999999999999", "1,,2", "1 2", "4194305"})
    EXPECT_NE(error_of({"snapshot", std::string("--pid=") + pid}).find("--pid"), std::string::npos)
        << pid;
  for (const char* duration : {"0", "-5", "x", "nan", "inf", "86401", "1s"})
    EXPECT_NE(
        error_of({"snapshot", "-p1", std::string("--duration=") + duration}).find("--duration"),
        std::string::npos)
        << duration;
  for (const char* rate : {"0", "10001", "-1", "x", "100000000000"})
    EXPECT_NE(error_of({"snapshot", "-p1", std::string("--rate=") + rate}).find("--rate"),
              std::string::npos)
        << rate;
  EXPECT_NE(error_of({"snapshot", "-p1", "--limit", "0"}).find("--limit"), std::string::npos);
}

TEST(ParseArgumentsTest, refuses_what_does_not_go_together) {
  EXPECT_NE(error_of({"snapshot"}).find("--pid"), std::string::npos);
  EXPECT_NE(error_of({"snapshot", "-p", "1", "-a"}), "");
  EXPECT_NE(error_of({"record", "-a", "--", "x"}), "");
  EXPECT_NE(error_of({"record", "--"}), "");
  EXPECT_NE(error_of({"snapshot", "--", "x"}), "");
  EXPECT_NE(error_of({"snapshot", "-p1", "-n", "--python-only"}), "");
  EXPECT_NE(error_of({"snapshot", "-p1", "-o", "a", "-o", "b", "-f", "svg"}), "");
  EXPECT_NE(error_of({"doctor", "-p", "1,2"}), "");
  EXPECT_NE(error_of({"probes", "-p", "1,2"}), "");
  EXPECT_NE(error_of({"probes"}), "");
  EXPECT_NE(error_of({"dump"}), "");
  EXPECT_NE(error_of({"convert"}), "");
  EXPECT_NE(error_of({"diff", "a"}), "");
  EXPECT_NE(error_of({"diff", "a", "b", "--per", "night"}), "");
  for (const char* work : {"1", "1,", "0,1", "-1,2", "x,y"})
    EXPECT_NE(error_of({"diff", "a", "b", "--work", work}), "") << work;
  EXPECT_NE(error_of({"dump", "-p", "1,2"}), "");
}

TEST(ParseArgumentsTest, says_what_is_not_built_yet) {
  for (const char* flag : {"-i", "--idle"}) {
    const std::string error = error_of({"snapshot", "-p", "1", flag});
    EXPECT_NE(error.find("not available"), std::string::npos) << flag << ": " << error;
    EXPECT_NE(error.find(flag), std::string::npos) << error;
  }
}

TEST(ParseArgumentsTest, shows_help_and_version) {
  const auto version = parse_arguments({"--version"});
  ASSERT_TRUE(version);
  EXPECT_EQ(version->text.find("pyebpf-prof "), 0U);
  const auto help = parse_arguments({"--help"});
  ASSERT_TRUE(help);
  for (const char* verb : {"snapshot", "record", "daemon", "convert", "diff", "ps", "dump", "top",
                           "probes", "doctor", "check-config"})
    EXPECT_NE(help->text.find(verb), std::string::npos) << verb;
  const auto verb_help = parse_arguments({"snapshot", "--help"});
  ASSERT_TRUE(verb_help);
  EXPECT_NE(verb_help->text.find("--python-only"), std::string::npos);
}

}  // namespace
}  // namespace pyprof::cli
