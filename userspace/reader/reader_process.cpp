// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/reader_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "userspace/base/clock.h"
#include "userspace/python/describe.h"
#include "userspace/reader/protocol.h"

namespace pyprof::reader {
namespace {

constexpr uint32_t kMaxStarts = 8;
constexpr uint64_t kStartIntervalNs = 1'000'000'000;

// The program with the socket as its standard input and nothing else.
pid_t spawn(const std::string& program, const Fd& socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, socket.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // A group of its own: Ctrl-C is not for it.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::string name = program;
  char* const arguments[] = {name.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments, environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : 0;
}

enum class Wait : uint8_t { kAnswer, kGone, kTime, kCancelled };

Wait wait_for(const Fd& socket, const Fd& cancel, std::chrono::milliseconds limit, Answer& answer) {
  const uint64_t end_ns = monotonic_ns() + static_cast<uint64_t>(limit.count()) * 1'000'000;
  while (true) {
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= end_ns) return Wait::kTime;
    pollfd polls[] = {{socket.get(), POLLIN, 0}, {cancel.get(), POLLIN, 0}};
    const int ready = ::poll(polls, 2, static_cast<int>((end_ns - now_ns) / 1'000'000) + 1);
    if (ready < 0 && errno != EINTR) return Wait::kGone;
    if (ready <= 0) continue;
    if (polls[1].revents != 0) return Wait::kCancelled;
    const ssize_t got = ::recv(socket.get(), &answer, sizeof(answer), MSG_DONTWAIT | MSG_WAITALL);
    return got == static_cast<ssize_t>(sizeof(answer)) ? Wait::kAnswer : Wait::kGone;
  }
}

Failure failure_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    if (signal == SIGXFSZ) return Failure::kResult;
    return signal == SIGXCPU || signal == SIGKILL ? Failure::kTime : Failure::kCrash;
  }
  switch (WEXITSTATUS(wait_status)) {
    case kExitMemory:
      return Failure::kMemory;
    case kExitResult:
      return Failure::kResult;
    case kExitSandbox:
      return Failure::kUnavailable;
    default:
      return Failure::kCrash;
  }
}

std::variant<Mmap, Failure> take_result(const Fd& file, uint64_t max_bytes) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return Failure::kResult;
  const auto size = static_cast<uint64_t>(facts.st_size);
  if (size == 0 || size > max_bytes) return Failure::kResult;
  // Nobody else has it any more: it is what it was when it was checked.
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return Failure::kResult;
  return Mmap(data, size);
}

std::span<const uint8_t> bytes_of(const Mmap& mapping) {
  return {static_cast<const uint8_t*>(mapping.data()), mapping.bytes()};
}

}  // namespace

FileTables tables_of_unreadable(Failure why, std::string_view path) {
  FileTables tables;
  const Error error{"it can't be parsed: " + std::string(to_label(why))};
  tables.interpreter = python::inspect_mapped(error, path);
  return tables;
}

ReaderProcess::ReaderProcess(std::string program)
    : program_(std::move(program)), starts_left_(kMaxStarts), refilled_ns_(monotonic_ns()) {
  start();
}

ReaderProcess::~ReaderProcess() {
  stop();
}

bool ReaderProcess::start() {
  const uint64_t now_ns = monotonic_ns();
  const uint64_t more = (now_ns - refilled_ns_) / kStartIntervalNs;
  starts_left_ = static_cast<uint32_t>(std::min<uint64_t>(starts_left_ + more, kMaxStarts));
  refilled_ns_ += more * kStartIntervalNs;
  if (starts_left_ == 0) return false;
  --starts_left_;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  socket_.reset(ends[0]);
  const Fd other(ends[1]);
  pid_ = spawn(program_, other);
  if (pid_ == 0) socket_.reset();
  return pid_ != 0;
}

void ReaderProcess::stop() {
  socket_.reset();
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

struct ReaderProcess::Work {
  Wanted wanted = Wanted::kTables;
  int file = -1;
  std::span<const Fd> candidates;
  std::string_view path;
  const ReadLimits& limits;
};

bool ReaderProcess::send(const Work& work, const Fd& result) const {
  const std::string_view path = work.path.substr(0, kMaxPathBytes);
  std::array<int, kMaxDescriptors> fds{result.get(), work.file};
  uint32_t count = 2;
  for (const Fd& candidate :
       work.candidates.first(std::min(work.candidates.size(), kMaxCandidates)))
    fds[count++] = candidate.get();
  Request request{work.wanted,
                  count,
                  work.limits.max_rows,
                  work.limits.memory_bytes,
                  work.limits.result_bytes,
                  work.limits.cpu_seconds,
                  static_cast<uint32_t>(path.size())};
  iovec parts[] = {{&request, sizeof(request)}, {const_cast<char*>(path.data()), path.size()}};
  union {
    char bytes[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    cmsghdr aligned;
  } control{};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
  const auto bytes = static_cast<ssize_t>(sizeof(request) + path.size());
  return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) == bytes;
}

std::variant<Mmap, Failure> ReaderProcess::run(const Work& work, const Fd& cancel) {
  const Fd result(::memfd_create("result", MFD_CLOEXEC));
  if (!result.valid()) return Failure::kUnavailable;
  bool sent = pid_ != 0 && send(work, result);
  // One that was ended while it had nothing to do takes no file along.
  if (!sent) {
    stop();
    sent = start() && send(work, result);
  }
  if (!sent) return Failure::kUnavailable;
  Answer answer;
  const Wait waited = wait_for(socket_, cancel, work.limits.time, answer);
  if (waited != Wait::kAnswer) {
    stop();
    if (waited == Wait::kCancelled) return Failure::kUnavailable;
    return waited == Wait::kTime ? Failure::kTime : Failure::kCrash;
  }
  if (answer.wait_status != 0) return failure_of(answer.wait_status);
  return take_result(result, work.limits.result_bytes);
}

ReadResult ReaderProcess::read(const Fd& file, std::string_view path, const ReadLimits& limits,
                               const Fd& cancel) {
  const auto result = run({Wanted::kTables, file.get(), {}, path, limits}, cancel);
  if (const auto* failure = std::get_if<Failure>(&result)) return *failure;
  auto tables = decode(bytes_of(std::get<Mmap>(result)));
  if (!tables) return Failure::kResult;
  return *std::move(tables);
}

SymbolResult ReaderProcess::read_symbols(const Fd& file, std::span<const Fd> candidates,
                                         const ReadLimits& limits) {
  const auto result = run({Wanted::kSymbols, file.get(), candidates, {}, limits}, Fd());
  if (const auto* failure = std::get_if<Failure>(&result)) return *failure;
  auto symbols = decode_symbols(bytes_of(std::get<Mmap>(result)), candidates.size());
  if (!symbols) return Failure::kResult;
  return *std::move(symbols);
}

}  // namespace pyprof::reader
