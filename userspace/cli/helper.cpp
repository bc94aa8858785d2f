// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/helper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "userspace/base/clock.h"
#include "userspace/base/fd.h"

namespace pyprof::cli {
namespace {

constexpr std::size_t kMaxErrorBytes = 512;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error("making a pipe", errno);
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

// A child that does not outlive its owner.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

Result<pid_t> spawn(const std::string& path, const std::vector<std::string>& arguments, int out,
                    int err) {
  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return errno_error("running " + path, error);
  return pid;
}

// Reads both pipes to their ends. What is over `max_bytes` of the first is an error.
Result<void> drain(Pipe& out, Pipe& err, std::string& output, std::string& message,
                   std::size_t max_bytes, uint64_t end_ns) {
  std::array<char, 65'536> buffer{};
  std::array<pollfd, 2> polls{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= end_ns) return Error{"took too long", ExitCode::kNotSupported};
    const int ready =
        ::poll(polls.data(), polls.size(), static_cast<int>((end_ns - now_ns) / 1'000'000) + 1);
    if (ready < 0 && errno != EINTR) return errno_error("waiting", errno);
    for (pollfd& each : polls) {
      if (ready <= 0 || each.fd < 0 || each.revents == 0) continue;
      std::string& into = &each == &polls[0] ? output : message;
      const ssize_t bytes = ::read(each.fd, buffer.data(), buffer.size());
      if (bytes <= 0) each.fd = -1;
      if (bytes > 0) into.append(buffer.data(), static_cast<std::size_t>(bytes));
    }
    message.resize(std::min(message.size(), kMaxErrorBytes));
    if (output.size() > max_bytes) {
      return Error{fmt::format("wrote more than {} bytes", max_bytes), ExitCode::kNotSupported};
    }
  }
  return {};
}

Error failure(const std::string& path, const std::string& message, int status) {
  const std::string line = message.substr(0, message.find('\n'));
  if (WIFSIGNALED(status)) {
    return {fmt::format("{} was ended by signal {}", path, WTERMSIG(status)),
            ExitCode::kNotSupported};
  }
  const int code = WEXITSTATUS(status);
  const bool known = code <= static_cast<int>(ExitCode::kNoSamples);
  return {line.empty() ? fmt::format("{} failed with {}", path, code) : line,
          known ? static_cast<ExitCode>(code) : ExitCode::kNotSupported};
}

}  // namespace

Result<std::string> run_helper(const std::string& path, const std::vector<std::string>& arguments,
                               std::size_t max_bytes, uint64_t timeout_ms) {
  auto out = make_pipe();
  if (!out) return out.error();
  auto err = make_pipe();
  if (!err) return err.error();
  const uint64_t end_ns = monotonic_ns() + timeout_ms * 1'000'000;
  const auto pid = spawn(path, arguments, out->write.get(), err->write.get());
  if (!pid) return pid.error();
  Child child(*pid);
  out->write.reset();
  err->write.reset();
  std::string output, message;
  const auto drained = drain(*out, *err, output, message, max_bytes, end_ns);
  if (!drained) return Error{path + " " + drained.error().message, drained.error().code};
  const int status = child.wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return failure(path, message, status);
  return output;
}

}  // namespace pyprof::cli
