// SPDX-License-Identifier: Apache-2.0
// The program: turns words into calls and Results into exit codes.
#include <cstdio>
#include <exception>

#include "userspace/base/log.h"
#include "userspace/cli/doctor.h"
#include "userspace/cli/dump.h"
#include "userspace/cli/mcp.h"
#include "userspace/cli/options.h"
#include "userspace/cli/probes.h"
#include "userspace/cli/ps.h"
#include "userspace/cli/saved.h"
#include "userspace/cli/snapshot.h"
#include "userspace/cli/top.h"
#include "userspace/export/writer.h"

namespace pyprof::cli {
namespace {

Result<ExitCode> ok_or(const Result<void>& result) {
  if (!result) return result.error();
  return ExitCode::kOk;
}

Result<ExitCode> check_config(const std::string& path) {
  const auto config = config::load_file(path);
  if (!config) return config.error();
  return ok_or(exporter::write_output("-", path + ": ok\n"));
}

Result<ExitCode> run(const std::vector<std::string>& arguments) {
  const auto invocation = parse_arguments(arguments);
  if (!invocation) return invocation.error();
  switch (invocation->verb) {
    case Verb::kSnapshot:
      return ok_or(take_snapshot(invocation->snapshot));
    case Verb::kConvert:
      return ok_or(convert_profile(invocation->convert));
    case Verb::kDiff:
      return ok_or(diff_profiles(invocation->diff));
    case Verb::kQuery:
      return ok_or(query_profile(invocation->query));
    case Verb::kMcp:
      return ok_or(serve_mcp(invocation->mcp));
    case Verb::kDaemon:
      return ok_or(daemon::run(invocation->daemon));
    case Verb::kPs:
      return ok_or(list_processes(invocation->ps));
    case Verb::kDump:
      return ok_or(dump_threads(invocation->dump));
    case Verb::kTop:
      return ok_or(show_top(invocation->top));
    case Verb::kProbes:
      return ok_or(list_probes(invocation->probes));
    case Verb::kDoctor:
      return examine(invocation->doctor);
    case Verb::kCheckConfig:
      return check_config(invocation->check_config_file);
    case Verb::kShowText:
      break;
  }
  return ok_or(exporter::write_output("-", invocation->text));
}

int main_of(int argc, char** argv) {
  const auto code = run({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (code) return static_cast<int>(*code);
  std::fprintf(stderr, "pyebpf-prof: %s\n", log::sanitise(code.error().message).c_str());
  return static_cast<int>(code.error().code);
}

}  // namespace
}  // namespace pyprof::cli

// What still throws, such as a lack of memory, ends the program with a word and not with a core.
int main(int argc, char** argv) {
  try {
    return pyprof::cli::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pyebpf-prof: %s\n", error.what());
    return static_cast<int>(pyprof::ExitCode::kUsage);
  }
}
