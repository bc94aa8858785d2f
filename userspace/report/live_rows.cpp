// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/live_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "userspace/aggregate/call_tree.h"
#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/aggregate/summary.h"
#include "userspace/report/thread_table.h"

namespace pyprof::report {
namespace {

using aggregate::clean_text;

constexpr double kTrendPoints = 5;    // a share that moved by so many points has a trend
constexpr double kTreePercent = 0.5;  // what has less of the tree is not shown

double seconds_of(const model::Profile& window) {
  return std::max(1e-3, aggregate::seconds(window.duration_ns));
}

// CPU and GIL time of threads or processes.
struct Use {
  double cpu_s = 0;
  double sampled_s = 0;
  double held_s = 0;  // of the samples

  // Where the scheduler measured nothing the samples say it all.
  [[nodiscard]] double cpu(bool measured) const { return measured ? cpu_s : sampled_s; }
  [[nodiscard]] double gil(bool measured) const {
    return sampled_s > 0 ? held_s / sampled_s * cpu(measured) : 0;
  }
};

struct Uses {
  std::vector<Use> threads;  // as in the profile
  bool measured = false;
};

Uses measure_use(const model::Profile& window) {
  Uses uses;
  const aggregate::Summary summary = aggregate::summarize(window);
  uses.measured = summary.measured_ns > 0;
  for (const model::Thread& thread : window.threads)
    uses.threads.push_back({aggregate::seconds(thread.cpu_ns), 0, 0});
  for (const model::Sample& sample : window.samples) {
    Use& use = uses.threads[sample.thread];
    const double weight_s = aggregate::seconds(sample.weight_ns);
    use.sampled_s += weight_s;
    if (aggregate::labels_of(window, sample).gil == model::Gil::kHeld) use.held_s += weight_s;
  }
  return uses;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string one_digit(double value) {
  return fmt::format("{:.1f}", value);
}

std::string command_text(const model::ProcessInfo& process) {
  std::string text;
  for (const std::string& word : process.command)
    text += (text.empty() ? "" : " ") + word;
  return clean_text(text.empty() ? process.comm : text, 200);
}

LiveTable process_rows(const LiveData& data) {
  LiveTable table;
  table.sortable = true;
  table.columns = {
      {"PID", true, true}, {"CORES", true, true}, {"GIL%", true, true}, {"THREADS", true, true},
      {"PYTHON"},          {"CONTAINER"},         {"COMMAND"}};
  const Uses uses = measure_use(data.window);
  struct Sums {
    double cpu_s = 0, gil_s = 0;
    uint32_t threads = 0;
  };
  std::vector<Sums> sums(data.window.processes.size());
  for (std::size_t i = 0; i < uses.threads.size(); ++i) {
    Sums& own = sums[data.window.threads[i].process];
    own.cpu_s += uses.threads[i].cpu(uses.measured);
    own.gil_s += uses.threads[i].gil(uses.measured);
    own.threads += uses.threads[i].cpu(uses.measured) > 0 ? 1 : 0;
  }
  const double wall_s = seconds_of(data.window);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const model::ProcessInfo& process = data.window.processes[i];
    LiveRow row;
    const double cores = sums[i].cpu_s / wall_s, gil = 100 * sums[i].gil_s / wall_s;
    row.cells = {std::to_string(process.pid),
                 fmt::format("{:.2f}", cores),
                 one_digit(gil),
                 std::to_string(sums[i].threads),
                 or_dash(clean_text(process.python_full_version, 32)),
                 or_dash(clean_text(std::string_view(process.container.id).substr(0, 12))),
                 or_dash(command_text(process))};
    row.keys = {static_cast<double>(process.pid),
                cores,
                gil,
                static_cast<double>(sums[i].threads),
                0,
                0,
                0};
    row.target.pid = process.pid;
    row.id = row.cells.front();
    table.rows.push_back(std::move(row));
  }
  return table;
}

LiveRow thread_row(int32_t pid, int32_t tid, std::string name, char state, double cpu, double gil,
                   std::string now) {
  LiveRow row;
  row.cells = {std::to_string(tid), std::string(1, state),    one_digit(cpu),
               one_digit(gil),      or_dash(std::move(name)), or_dash(std::move(now))};
  row.keys = {static_cast<double>(tid), 0, cpu, gil, 0, 0};
  row.target.pid = pid;
  row.target.tid = tid;
  row.id = row.cells.front();
  return row;
}

char printable_state(char state) {
  return state >= 'A' && state <= 'z' ? state : '?';
}

LiveTable thread_rows_of(const LiveData& data, const LiveScope& scope, bool full_paths) {
  LiveTable table;
  table.sortable = true;
  table.columns = {{"TID", true, true},  {"S"},    {"CPU%", true, true},
                   {"GIL%", true, true}, {"NAME"}, {"CURRENT"}};
  const model::Profile window = narrow(data.window, {scope.pid, 0, "", ""});
  const Uses uses = measure_use(window);
  const double wall_s = seconds_of(window);
  std::map<int32_t, const LiveThread*> now;
  for (const LiveThread& thread : data.threads)
    now[thread.tid] = &thread;
  for (const ThreadRow& row :
       report::thread_rows(window, aggregate::summarize(window), full_paths)) {
    const model::Thread& thread = window.threads[row.thread];
    const model::ProcessInfo& owner = window.processes[thread.process];
    if (scope.pid != 0 && owner.pid != scope.pid) continue;
    const Use& use = uses.threads[row.thread];
    std::string name = aggregate::thread_name(thread);
    if (scope.pid == 0) name = clean_text(owner.comm, 32) + "/" + name;
    char state = '-';
    if (const auto at = now.find(thread.tid); at != now.end()) {
      name = clean_text(at->second->name, 128);
      state = printable_state(at->second->state);
      now.erase(at);
    }
    table.rows.push_back(thread_row(owner.pid, thread.tid, std::move(name), state,
                                    100 * use.cpu(uses.measured) / wall_s,
                                    100 * use.gil(uses.measured) / wall_s, row.top));
  }
  // Those that did not run in the window.
  for (const auto& [tid, thread] : now) {
    table.rows.push_back(
        thread_row(scope.pid, tid, clean_text(thread->name, 128), printable_state(thread->state), 0,
                   0, thread->frames.empty() ? "" : clean_text(thread->frames.front())));
  }
  return table;
}

std::string trend(const FunctionHistory::Past& past) {
  const double change = past.now_percent - past.usual_percent;
  if (change > kTrendPoints) return "\xe2\x86\x91";
  return change < -kTrendPoints ? "\xe2\x86\x93" : "";
}

LiveTable function_rows(const LiveData& data, const LiveScope& scope, bool lines) {
  LiveTable table;
  table.sortable = true;
  table.columns = {{"SELF%", true, true},   {"T"},
                   {"TOTAL%", true, true},  {"SELF s", true, true},
                   {"TOTAL s", true, true}, {"FUNCTION"}};
  for (const auto& [id, past] : data.history.functions()) {
    LiveRow row;
    const std::string& place = lines ? past.hot_place : past.place;
    row.cells = {
        one_digit(past.now_percent),         trend(past),
        one_digit(past.now_total_percent),   fmt::format("{:.2f}", past.self_s),
        fmt::format("{:.2f}", past.total_s), place.empty() ? past.name : past.name + "  " + place};
    row.keys = {past.now_percent, 0, past.now_total_percent, past.self_s, past.total_s, 0};
    row.target = scope;
    row.target.function = id;
    row.target.name = past.name;
    row.id = id;
    table.rows.push_back(std::move(row));
  }
  return table;
}

class TreeRows {
 public:
  TreeRows(const model::Profile& profile, const LiveScope& scope, aggregate::TreeOptions options)
      : tree_(profile, options), scope_(scope) {}

