// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_dump.h"

namespace pyprof::cli {

CLI::App* add_dump(CLI::App& app, DumpOptions& options, DumpWords& words) {
  CLI::App* verb = app.add_subcommand("dump", "Print where each thread of a process is now");
  verb->add_option("-p,--pid", words.pid, "The process")->required()->type_name("PID");
  verb->add_flag("-j,--json", options.json, "JSON instead of text");
  verb->add_flag("-l,--locals", options.locals,
                 "Show local variables; twice: longer values and more of them");
  verb->add_flag("--redact", options.redact,
                 "Leave out values whose names look secret, and cut texts after 16 bytes");
  verb->add_flag("-n,--native", words.native, "Not available yet");
  verb->add_flag("--full-filenames", options.full_filenames, "Show whole paths of Python files");
  verb->add_flag_callback(
      "--nonblocking", [] {}, "Accepted and ignored: processes are never stopped");
  return verb;
}

Result<void> check_dump(DumpOptions& options, const DumpWords& words) {
  if (words.native) {
    return Error{
        "dump -n/--native is not available in this version; snapshot -n shows native "
        "frames of what runs"};
  }
  const auto pids = parse_pids({words.pid});
  if (!pids) return pids.error();
  if (pids->size() != 1) return Error{"dump looks at one process: give one pid"};
  options.pid = pids->front();
  return {};
}

}  // namespace pyprof::cli
