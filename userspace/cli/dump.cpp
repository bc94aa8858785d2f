// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "userspace/aggregate/clean_text.h"
#include "userspace/daemon/targets.h"
#include "userspace/engine/thread_stacks.h"
#include "userspace/export/writer.h"

namespace pyprof::cli {
namespace {

using aggregate::clean_text;

constexpr std::chrono::milliseconds kLimit{5'000};
constexpr std::size_t kMaxNameBytes = 256;         // of a local
constexpr std::size_t kMaxValueBytes = 16 * 1024;  // with all that is in it

std::optional<python::ValueLimits> limits_of(const DumpOptions& options) {
  if (options.locals == 0) return std::nullopt;
  python::ValueLimits limits;
  if (options.locals > 1) limits = {1'000, 32, 4, false};
  limits.redact = options.redact;
  return limits;
}

const char* state_text(char state) {
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

std::string title(const process::ProcFs& proc, int32_t pid, const std::string& version) {
  std::string text = fmt::format("Process {}:", pid);
  if (const auto command = proc.command(pid)) {
    for (const std::string& word : *command)
      text += " " + clean_text(word);
  }
  return text + fmt::format("\nCPython {}\n", version.empty() ? "of unknown version" : version);
}

std::string frame_line(const python::StackFrame& frame, bool full_filenames) {
  const std::string file = clean_text(
      full_filenames ? std::string_view(frame.filename) : aggregate::base_name(frame.filename),
      4'096);
  const std::string name = frame.qualname.empty() ? "<unnamed>" : clean_text(frame.qualname);
  return fmt::format("    {} ({}:{})\n", name, file.empty() ? "?" : file, frame.line);
}

std::string thread_text(const engine::ThreadNow& thread, bool full_filenames) {
  const std::string& name = thread.python_name.empty() ? thread.comm : thread.python_name;
  std::string text = fmt::format("\nThread {} \"{}\" ({})", thread.tid, clean_text(name),
                                 state_text(thread.state));
  if (!thread.stack) return text + "\n    [no Python frame]\n";
  if (!thread.stack->stable) text += ", moving while it was read";
  text += "\n";
  for (const python::StackFrame& frame : thread.stack->frames) {
    text += frame_line(frame, full_filenames);
    for (const python::Local& local : frame.locals)
      text += fmt::format("        {} = {}\n", clean_text(local.name, kMaxNameBytes),
                          clean_text(local.value, kMaxValueBytes));
  }
  if (!thread.stack->whole) text += "    [truncated]\n";
  return text;
}

nlohmann::ordered_json thread_json(const engine::ThreadNow& thread) {
  nlohmann::ordered_json json;
  json["tid"] = thread.tid;
  json["name"] = thread.python_name;
  json["comm"] = thread.comm;
  json["state"] = state_text(thread.state);
  json["frames"] = nlohmann::ordered_json::array();
  if (!thread.stack) return json;
  json["interpreter"] = thread.stack->interpreter;
  json["whole"] = thread.stack->whole;
  json["stable"] = thread.stack->stable;
  for (const python::StackFrame& frame : thread.stack->frames) {
    nlohmann::ordered_json one = {{"function", frame.qualname},
                                  {"file", frame.filename},
                                  {"line", frame.line},
                                  {"first_line", frame.first_line}};
    for (const python::Local& local : frame.locals)
      one["locals"][clean_text(local.name, kMaxNameBytes)] =
          clean_text(local.value, kMaxValueBytes);
    json["frames"].push_back(std::move(one));
  }
  return json;
}

std::string to_json(int32_t pid, const std::string& version,
                    const std::vector<engine::ThreadNow>& threads) {
  nlohmann::ordered_json all;
  all["pid"] = pid;
  all["python"] = version;
  all["threads"] = nlohmann::ordered_json::array();
  for (const engine::ThreadNow& thread : threads)
    all["threads"].push_back(thread_json(thread));
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<void> dump_threads(const DumpOptions& options) {
  const process::ProcFs proc;
  if (const auto there = daemon::check_process(proc, options.pid); !there) return there.error();
  daemon::PythonFinder finder(proc);
  const auto found = finder.find_runtime(options.pid);
  if (!found) return found.error();
  const auto threads = engine::threads_now(options.pid, found->runtime, kLimit, limits_of(options));
  if (!threads) return threads.error();
  if (options.json) {
    return exporter::write_output("-", to_json(options.pid, found->version, *threads));
  }
  std::string text = title(proc, options.pid, found->version);
  for (const engine::ThreadNow& thread : *threads)
    text += thread_text(thread, options.full_filenames);
  return exporter::write_output("-", text);
}

}  // namespace pyprof::cli