  void fill(LiveTable& table) {
    if (!tree_.nodes().empty()) add(0, "", table);
  }

 private:
  void add(uint32_t index, const std::string& path, LiveTable& table) {
    const aggregate::CallNode& node = tree_.nodes()[index];
    const auto& root = tree_.nodes().front();
    const double total = aggregate::percent(node.total_weight_ns, root.total_weight_ns);
    if (total < kTreePercent || table.rows.size() >= kMaxLiveRows) return;
    LiveRow row;
    const double self = aggregate::percent(node.self_weight_ns, root.total_weight_ns);
    const std::string indent(std::min<uint32_t>(node.depth, kMaxIndent), ' ');
    row.cells = {one_digit(total), one_digit(self), indent + clean_text(tree_.name(node).text)};
    row.keys = {total, self, 0};
    row.target = scope_;
    row.id = path + "\n" + tree_.name(node).text;
    if (row.id.size() > kMaxId) row.id = std::to_string(index);
    const std::string id = row.id;
    table.rows.push_back(std::move(row));
    auto children =
        std::vector<uint32_t>(tree_.children(index).begin(), tree_.children(index).end());
    std::stable_sort(children.begin(), children.end(), [this](uint32_t a, uint32_t b) {
      return tree_.nodes()[a].total_weight_ns > tree_.nodes()[b].total_weight_ns;
    });
    if (node.depth >= kMaxDepth) return;
    for (const uint32_t child : children)
      add(child, id, table);
  }

