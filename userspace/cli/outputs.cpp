// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/outputs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "userspace/aggregate/clean_text.h"
#include "userspace/export/writer.h"

namespace pyprof::cli {
namespace {

using exporter::Format;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error output_error(const std::string& path, const std::string& why, int errno_value) {
  return errno_error("output '" + aggregate::clean_text(path) + "'" + why, errno_value);
}

Result<void> check_file(const std::string& path) {
  if (path.empty()) return Error{"-o: no file name; - is standard output"};
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return output_error(path, "", EISDIR);
  if (exists && ::access(path.c_str(), W_OK) != 0) return output_error(path, "", errno);
  if (exists && !S_ISREG(status.st_mode)) return {};
  const std::string folder = folder_of(path);
  if (::stat(folder.c_str(), &status) != 0) {
    return output_error(path, ": folder '" + aggregate::clean_text(folder) + "'", errno);
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return output_error(path, ": writing to its folder", errno);
  }
  return {};
}

}  // namespace

Result<std::vector<Output>> plan_outputs(const std::vector<std::string>& paths,
                                         const std::string& format) {
  std::vector<Output> outputs;
  Format fallback = Format::kText;
  if (!format.empty()) {
    const auto parsed = exporter::parse_format(format);
    if (!parsed) return parsed.error();
    fallback = *parsed;
  }
  for (const std::string& path : paths) {
    for (const Output& other : outputs) {
      if (other.path == path) return Error{"output '" + aggregate::clean_text(path) + "' twice"};
    }
    const auto inferred = format.empty() ? exporter::infer_format(path) : std::nullopt;
    outputs.push_back({path, inferred.value_or(fallback)});
  }
  return outputs;
}

Result<void> check_writable(const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    if (output.path == "-") {
      if (!exporter::is_binary(output.format) || ::isatty(STDOUT_FILENO) == 0) continue;
      return Error{std::string(exporter::format_name(output.format)) +
                   " is binary and would go to the terminal: use -o FILE"};
    }
    if (const auto good = check_file(output.path); !good) return good;
  }
  return {};
}

std::vector<Format> formats_of(const std::vector<Output>& outputs) {
  std::vector<Format> formats;
  for (const Output& output : outputs) {
    if (std::find(formats.begin(), formats.end(), output.format) == formats.end()) {
      formats.push_back(output.format);
    }
  }
  return formats;
}

Result<void> write_outputs(const std::vector<Output>& outputs,
                           const std::vector<std::string>& rendered) {
  const std::vector<Format> formats = formats_of(outputs);
  for (const Output& output : outputs) {
    const auto at = std::find(formats.begin(), formats.end(), output.format) - formats.begin();
    const auto written =
        exporter::write_output(output.path, rendered[static_cast<std::size_t>(at)]);
    if (!written) return written;
  }
  return {};
}

}  // namespace pyprof::cli
