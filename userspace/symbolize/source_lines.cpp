// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/source_lines.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/symbolize/line_child.h"

namespace pyprof::symbolize {
namespace {

const std::vector<elf::SourceFrame> kNothing;

// False if the child does not take it now.
bool send_question(int socket, const LineQuestion& question, const Fd& file) {
  iovec part{const_cast<LineQuestion*>(&question), sizeof(question)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = file.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(question);
}

}  // namespace

SourceLines::~SourceLines() {
  if (child_ > 0) (void)end_child();
}

SourceLines::Lookup SourceLines::find(model::FileId file, uint64_t address, uint64_t now_ns) {
  if (!usable(file, now_ns)) return {false, &kNothing};
  const Key key{file, address};
  if (const auto known = answers_.find(key); known != answers_.end()) {
    return {!known->second, known->second ? &*known->second : nullptr};
  }
  if (answers_.size() >= limits_.addresses || bytes_ >= limits_.bytes) {
    if (!asked_.empty() || !waiting_.empty()) {
      ++stats_.lost;
      return {false, &kNothing};
    }
    answers_.clear();
    files_.clear();
    bytes_ = 0;
    if (!usable(file, now_ns)) return {false, &kNothing};
  }
  answers_.emplace(key, std::nullopt);
  waiting_.push_back(key);
  ask_next(now_ns);
  const auto& answer = answers_.at(key);
  return {!answer, answer ? &*answer : nullptr};
}

void SourceLines::refresh(uint64_t now_ns) {
  if (child_ <= 0) return;
  receive(now_ns);
  if (!asked_.empty() && now_ns > progress_ns_ + limits_.answer_ns) child_is_gone();
  ask_next(now_ns);
}

void SourceLines::wait(uint64_t now_ns, uint64_t max_ns) {
  const uint64_t begin_ns = monotonic_ns();
  uint64_t passed_ns = 0;
  refresh(now_ns);
  while (child_ > 0 && !asked_.empty() && passed_ns < max_ns) {
    pollfd ready{socket_.get(), POLLIN, 0};
    (void)::poll(&ready, 1, static_cast<int>((max_ns - passed_ns) / 1'000'000 + 1));
    passed_ns = monotonic_ns() - begin_ns;
    refresh(now_ns + passed_ns);
  }
}

bool SourceLines::usable(model::FileId id, uint64_t now_ns) {
  File& file = files_[id];
  if (file.usable || stats_.deaths >= limits_.deaths) return file.usable;
  if (file.looked_ns != 0 && now_ns < file.looked_ns + limits_.retry_ns) return false;
  file.looked_ns = now_ns;
  const Fd fd = opener_.open_debug_info(id);
  struct stat status {};
  file.usable = fd.valid() && ::fstat(fd.get(), &status) == 0 &&
                static_cast<uint64_t>(status.st_size) <= limits_.file_bytes;
  return file.usable;
}

void SourceLines::settle(const Key& key, Frames frames) {
  for (const elf::SourceFrame& frame : frames)
    bytes_ += sizeof(frame) + frame.function.size() + frame.file.size();
  answers_[key] = std::move(frames);
  ++version_;
}

void SourceLines::lose(const Key& key) {
  ++stats_.lost;
  settle(key, {});
}

void SourceLines::ask_next(uint64_t now_ns) {
  while (!waiting_.empty() && asked_.size() < limits_.in_flight) {
    if (asked_.empty()) progress_ns_ = now_ns;
    const Key key = waiting_.front();
    const bool hopeless = !files_[key.file].usable || stats_.deaths >= limits_.deaths ||
                          (child_ <= 0 && !start_child());
    if (!hopeless && !ask(key)) return;
    if (hopeless) lose(key);
    waiting_.pop_front();
  }
}

bool SourceLines::ask(const Key& key) {
  const Fd file = opener_.open_debug_info(key.file);
  if (!file.valid()) {
    lose(key);
    return true;
  }
  if (!send_question(socket_.get(), {key.file, 0, key.address}, file)) return false;
  asked_.push_back(key);
  return true;
}

void SourceLines::receive(uint64_t now_ns) {
  std::array<char, kMaxAnswerBytes> packet;
  while (child_ > 0) {
    const ssize_t got = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const auto answer =
        got > 0 ? decode_answer({packet.data(), static_cast<std::size_t>(got)}) : std::nullopt;
    const bool expected = answer && !asked_.empty() && answer->question.file == asked_[0].file &&
                          answer->question.address == asked_[0].address;
    if (!expected) {
      child_is_gone();
      return;
    }
    ++stats_.answered;
    settle(asked_.front(), std::move(answer->frames));
    asked_.pop_front();
    progress_ns_ = now_ns;
  }
}

bool SourceLines::start_child() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  socket_.reset(ends[0]);
  Fd theirs(ends[1]);
  child_ = ::fork();
  if (child_ == 0) run_line_child(theirs.get());
  return child_ > 0;
}

// True if it had left of itself: a signal has no effect on it then.
bool SourceLines::end_child() {
  const pid_t child = std::exchange(child_, -1);
  ::kill(child, SIGKILL);
  int status = 0;
  const bool reaped = ::waitpid(child, &status, 0) == child;
  socket_.reset();
  return reaped && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The file it was busy with is the culprit, unless it left of itself. The others are asked again.
void SourceLines::child_is_gone() {
  if (child_ <= 0) return;
  const bool left = end_child();
  if (!left) ++stats_.deaths;
  if (!left && !asked_.empty()) {
    files_[asked_.front().file] = {false, UINT64_MAX - limits_.retry_ns};
  }
  waiting_.insert(waiting_.begin(), asked_.begin(), asked_.end());
  asked_.clear();
}

}  // namespace pyprof::symbolize