  static constexpr uint32_t kMaxIndent = 60;
  static constexpr uint32_t kMaxDepth = 1'000;  // of this recursion, too
  static constexpr std::size_t kMaxId = 4'096;

  const aggregate::CallTree tree_;
  const LiveScope& scope_;
};

LiveTable tree_rows(const LiveData& data, const LiveScope& scope, const LiveRowOptions& options) {
  LiveTable table;
  table.columns = {{"TOTAL%", true, true}, {"SELF%", true, true}, {"CALL TREE"}};
  aggregate::TreeOptions tree;
  tree.text = {options.lines ? aggregate::LineMode::kCurrent : aggregate::LineMode::kFirst,
               options.full_paths};
  tree.threads = scope.tid == 0;
  tree.max_nodes = 20'000;
  const model::Profile narrowed = narrow(data.recent, scope);
  if (!narrowed.samples.empty()) TreeRows(narrowed, scope, tree).fill(table);
  return table;
}

const char* state_word(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "waiting for I/O";
    case 'T':
    case 't':
      return "stopped";
    default:
      return "ended";
  }
}

LiveTable stack_rows(const LiveData& data, const LiveScope& scope) {
  LiveTable table;
  table.columns = {{"STACKS NOW, INNERMOST FIRST"}};
  table.remark = data.no_threads;
  uint32_t group = 0;
  const auto add = [&](std::string text, int32_t tid, std::size_t at) -> LiveRow& {
    LiveRow row;
    row.cells = {std::move(text)};
    row.keys = {0};
    row.target = {scope.pid, tid, "", ""};
    row.id = fmt::format("{}/{}", tid, at);
    row.group = group;
    table.rows.push_back(std::move(row));
    return table.rows.back();
  };
  for (const LiveThread& thread : data.threads) {
    if (scope.tid != 0 && thread.tid != scope.tid) continue;
    ++group;
    add(fmt::format("Thread {} \"{}\" ({}){}", thread.tid, clean_text(thread.name, 128),
                    state_word(thread.state), thread.stable ? "" : ", moving"),
        thread.tid, 0)
        .strong = true;
    for (std::size_t i = 0; i < thread.frames.size(); ++i)
      add("    " + clean_text(thread.frames[i]), thread.tid, i + 1);
    if (thread.frames.empty()) add("    [no Python frame]", thread.tid, 1);
    if (!thread.whole) add("    [truncated]", thread.tid, thread.frames.size() + 1);
  }
  return table;
}

}  // namespace

const char* live_view_name(LiveView view) {
  static constexpr const char* kNames[kLiveViews] = {"processes", "threads", "functions", "tree",
                                                     "stacks"};
  return kNames[static_cast<std::size_t>(view)];
}

LiveTable live_table(LiveView view, const LiveData& data, const LiveScope& scope,
                     const LiveRowOptions& options) {
  switch (view) {
    case LiveView::kProcesses:
      return process_rows(data);
    case LiveView::kThreads:
      return thread_rows_of(data, scope, options.full_paths);
    case LiveView::kFunctions:
      return function_rows(data, scope, options.lines);
    case LiveView::kTree:
      return tree_rows(data, scope, options);
    case LiveView::kStacks:
      break;
  }
  return stack_rows(data, scope);
}

LiveSums live_sums(const model::Profile& window, const LiveScope& scope) {
  const model::Profile narrowed = narrow(window, {scope.pid, scope.tid, "", ""});
  const Uses uses = measure_use(narrowed);
  LiveSums sums;
  for (const Use& use : uses.threads) {
    sums.cores += use.cpu(uses.measured) / seconds_of(window);
    sums.gil_percent += 100 * use.gil(uses.measured) / seconds_of(window);
  }
  sums.samples = aggregate::summarize(narrowed).samples;
  sums.lost = window.quality.lost;
  return sums;
}

}  // namespace pyprof::report
