// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/command.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::cli {
namespace {

constexpr int kExecFailed = 127;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error("making a pipe", errno);
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

template <typename Number>
std::optional<Number> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view view(text);
  Number value{};
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc{} || end != view.data() + view.size()) return std::nullopt;
  return value;
}

// Who called sudo; nobody else's rights are given to the command.
std::optional<User> calling_user() {
  if (::geteuid() != 0) return std::nullopt;
  const auto uid = number_in_environment<uid_t>("SUDO_UID");
  const auto gid = number_in_environment<gid_t>("SUDO_GID");
  if (!uid || !gid) return std::nullopt;
  User user{*uid, *gid, {*gid}};
  const passwd* entry = ::getpwuid(*uid);
  if (entry == nullptr) return user;
  int count = 256;
  user.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(entry->pw_name, *gid, user.groups.data(), &count) < 0) count = 1;
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

// Only calls that are safe between fork and exec.
bool become(const User& user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
         ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

[[noreturn]] void run_child(char* const* argv, const std::optional<User>& user, int go,
                            int outcome) {
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(kExecFailed);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!user || become(*user)) ::execvp(argv[0], argv);
  const int error = errno;
  static_cast<void>(::write(outcome, &error, sizeof(error)) == 0);
  ::_exit(kExecFailed);
}

}  // namespace

Command::Command(pid_t pid, std::string name, Fd go, Fd outcome)
    : pid_(pid), name_(std::move(name)), go_(std::move(go)), outcome_(std::move(outcome)) {}

Command::Command(Command&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      name_(std::move(other.name_)),
      go_(std::move(other.go_)),
      outcome_(std::move(other.outcome_)),
      ended_(other.ended_) {}

Command::~Command() {
  if (pid_ == 0 || !go_.valid()) return;
  go_.reset();
  if (!ended_) ::waitpid(pid_, nullptr, 0);
}

Result<Command> Command::prepare(const std::vector<std::string>& argv) {
  auto go = make_pipe();
  if (!go) return go.error();
  auto outcome = make_pipe();
  if (!outcome) return outcome.error();
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  for (std::string& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const auto user = calling_user();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("starting '" + aggregate::clean_text(argv[0]) + "'", errno);
  if (pid == 0) {
    go->write.reset();  // or the child would keep itself waiting
    run_child(pointers.data(), user, go->read.get(), outcome->write.get());
  }
  return Command(pid, argv[0], std::move(go->write), std::move(outcome->read));
}

Result<void> Command::release() {
  const bool told = ::write(go_.get(), "g", 1) == 1;
  go_.reset();
  int error = told ? 0 : EPIPE;
  if (told && ::read(outcome_.get(), &error, sizeof(error)) != sizeof(error)) return {};
  return Error{errno_error("running '" + aggregate::clean_text(name_) + "'", error).message};
}

bool Command::has_ended() {
  if (!ended_) ended_ = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
  return ended_;
}

}  // namespace pyprof::cli
