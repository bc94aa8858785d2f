// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/cli/options_dump.h"
#include "userspace/cli/options_saved.h"
#include "userspace/cli/options_top.h"
#include "userspace/daemon/render.h"
#include "userspace/daemon/version.h"

namespace pyprof::cli {
namespace {

constexpr double kMaxDurationS = 86'400;
constexpr uint32_t kMaxRateHz = 10'000;

// Words as they were typed, before they are checked.
struct Raw {
  std::vector<std::string> pids;
  std::string doctor_pid;
  DumpWords dump;
  std::string probes_pid;
  TopWords top;
  std::string by;
  SavedWords saved;
  double duration_s = 0;
  std::vector<std::string> not_built;  // filled by the flags that are known but not there yet
};

std::string shown(std::string_view text) {
  return "'" + aggregate::clean_text(text, 80) + "'";
}

void add_duration(CLI::App& verb, Raw& raw) {
  verb.add_option("-d,--duration", raw.duration_s, "Seconds to sample, fractions allowed")
      ->default_str("10, or as long as the command runs")
      ->check([](const std::string& text) {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        const bool good = end != text.c_str() && *end == '\0' && value > 0;
        return good && value <= kMaxDurationS
                   ? std::string()
                   : shown(text) + " is not a time from above 0 to 86400";
      });
}

void add_not_built(CLI::App& verb, Raw& raw, const std::string& names, const std::string& name) {
  verb.add_flag_callback(
      names, [&raw, name] { raw.not_built.push_back(name); }, "Not available yet");
}

void add_targets(CLI::App& verb, SnapshotOptions& options, Raw& raw) {
  verb.add_option("-p,--pid", raw.pids, "Process to profile; repeat it or separate by commas")
      ->allow_extra_args(false)
      ->type_name("PID");
  verb.add_flag("-a,--all", options.all, "Profile every process");
  verb.add_flag("-s,--subprocesses", options.subprocesses,
                "Profile what the processes fork, too (of a command: always, by root)");
}

void add_view(CLI::App& verb, SnapshotOptions& options, Raw& raw) {
  verb.add_flag("-t,--threads", options.threads, "Tell threads apart in graphs");
  verb.add_flag("-n,--native", options.native, "Show every native frame, the interpreter's too");
  verb.add_flag("--python-only", options.python_only, "Show Python frames alone");
  verb.add_flag("--full-filenames", options.full_filenames, "Show whole paths of Python files");
  verb.add_option("--limit", options.limit, "Rows of each table of the text report")
      ->check(CLI::Range(1U, daemon::RenderRequest::kMaxLimit));
  verb.add_flag("-g,--gil", options.gil, "Only samples that hold the GIL");
  verb.add_option("--by", raw.by, "Group by thread, task, gil, gc, import or interpreter")
      ->type_name("WHAT");
  verb.add_flag(
      "--usdt", options.usdt,
      "Attach to CPython's probes of its collector and of imports: writes breakpoints into "
      "the process while it runs");
  add_not_built(verb, raw, "-i,--idle", "-i/--idle");
  verb.add_flag_callback(
      "-F,--function", [&options] { options.lines = aggregate::LineMode::kFirst; },
      "In graphs, show the line of the def instead of the line that ran");
  verb.add_flag_callback(
      "--nolineno", [&options] { options.lines = aggregate::LineMode::kNone; },
      "Show no lines in graphs");
  verb.add_flag_callback(
      "--nonblocking", [] {}, "Accepted and ignored: processes are never stopped");
}

void add_config(CLI::App& verb, std::optional<std::string>& config) {
  verb.add_option("-c,--config", config, "Configuration file")->type_name("FILE");
}

void add_control(CLI::App& verb, std::optional<std::string>& control_socket) {
  verb.add_option("--control-socket", control_socket, "Where the daemon listens")
      ->type_name("PATH");
}

void add_snapshot(CLI::App& verb, SnapshotOptions& options, Raw& raw) {
  add_targets(verb, options, raw);
  add_duration(verb, raw);
  verb.add_option("-r,--rate", options.rate_hz, "Samples per second and CPU")
      ->capture_default_str()
      ->check(CLI::Range(1U, kMaxRateHz));
  add_outputs(verb, options);
  add_view(verb, options, raw);
  verb.add_flag("--no-daemon", options.no_daemon, "Do not ask a running daemon");
  add_control(verb, options.control_socket);
  add_config(verb, options.config_path);
}

// The verbs of the program. The objects given must outlive parse().
class Grammar {
 public:
  Grammar(Invocation& into, Raw& raw)
      : app_("CPU profiler for Python and native code.", "pyebpf-prof") {
    app_.require_subcommand(1);
    app_.set_version_flag("-V,--version", std::string("pyebpf-prof ") + daemon::tool_version());
    snapshot_ = app_.add_subcommand("snapshot", "Profile running processes for some seconds");
    add_snapshot(*snapshot_, into.snapshot, raw);
    record_ = app_.add_subcommand("record", "The same; also runs a command: record -- CMD ARGS");
    add_snapshot(*record_, into.snapshot, raw);
    daemon_ = app_.add_subcommand("daemon", "Sample all the time and serve metrics");
    add_config(*daemon_, into.daemon.config_path);
    daemon_->add_option("--listen", into.daemon.listen, "Address of /metrics")
        ->type_name("HOST:PORT");
    add_control(*daemon_, into.daemon.control_socket);
    ps_ = app_.add_subcommand("ps", "List Python processes and whether they can be profiled");
    ps_->add_flag("-j,--json", into.ps.json, "JSON instead of a table");
    add_config(*ps_, into.ps.config_path);
    add_control(*ps_, into.ps.control_socket);
    dump_ = add_dump(app_, into.dump, raw.dump);
    top_ = add_top(app_, into.top, raw.top);
    convert_ = add_convert(app_, into.convert);
    diff_ = add_diff(app_, into.diff, raw.saved);
    query_ = add_query(app_, into.query);
    mcp_ = add_mcp(app_, into.mcp);
    probes_ = app_.add_subcommand("probes", "List the USDT probes of a process");
    probes_->add_option("-p,--pid", raw.probes_pid, "The process")->required()->type_name("PID");
    probes_->add_flag("-j,--json", into.probes.json, "JSON instead of a table");
    add_doctor(into.doctor, raw);
    check_ = app_.add_subcommand("check-config", "Check a configuration file");
    check_->add_option("file", into.check_config_file, "The file")->required()->type_name("FILE");
    app_.footer(
        "Exit codes: 0 fine, 1 wrong usage, 2 not allowed, 3 no such process, "
        "4 not supported, 5 no samples.");
  }

