// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/page.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/view.h"

namespace pyprof::exporter {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kStart = R"(<script type="application/json" id="profile">)";

// The profile as a browser would find it: up to the first end of a script element.
Json data_of(const std::string& page) {
  const std::size_t start = page.find(kStart);
  if (start == std::string::npos) return {};
  const std::size_t from = start + kStart.size();
  return Json::parse(page.substr(from, page.find("</script", from) - from));
}

Json data_of(const model::Profile& profile, const PageOptions& options = {}) {
  return data_of(to_page(profile, options));
}

// Folded stacks by what the page's columns say, root first; each sum of `column`.
std::map<std::string, uint64_t> stacks_of(const Json& data, const char* column = "count") {
  std::vector<std::string> paths;
  const Json& nodes = data["nodes"];
  for (std::size_t node = 0; node < nodes["parent"].size(); ++node) {
    const auto text = data["frames"]["text"][nodes["frame"][node].get<int>()].get<std::string>();
    const auto parent = nodes["parent"][node].get<std::size_t>();
    paths.push_back(node == 0 ? "" : paths.at(parent) + ";" + text);
  }
  std::map<std::string, uint64_t> stacks;
  const Json& samples = data["samples"];
  for (std::size_t i = 0; i < samples["node"].size(); ++i)
    stacks[paths.at(samples["node"][i].get<int>())] += samples[column][i].get<uint64_t>();
  return stacks;
}

uint64_t sum_of(const Json& column) {
  return std::accumulate(column.begin(), column.end(), uint64_t{0},
                         [](uint64_t sum, const Json& one) { return sum + one.get<uint64_t>(); });
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(PageTest, HoldsTheStacksAndTheirSums) {
  const Json data = data_of(aggregate::apply_view(test::service_profile(), {}));
  const auto stacks = stacks_of(data);
  const std::string serve = ";<module> (main.py:12);Server.serve (main.py:88)";
  EXPECT_EQ(stacks.at(serve + ";conv::run(float*) [libconv.so.1]"), 40U);
  EXPECT_EQ(stacks.at(serve + ";conv::run(float*) [libconv.so.1];asm_exc_page_fault [kernel]"),
            10U);
  EXPECT_EQ(stacks.at(";<module> (main.py:12);fib (fib.py:3);fib (fib.py:3);fib (fib.py:4)"), 20U);
  EXPECT_EQ(sum_of(data["samples"]["count"]), 100U);
  EXPECT_EQ(sum_of(data["samples"]["weight_ns"]), 1'000'000'000U);
  EXPECT_EQ(data["cpu_ns"], 1'020'000'000U) << "as the scheduler measured it";
  EXPECT_EQ(data["duration_ns"], 10'000'000'000U);
}

TEST(PageTest, FramesAreInTheOrderOfTheirTexts) {
  const Json texts = data_of(test::service_profile())["frames"]["text"];
  ASSERT_GT(texts.size(), 5U);
  EXPECT_EQ(texts[0], "all");
  for (std::size_t i = 2; i < texts.size(); ++i)
    EXPECT_LT(texts[i - 1], texts[i]);
}

TEST(PageTest, ThreadsSayWhichIsMainAndWhatTheyUsed) {
  const Json threads = data_of(test::service_profile())["threads"];
  ASSERT_EQ(threads.size(), 2U);
  EXPECT_EQ(threads[0]["text"], "thread worker-0 (4247)");
  EXPECT_EQ(threads[0]["cpu_ns"], 720'000'000U);
  EXPECT_EQ(threads[0]["main"], false);
  EXPECT_EQ(threads[1]["main"], true);
}

TEST(PageTest, FramesHaveAnOwner) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "python3"), 1, "python3");
  const uint32_t python = maker.module("/usr/bin/python3");
  maker.sample(thread,
               {maker.python("app", "/srv/app.py", 1),
                maker.python("stdlib", "/usr/lib/python3.12/json/decoder.py", 1),
                maker.python("package", "/v/lib/python3.12/site-packages/numpy/core.py", 1),
                maker.native("native", python, 1),
                maker.native("interpreter", python, 2, model::FrameKind::kInterpreter),
                maker.native("gc_collect_main", python, 3, model::FrameKind::kInterpreter),
                maker.kernel("kernel", 4), maker.marker("[marker]")},
               1);
  const Json frames = data_of(maker.profile())["frames"];
  std::map<std::string, int> owners;
  for (std::size_t i = 0; i < frames["text"].size(); ++i) {
    const auto text = frames["text"][i].get<std::string>();
    owners[text.substr(0, text.find(' '))] = frames["owner"][i];
  }
  const std::map<std::string, int> expected = {
      {"all", 7},    {"app", 0},         {"stdlib", 1},          {"package", 2}, {"native", 3},
      {"kernel", 5}, {"interpreter", 4}, {"gc_collect_main", 6}, {"[marker]", 7}};
  EXPECT_EQ(owners, expected);
}

TEST(PageTest, TellsWhatHeldTheGil) {
  model::Profile profile = test::service_profile();
  EXPECT_FALSE(data_of(profile)["samples"].contains("gil_count")) << "nobody knows";
  profile.labels.emplace_back().gil = model::Gil::kHeld;
  profile.samples[0].labels = profile.samples[3].labels = 1;
  const Json data = data_of(profile);
  EXPECT_EQ(sum_of(data["samples"]["gil_count"]), 60U);
  EXPECT_EQ(sum_of(data["samples"]["gil_ns"]), 600'000'000U);
  EXPECT_EQ(sum_of(data["samples"]["count"]), 100U);
}

TEST(PageTest, SamplesWithoutTimeHaveNoWeight) {
  model::Profile profile = test::service_profile();
  for (model::Sample& sample : profile.samples)
    sample.weight_ns = 0;
  for (model::Thread& thread : profile.threads)
    thread.cpu_ns = 0;
  const Json data = data_of(profile);
  EXPECT_FALSE(data["samples"].contains("weight_ns"));
  EXPECT_EQ(data["cpu_ns"], 0U);
}

TEST(PageTest, GroupsAndProcessesStandAboveThreads) {
  EXPECT_EQ(data_of(test::service_profile())["levels"], 0);
  PageOptions options;
  options.by = aggregate::GroupBy::kGil;
  options.threads = true;
  const Json data = data_of(test::service_profile(), options);
  EXPECT_EQ(data["levels"], 1);
  EXPECT_EQ(data["split"], true);
  EXPECT_EQ(stacks_of(data).begin()->first.rfind(";gil ", 0), 0U)
      << "threads are the page's to add";
  EXPECT_EQ(data_of(test::hostile_profile(), options)["levels"], 2);
  options.by = aggregate::GroupBy::kThread;
  EXPECT_EQ(data_of(test::service_profile(), options)["levels"], 0);
}

TEST(PageTest, ComparesWithABaseline) {
  const model::Profile after = aggregate::apply_view(test::service_profile(), {});
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(77, "python3"), 78, "worker-0");
  const uint32_t top = maker.python("<module>", "/srv/app/main.py", 12);
  maker.sample(thread, {top, maker.python("Server.serve", "/srv/app/main.py", 88, 80)}, 30);
  maker.sample(maker.thread(0, 79, "gone"), {top, maker.python("gone", "/srv/app/main.py", 9)}, 10);
  const PageBaseline before{&maker.profile(), 2.0, "<before>", "per second"};
  const Json data = data_of(to_diff_page(after, before, {}));
  EXPECT_EQ(data["before"], "<before>");
  EXPECT_EQ(sum_of(data["samples"]["count"]), 100U);
  EXPECT_EQ(sum_of(data["samples"]["before_count"]), 40U);
  EXPECT_EQ(stacks_of(data, "before_count").at(";<module> (main.py:12);Server.serve (main.py:88)"),
            30U);
  double value = 0;
  for (const Json& one : data["samples"]["before_value"])
    value += one.get<double>();
  EXPECT_DOUBLE_EQ(value, 800'000'000) << "scaled";
  EXPECT_EQ(data["threads"].size(), 3U) << "worker-0 is the same";
  EXPECT_EQ(data["cpu_ns"], 1'020'000'000U) << "of the later one";
}

TEST(PageTest, NodesHaveACap) {
  PageOptions options;
  options.max_nodes = 3;
  const Json data = data_of(aggregate::apply_view(test::service_profile(), {}), options);
  EXPECT_LE(data["nodes"]["parent"].size(), 6U) << "what is new ends in [other]";
  EXPECT_EQ(sum_of(data["samples"]["count"]), 100U);
}

TEST(PageTest, LongNamesAreCut) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "python3"), 1, "python3");
  maker.sample(thread, {maker.python(std::string(1'000'000, 'x'), "/srv/app.py", 1)}, 1);
  EXPECT_LT(to_page(maker.profile(), {}).size(),
            to_page(test::service_profile(), {}).size() + 8192);
}

