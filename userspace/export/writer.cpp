// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "userspace/aggregate/clean_text.h"
#include "userspace/base/fd.h"

namespace pyprof::exporter {
namespace {

constexpr int kNameTries = 100;

Error write_error(const std::string& path, int errno_value) {
  return errno_error("writing '" + aggregate::clean_text(path) + "'", errno_value);
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return write_error(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Where the bytes go when `path` is a link; `path` itself if it does not exist yet.
std::string resolve_links(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? std::string(real.get()) : path;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A new file beside the target, removed again unless it took the target's place.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string target) : target_(std::move(target)) {}
  ~TemporaryFile() {
    if (fd_.valid()) ::unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  TemporaryFile(TemporaryFile&&) = delete;
  TemporaryFile& operator=(TemporaryFile&&) = delete;

  // Created with O_EXCL and not by mkstemp(), so that the kernel applies the umask.
  Result<void> open() {
    const std::string prefix =
        folder_of(target_) + "/.pyebpf-prof-" + std::to_string(::getpid()) + "-";
    for (int i = 0; i < kNameTries; ++i) {
      name_ = prefix + std::to_string(i) + ".tmp";
      fd_.reset(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
      if (fd_.valid()) return {};
      if (errno != EEXIST) break;
    }
    return write_error(target_, errno);
  }

  Result<void> fill(std::string_view bytes, const struct stat* replaced) {
    if (replaced != nullptr && ::fchmod(fd_.get(), replaced->st_mode & 07777) != 0) {
      return write_error(target_, errno);
    }
    if (const Result<void> done = write_all(fd_.get(), bytes, target_); !done) return done;
    if (::fsync(fd_.get()) != 0) return write_error(target_, errno);
    return {};
  }

  Result<void> publish() {
    if (::rename(name_.c_str(), target_.c_str()) != 0) return write_error(target_, errno);
    fd_.reset();
    const Fd folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // The content is safe already; some file systems can't sync a folder.
    if (folder.valid()) (void)::fsync(folder.get());
    return {};
  }

 private:
  const std::string target_;
  std::string name_;
  Fd fd_;
};

Result<void> write_in_place(const std::string& path, std::string_view bytes) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return write_error(path, errno);
  return write_all(fd.get(), bytes, path);
}

}  // namespace

Result<void> write_output(const std::string& path, std::string_view bytes) {
  if (path == "-") return write_all(STDOUT_FILENO, bytes, "standard output");
  if (path.empty()) return Error{"no output file: give -o a name, or - for standard output"};
  struct stat existing = {};
  const bool exists = ::stat(path.c_str(), &existing) == 0;
  if (exists && S_ISDIR(existing.st_mode)) return write_error(path, EISDIR);
  if (exists && !S_ISREG(existing.st_mode)) return write_in_place(path, bytes);
  TemporaryFile file(resolve_links(path));
  if (const Result<void> done = file.open(); !done) return done;
  if (const Result<void> done = file.fill(bytes, exists ? &existing : nullptr); !done) return done;
  return file.publish();
}

}  // namespace pyprof::exporter
