// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/base/result.h"
#include "userspace/daemon/daemon.h"
#include "userspace/report/diff.h"
#include "userspace/report/query.h"

// The command line as checked values. Looks at nothing but its words: whether a process or a folder
// is there is found by the verbs.
namespace pyprof::cli {

struct SnapshotOptions {
  std::vector<int32_t> pids;  // each once
  bool all = false;
  std::vector<std::string> command;  // `record -- CMD`
  std::optional<double> duration_s;
  uint32_t rate_hz = 99;
  bool threads = false;
  bool subprocesses = false;  // also of what the processes fork; of a command always
  bool native = false;
  bool python_only = false;
  bool gil = false;
  bool usdt = false;  // attach to CPython's probes of the collector and of imports
  aggregate::GroupBy by = aggregate::GroupBy::kNone;
  bool full_filenames = false;
  aggregate::LineMode lines = aggregate::LineMode::kCurrent;
  uint32_t limit = 0;       // 0 = the report's own choice
  uint32_t max_tokens = 0;  // likewise
  bool with_prompt = false;
  std::string table;                 // for CSV
  std::vector<std::string> outputs;  // "-" = standard output; at least one
  std::string format;                // empty = by the suffix
  bool no_daemon = false;
  std::optional<std::string> config_path;
  std::optional<std::string> control_socket;
};

struct PsOptions {
  bool json = false;
  std::optional<std::string> config_path;
  std::optional<std::string> control_socket;
};

struct DoctorOptions {
  std::optional<int32_t> pid;
  std::optional<std::string> config_path;
  std::optional<std::string> control_socket;
};

struct ProbesOptions {
  int32_t pid = 0;
  bool json = false;
};

struct DumpOptions {
  int32_t pid = 0;
  bool json = false;
  int locals = 0;       // how often -l was given
  bool redact = false;  // of locals
  bool full_filenames = false;
};

struct TopOptions {
  std::vector<int32_t> pids;  // each once; empty = every process
  uint32_t rate_hz = 99;
  double duration_s = 2;  // of a picture of `once` or `plain`
  bool once = false;      // one picture, as text
  bool plain = false;     // text, and no terminal
  std::string view;       // report::live_view_name(); empty = what fits
  bool subprocesses = false;
  bool gil = false;
  bool native = false;
  bool full_filenames = false;
  bool no_daemon = false;
  std::optional<std::string> config_path;
  std::optional<std::string> control_socket;
};

struct ConvertOptions {
  std::string input;                 // "-" = standard input
  std::vector<std::string> outputs;  // "-" = standard output; at least one
  std::string format;                // empty = by the suffix
  bool threads = false;
  bool python_only = false;
  bool full_filenames = false;
  uint32_t limit = 0;       // 0 = the report's own choice
  uint32_t max_tokens = 0;  // likewise
  bool with_prompt = false;
  std::string table;  // for CSV
};

struct DiffFileOptions {
  std::string before, after;  // files
  report::DiffOptions compare;
  double annual_cost = 0;         // 0 = not given
  double cost_per_core_hour = 0;  // 0 = not given
  bool json = false;
  std::string output = "-";
};

struct QueryOptions {
  std::string input;  // "-" = standard input
  report::Query query;
  bool python_only = false;
};

struct McpOptions {
  std::vector<std::string> files;
};

enum class Verb : uint8_t {
  kShowText,
  kSnapshot,
  kConvert,
  kDiff,
  kQuery,
  kMcp,
  kDaemon,
  kPs,
  kDump,
  kTop,
  kProbes,
  kDoctor,
  kCheckConfig
};

struct Invocation {
  Verb verb = Verb::kShowText;
  std::string text;  // kShowText: what --help and --version print
  SnapshotOptions snapshot;
  daemon::DaemonOptions daemon;
  PsOptions ps;
  DumpOptions dump;
  TopOptions top;
  ConvertOptions convert;
  DiffFileOptions diff;
  QueryOptions query;
  McpOptions mcp;
  ProbesOptions probes;
  DoctorOptions doctor;
  std::string check_config_file;
};

// `arguments` without the program's name. The error is one line that names the word that is wrong.
[[nodiscard]] Result<Invocation> parse_arguments(const std::vector<std::string>& arguments);

// "1,22,333" and single numbers, each 1 to 4194304; repeated ones are dropped.
[[nodiscard]] Result<std::vector<int32_t>> parse_pids(const std::vector<std::string>& words);

}  // namespace pyprof::cli