TEST(PageTest, HostileNamesStayInTheJson) {
  const model::Profile profile = test::hostile_profile();
  const std::string page = to_page(profile, {});
  const Json data = data_of(page);
  EXPECT_EQ(data["processes"].size(), profile.processes.size());
  EXPECT_EQ(sum_of(data["samples"]["count"]), 55U);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(count_of(page, "<script"), 2U);
  EXPECT_EQ(count_of(page, "</script>"), 2U);
  const std::string text = data["frames"]["text"].dump();
  EXPECT_NE(text.find("</title><script>alert(1)</script>"), std::string::npos) << "but is not lost";
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << "no override of the direction";
}

TEST(PageTest, TemplateWordsInNamesAreNotFilledIn) {
  test::ProfileMaker maker;
  const uint32_t process = maker.process(1, "{{profile}}");
  maker.sample(maker.thread(process, 1, "x"), {maker.python("{{title}}", "/srv/a.py", 1)}, 3);
  const std::string page = to_page(maker.profile(), {});
  EXPECT_EQ(count_of(page, std::string(kStart)), 1U);
  EXPECT_EQ(stacks_of(data_of(page)).at(";{{title}} (a.py:1)"), 3U);
}

TEST(PageTest, NothingIsLoadedAndNothingIsLeftToFillIn) {
  const std::string page = to_page(test::service_profile(), {});
  EXPECT_EQ(page.find("{{"), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const char* loads : {" src=", "@import", "url(", "fetch(", "<link"})
    EXPECT_EQ(page.find(loads), std::string::npos) << loads;
}

}  // namespace
}  // namespace pyprof::exporter