  void parse(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    app_.parse(std::move(words));
  }

  [[nodiscard]] Verb verb() const {
    if (snapshot_->parsed() || record_->parsed()) return Verb::kSnapshot;
    if (daemon_->parsed()) return Verb::kDaemon;
    if (ps_->parsed()) return Verb::kPs;
    if (dump_->parsed()) return Verb::kDump;
    if (top_->parsed()) return Verb::kTop;
    if (convert_->parsed()) return Verb::kConvert;
    if (diff_->parsed()) return Verb::kDiff;
    if (query_->parsed()) return Verb::kQuery;
    if (mcp_->parsed()) return Verb::kMcp;
    if (probes_->parsed()) return Verb::kProbes;
    return doctor_->parsed() ? Verb::kDoctor : Verb::kCheckConfig;
  }

  [[nodiscard]] bool has_verb() const { return !app_.get_subcommands().empty(); }
  [[nodiscard]] bool records() const { return record_->parsed(); }
  [[nodiscard]] std::string help() const {
    for (const CLI::App* verb : app_.get_subcommands())
      return verb->help("pyebpf-prof");
    return app_.help();
  }

 private:
  void add_doctor(DoctorOptions& options, Raw& raw) {
    doctor_ = app_.add_subcommand("doctor", "Say what works on this machine, and what to do else");
    doctor_->add_option("-p,--pid", raw.doctor_pid, "Look at this process, too")->type_name("PID");
    add_config(*doctor_, options.config_path);
    add_control(*doctor_, options.control_socket);
  }

