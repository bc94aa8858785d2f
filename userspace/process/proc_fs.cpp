// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/proc_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <optional>

#include "bpf/wire.h"
#include "userspace/base/fd.h"
#include "userspace/process/proc_maps.h"

namespace pyprof::process {
namespace {

constexpr std::size_t kMaxStatBytes = 4096;
constexpr std::size_t kMaxStatusBytes = 64 * 1024;
constexpr std::size_t kMaxCgroupBytes = 256 * 1024;
constexpr std::size_t kMaxMountinfoBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxLineBytes = 32 * 1024;  // a path of 4 KiB, each byte escaped, and more
constexpr std::size_t kReadBytes = 64 * 1024;

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Calls sink(bytes) until the end of the file or until it returns false. Gives the errno, 0 = fine.
template <typename Sink>
int read_chunks(const std::string& path, Sink&& sink) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno;
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    const auto count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return 0;
    if (!sink(std::string_view(buffer.data(), static_cast<std::size_t>(count)))) return 0;
  }
}

Result<std::string> read_link(int32_t pid, std::string_view what, const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const auto count = ::readlink(path.c_str(), target.data(), target.size());
  if (count < 0) return process_error(pid, what, errno);
  return std::string(target.data(), static_cast<std::size_t>(count));
}

std::vector<std::string_view> split(std::string_view text, char separator, std::size_t max_parts) {
  std::vector<std::string_view> parts;
  while (!text.empty() && parts.size() < max_parts) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
  }
  return parts;
}

// comm is the process's own text and may hold ") ": only the last parenthesis ends it.
std::optional<ProcessStat> parse_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  if (close + 2 > text.size()) return std::nullopt;
  const auto fields = split(text.substr(close + 2), ' ', 64);
  constexpr std::size_t kFirst = 3;  // number of the first field after comm in proc(5)
  if (fields.size() <= 22 - kFirst || fields[0].empty()) return std::nullopt;
  ProcessStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.state = fields[0].front();
  stat.parent_pid = to_number<int32_t>(fields[4 - kFirst]).value_or(0);
  stat.user_ticks = to_number<uint64_t>(fields[14 - kFirst]).value_or(0);
  stat.system_ticks = to_number<uint64_t>(fields[15 - kFirst]).value_or(0);
  stat.threads = to_number<uint32_t>(fields[20 - kFirst]).value_or(0);
  stat.start_ticks = to_number<uint64_t>(fields[22 - kFirst]).value_or(0);
  return stat;
}

// Cuts a stream into lines and keeps the executable mappings in it.
class MapsCollector {
 public:
  bool feed(std::string_view bytes) {
    total_ += bytes.size();
    carry_.append(bytes);
    std::size_t at = 0;
    for (auto end = carry_.find('\n'); end != std::string::npos; end = carry_.find('\n', at)) {
      add_line(std::string_view(carry_).substr(at, end - at));
      at = end + 1;
    }
    carry_.erase(0, at);
    if (carry_.size() > kMaxLineBytes || total_ > ProcFs::kMaxMapsBytes) found_.complete = false;
    return found_.complete;
  }
  ExecutableMappings take() { return std::move(found_); }

 private:
  void add_line(std::string_view line) {
    auto mapping = parse_maps_line(line);
    if (!mapping) return;
    // The kernel prints in order; while the process maps and unmaps, a range can come twice.
    if (!found_.mappings.empty() && mapping->start < found_.mappings.back().end) return;
    if (found_.mappings.size() >= WIRE_MAX_MAPPINGS) {
      found_.complete = false;
      return;
    }
    found_.mappings.push_back(std::move(*mapping));
  }

  ExecutableMappings found_;
  std::string carry_;
  std::size_t total_ = 0;
};

