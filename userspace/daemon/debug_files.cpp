// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/debug_files.h"

#include "userspace/base/helper_path.h"

namespace pyprof::daemon {

Result<debuginfod::Options> debuginfod_options(const config::Config& config) {
  debuginfod::Options options;
  if (config.symbols.debuginfod_urls.empty()) return options;
  auto program = find_helper("pyebpf-debuginfod", "install pyebpf-prof again, as a whole");
  if (!program) return program.error();
  options.urls = config.symbols.debuginfod_urls;
  options.folder = config.daemon.state_dir + "/debuginfod";
  options.folder_bytes = config.symbols.debuginfod_bytes;
  options.program = *std::move(program);
  return options;
}

}  // namespace pyprof::daemon