  CLI::App app_;
  CLI::App* snapshot_ = nullptr;
  CLI::App* record_ = nullptr;
  CLI::App* daemon_ = nullptr;
  CLI::App* ps_ = nullptr;
  CLI::App* dump_ = nullptr;
  CLI::App* top_ = nullptr;
  CLI::App* convert_ = nullptr;
  CLI::App* diff_ = nullptr;
  CLI::App* query_ = nullptr;
  CLI::App* mcp_ = nullptr;
  CLI::App* probes_ = nullptr;
  CLI::App* doctor_ = nullptr;
  CLI::App* check_ = nullptr;
};

Result<void> check_snapshot(SnapshotOptions& options, const Raw& raw) {
  if (!raw.not_built.empty()) {
    return Error{raw.not_built.front() + " is not available in this version; leave it out"};
  }
  auto pids = parse_pids(raw.pids);
  if (!pids) return pids.error();
  options.pids = *std::move(pids);
  const int targets = static_cast<int>(!options.pids.empty()) + static_cast<int>(options.all) +
                      static_cast<int>(!options.command.empty());
  if (targets == 0) return Error{"what to profile? give --pid PID or --all"};
  if (targets > 1) return Error{"give only one of --pid, --all and a command"};
  const auto by = aggregate::parse_group(raw.by);
  if (!by) {
    return Error{"--by: " + shown(raw.by) + " is not thread, task, gil, gc, import or interpreter"};
  }
  options.by = *by;
  if (options.usdt && options.pids.empty()) return Error{"--usdt is for processes given by --pid"};
  if (*by == aggregate::GroupBy::kImport && !options.usdt) {
    return Error{"--by import needs --usdt, which attaches to the process's probes"};
  }
  if (raw.duration_s > 0) options.duration_s = raw.duration_s;
  if (options.native && options.python_only) return Error{"give only one of -n and --python-only"};
  return check_outputs(options.outputs, options.format);
}

Result<void> check_saved(Invocation& invocation, const Raw& raw) {
  if (invocation.verb == Verb::kConvert) {
    return check_outputs(invocation.convert.outputs, invocation.convert.format);
  }
  if (invocation.verb == Verb::kDiff) return check_diff(invocation.diff, raw.saved);
  return {};
}

Result<void> check_doctor(DoctorOptions& options, const Raw& raw) {
  if (raw.doctor_pid.empty()) return {};
  const auto pids = parse_pids({raw.doctor_pid});
  if (!pids) return pids.error();
  if (pids->size() != 1) return Error{"doctor looks at one process: give one pid"};
  options.pid = pids->front();
  return {};
}

Result<void> check_one_pid(const std::string& words, const char* verb, int32_t& pid) {
  const auto pids = parse_pids({words});
  if (!pids) return pids.error();
  if (pids->size() != 1) return Error{std::string(verb) + " looks at one process: give one pid"};
  pid = pids->front();
  return {};
}

Error usage_error(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  return Error{message + "; see `pyebpf-prof --help`"};
}

Result<void> parse_into(Grammar& grammar, Invocation& invocation,
                        const std::vector<std::string>& words) {
  try {
    grammar.parse(words);
    invocation.verb = grammar.verb();
  } catch (const CLI::CallForVersion& version) {
    invocation.text = std::string(version.what()) + "\n";
  } catch (const CLI::Success&) {
    invocation.text = grammar.help();
  } catch (const CLI::RequiredError& error) {
    if (grammar.has_verb()) return usage_error(error.what());
    const std::string what = words.empty() ? "no verb" : "unknown verb " + shown(words.front());
    return usage_error(what +
                       ": use snapshot, record, top, convert, diff, query, mcp, daemon, ps, dump, "
                       "probes, "
                       "doctor or check-config");
  } catch (const CLI::Error& error) {
    return usage_error(error.what());
  }
  return {};
}

}  // namespace

Result<Invocation> parse_arguments(const std::vector<std::string>& arguments) {
  Invocation invocation;
  Raw raw;
  Grammar grammar(invocation, raw);
  // What follows "--" belongs to the command: no word of it is looked at here.
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  const auto parsed = parse_into(grammar, invocation, {arguments.begin(), end});
  if (!parsed) return parsed.error();
  if (end != arguments.end()) {
    if (!grammar.records()) return Error{"only `record` takes a command after --"};
    invocation.snapshot.command.assign(end + 1, arguments.end());
    if (invocation.snapshot.command.empty()) return Error{"there is no command after --"};
  }
  if (invocation.verb == Verb::kSnapshot) {
    const auto good = check_snapshot(invocation.snapshot, raw);
    if (!good) return good.error();
  }
  if (const auto good = check_saved(invocation, raw); !good) return good.error();
  if (invocation.verb == Verb::kTop) {
    const auto good = check_top(invocation.top, raw.top);
    if (!good) return good.error();
  }
  if (invocation.verb == Verb::kProbes) {
    const auto good = check_one_pid(raw.probes_pid, "probes", invocation.probes.pid);
    if (!good) return good.error();
  }
  if (invocation.verb == Verb::kDump) {
    const auto good = check_dump(invocation.dump, raw.dump);
    if (!good) return good.error();
  }
  const auto good = check_doctor(invocation.doctor, raw);
  if (!good) return good.error();
  return invocation;
}

}  // namespace pyprof::cli