// Names in a directory that are numbers, ascending.
std::vector<int32_t> numbers_in(const std::string& path, std::size_t max) {
  std::vector<int32_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (!directory) return numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto number = to_number<int32_t>(entry->d_name);
    if (number && *number > 0 && numbers.size() < max) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

Error process_error(int32_t pid, std::string_view what, int errno_value) {
  const std::string doing = std::string(what) + " of process " + std::to_string(pid);
  if (errno_value == ENOENT || errno_value == ESRCH) {
    return Error{doing + ": it has exited", ExitCode::kNoProcess, errno_value};
  }
  return errno_error(doing, errno_value);
}

std::string ProcFs::path(int32_t pid, std::string_view name) const {
  std::string path = root_ + "/" + (pid == 0 ? std::string("self") : std::to_string(pid)) + "/";
  return path.append(name);
}

Result<std::string> ProcFs::read(int32_t pid, std::string_view name, std::size_t max_bytes) const {
  std::string text;
  const int failure = read_chunks(path(pid, name), [&](std::string_view bytes) {
    text.append(bytes.substr(0, max_bytes - text.size()));
    return text.size() < max_bytes;
  });
  if (failure != 0) return process_error(pid, "reading " + std::string(name), failure);
  return text;
}

std::vector<int32_t> ProcFs::pids() const {
  return numbers_in(root_, SIZE_MAX);
}

std::vector<int32_t> ProcFs::threads(int32_t pid) const {
  return numbers_in(path(pid, "task"), kMaxThreads);
}

Result<ProcessStat> ProcFs::stat(int32_t pid) const {
  const auto text = read(pid, "stat", kMaxStatBytes);
  if (!text) return text.error();
  auto stat = parse_stat(*text);
  if (!stat) return Error{"reading stat of process " + std::to_string(pid) + ": not understood"};
  return std::move(*stat);
}

Result<std::string> ProcFs::exe(int32_t pid) const {
  return read_link(pid, "reading the executable", path(pid, "exe"));
}

Result<std::vector<std::string>> ProcFs::command(int32_t pid) const {
  const auto text = read(pid, "cmdline", kMaxCommandBytes);
  if (!text) return text.error();
  const auto parts = split(*text, '\0', kMaxArguments);
  return std::vector<std::string>(parts.begin(), parts.end());
}

Result<int32_t> ProcFs::namespace_pid(int32_t pid) const {
  const auto text = read(pid, "status", kMaxStatusBytes);
  if (!text) return text.error();
  constexpr std::string_view kName = "\nNSpid:\t";
  const auto at = text->find(kName);
  if (at == std::string::npos) return pid;  // kernel without PID namespaces
  auto line = std::string_view(*text).substr(at + kName.size());
  line = line.substr(0, line.find('\n'));
  const auto last = line.rfind('\t');
  if (last != std::string_view::npos) line.remove_prefix(last + 1);
  return to_number<int32_t>(line).value_or(pid);
}

Result<uint32_t> ProcFs::user_id(int32_t pid) const {
  const auto text = read(pid, "status", kMaxStatusBytes);
  if (!text) return text.error();
  constexpr std::string_view kName = "\nUid:\t";
  const auto at = text->find(kName);
  const Error unreadable{"reading the user of process " + std::to_string(pid)};
  if (at == std::string::npos) return unreadable;
  auto line = std::string_view(*text).substr(at + kName.size());
  line.remove_prefix(std::min(line.size(), line.find('\t') + 1));  // the real one comes first
  const auto user = to_number<uint32_t>(line.substr(0, line.find('\t')));
  if (!user) return unreadable;
  return *user;
}

Result<ExecutableMappings> ProcFs::maps(int32_t pid) const {
  MapsCollector collector;
  const int failure =
      read_chunks(path(pid, "maps"), [&](std::string_view bytes) { return collector.feed(bytes); });
  if (failure != 0) return process_error(pid, "reading the mappings", failure);
  return collector.take();
}

Result<std::string> ProcFs::cgroup(int32_t pid) const {
  return read(pid, "cgroup", kMaxCgroupBytes);
}

Result<std::string> ProcFs::mountinfo(int32_t pid) const {
  return read(pid, "mountinfo", kMaxMountinfoBytes);
}

Result<uint64_t> ProcFs::namespace_inode(int32_t pid, std::string_view kind) const {
  const auto link = read_link(pid, "reading a namespace", path(pid, "ns/" + std::string(kind)));
  if (!link) return link.error();
  const auto open = link->find('[');
  const auto close = link->find(']', open == std::string::npos ? 0 : open);
  if (open != std::string::npos && close != std::string::npos) {
    const auto inode =
        to_number<uint64_t>(std::string_view(*link).substr(open + 1, close - open - 1));
    if (inode) return *inode;
  }
  return Error{"reading a namespace of process " + std::to_string(pid) + ": not understood"};
}

}  // namespace pyprof::process
