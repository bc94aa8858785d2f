// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_top.h"

#include <utility>

#include "userspace/report/live_rows.h"

namespace pyprof::cli {
namespace {

constexpr double kMinSeconds = 0.1;
constexpr double kMaxSeconds = 3'600;
constexpr uint32_t kMaxRateHz = 1'000;

std::vector<std::string> view_names() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < report::kLiveViews; ++i)
    names.emplace_back(report::live_view_name(static_cast<report::LiveView>(i)));
  return names;
}

}  // namespace

CLI::App* add_top(CLI::App& app, TopOptions& options, TopWords& words) {
  CLI::App* verb = app.add_subcommand("top", "Show live where CPU time goes");
  verb->add_option("-p,--pid", words.pids, "Process to show; repeat it or separate by commas")
      ->allow_extra_args(false)
      ->type_name("PID");
  verb->add_option("-r,--rate", options.rate_hz, "Samples per second and CPU")
      ->capture_default_str()
      ->check(CLI::Range(1U, kMaxRateHz));
  verb->add_flag("--once", options.once, "Print one picture as plain text and end");
  verb->add_flag("--plain", options.plain, "Print plain text, no terminal is needed");
  verb->add_option("-d,--duration", options.duration_s, "Seconds of each plain picture")
      ->capture_default_str()
      ->check(CLI::Range(kMinSeconds, kMaxSeconds));
  verb->add_option("--view", options.view, "What to show first")
      ->check(CLI::IsMember(view_names()));
  verb->add_flag("-s,--subprocesses", options.subprocesses, "Show what the processes fork, too");
  verb->add_flag("-g,--gil", options.gil, "Only samples that hold the GIL");
  verb->add_flag_callback(
      "-F,--function", [] {}, "Accepted: lines are told apart after the key L alone");
  verb->add_flag("-n,--native", options.native, "Show every native frame, the interpreter's too");
  verb->add_flag("--full-filenames", options.full_filenames, "Show whole paths of Python files");
  verb->add_flag_callback(
      "--nonblocking", [] {}, "Accepted and ignored: processes are never stopped");
  verb->add_flag("--no-daemon", options.no_daemon, "Do not ask a running daemon");
  verb->add_option("--control-socket", options.control_socket, "Where the daemon listens")
      ->type_name("PATH");
  verb->add_option("-c,--config", options.config_path, "Configuration file")->type_name("FILE");
  return verb;
}

Result<void> check_top(TopOptions& options, const TopWords& words) {
  auto pids = parse_pids(words.pids);
  if (!pids) return pids.error();
  options.pids = *std::move(pids);
  return {};
}

}  // namespace pyprof::cli
