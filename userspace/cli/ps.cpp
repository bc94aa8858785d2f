// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ps.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "userspace/aggregate/process_status.h"
#include "userspace/base/clock.h"
#include "userspace/daemon/daemon.h"
#include "userspace/daemon/known_processes.h"
#include "userspace/daemon/targets.h"
#include "userspace/export/writer.h"
#include "userspace/process/process_info.h"
#include "userspace/report/process_table.h"

namespace pyprof::cli {
namespace {

constexpr std::chrono::milliseconds kCpuInterval{300};

struct Found {
  report::ProcessRow row;
  model::ProcessInfo process;  // what its status is judged by
  uint64_t ticks = 0;          // CPU time at the first look
  uint64_t start_ticks = 0;
};

struct Listing {
  std::vector<Found> processes;
  std::size_t unreadable = 0;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

Found look_at(const process::ProcFs& proc, int32_t pid, daemon::PythonSupport python,
              const daemon::KnownProcesses& known) {
  Found found;
  found.process.pid = pid;
  found.process.python_full_version = std::move(python.version);
  found.process.python = std::move(python.details);
  daemon::add_known(known, found.process);
  report::ProcessRow& row = found.row;
  row.pid = pid;
  row.version = found.process.python_full_version;
  row.status = aggregate::status_text(found.process);
  const auto info = process::read_process_info(proc, pid, 0);
  if (!info) return found;
  row.namespace_pid = info->namespace_pid;
  row.container = info->container.id;
  row.command = info->command.empty() ? info->comm : joined(info->command);
  return found;
}

Listing find_python(const process::ProcFs& proc, const daemon::KnownProcesses& known) {
  Listing listing;
  daemon::PythonFinder finder(proc);
  for (const int32_t pid : proc.pids()) {
    auto python = finder.find(pid);
    if (!python) {
      listing.unreadable += python.error().code == ExitCode::kPermission ? 1 : 0;
      continue;
    }
    if (*python) listing.processes.push_back(look_at(proc, pid, **std::move(python), known));
  }
  return listing;
}

// Two looks at the CPU clocks; processes that end in between keep 0.
void measure_cpu(const process::ProcFs& proc, std::vector<Found>& processes) {
  for (Found& found : processes) {
    const auto stat = proc.stat(found.row.pid);
    if (!stat) continue;
    found.ticks = stat->user_ticks + stat->system_ticks;
    found.start_ticks = stat->start_ticks;
    found.row.threads = stat->threads;
  }
  const uint64_t begin_ns = monotonic_ns();
  std::this_thread::sleep_for(kCpuInterval);
  const double waited_s = static_cast<double>(monotonic_ns() - begin_ns) / 1e9;
  const double ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (Found& found : processes) {
    const auto stat = proc.stat(found.row.pid);
    if (!stat || stat->start_ticks != found.start_ticks) continue;
    const uint64_t ticks = stat->user_ticks + stat->system_ticks;
    if (ticks < found.ticks) continue;
    found.row.cpu_percent =
        100.0 * static_cast<double>(ticks - found.ticks) / ticks_per_s / waited_s;
  }
}

std::string to_json(const std::vector<Found>& processes) {
  nlohmann::json all = nlohmann::json::array();
  for (const Found& found : processes) {
    const report::ProcessRow& row = found.row;
    const aggregate::Verdict verdict = aggregate::judge(found.process);
    all.push_back({{"pid", row.pid},
                   {"nspid", row.namespace_pid},
                   {"version", row.version},
                   {"container", row.container},
                   {"threads", row.threads},
                   {"cpu_percent", row.cpu_percent},
                   {"status", to_label(verdict.status)},
                   {"reason", verdict.reason},
                   {"status_text", row.status},
                   {"samples", found.process.coverage.samples},
                   {"whole_samples", found.process.coverage.whole},
                   {"build", found.process.python.build},
                   {"image", found.process.python.image},
                   {"command", row.command}});
  }
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string to_table(const std::vector<Found>& processes) {
  std::vector<report::ProcessRow> rows;
  for (const Found& found : processes)
    rows.push_back(found.row);
  return report::process_table(rows);
}

}  // namespace

Result<void> list_processes(const PsOptions& options) {
  const process::ProcFs proc;
  const auto config = daemon::load_config({options.config_path, {}, options.control_socket});
  if (!config) return config.error();
  Listing listing = find_python(proc, daemon::ask_processes(config->daemon.control_socket));
  if (!listing.processes.empty()) measure_cpu(proc, listing.processes);
  const auto written = exporter::write_output(
      "-", options.json ? to_json(listing.processes) : to_table(listing.processes));
  if (listing.unreadable > 0 && ::geteuid() != 0) {
    std::fprintf(stderr, "%zu processes of other users could not be looked at: run as root\n",
                 listing.unreadable);
  }
  return written;
}

}  // namespace pyprof::cli
