// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/line_child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <unordered_map>

#include "userspace/base/sandbox.h"
#include "userspace/elf/symbols.h"

namespace pyprof::symbolize {
namespace {

constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxOpenFiles = 6;
constexpr std::size_t kMaxKnownFiles = 4096;
constexpr uint64_t kFileBudgetNs = 3'000'000'000;  // of CPU time, in all
constexpr time_t kIdleSeconds = 60;

struct FrameHeader {
  uint32_t line = 0;
  uint32_t first_line = 0;
  uint16_t function_bytes = 0;
  uint16_t file_bytes = 0;
};

uint64_t cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
bool take(std::span<const char>& rest, T& value) {
  if (rest.size() < sizeof(value)) return false;
  std::memcpy(&value, rest.data(), sizeof(value));
  rest = rest.subspan(sizeof(value));
  return true;
}

bool take(std::span<const char>& rest, std::size_t bytes, std::string& text) {
  if (rest.size() < bytes) return false;
  text.assign(rest.data(), bytes);
  rest = rest.subspan(bytes);
  return true;
}

// The files it was asked about, the last used ones open.
class LineChild {
 public:
  explicit LineChild(int socket) : socket_(socket) {}

  bool answer_one() {
    LineQuestion question;
    Fd file;
    if (!receive(question, file)) return false;
    LineAnswer answer{question, {}};
    const uint64_t begin = cpu_ns();
    if (spent_ns_.size() > kMaxKnownFiles) spent_ns_.clear();
    uint64_t& spent_ns = spent_ns_[question.file];
    if (spent_ns < kFileBudgetNs) answer.frames = find(question, std::move(file));
    spent_ns += cpu_ns() - begin;
    const std::string packet = encode(answer);
    return ::send(socket_, packet.data(), packet.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(packet.size());
  }

 private:
  struct File {
    model::FileId id = 0;
    std::optional<elf::DwarfFile> dwarf;
  };

  bool receive(LineQuestion& question, Fd& file) const {
    iovec part{&question, sizeof(question)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    if (::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC) != sizeof(question)) return false;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return true;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    file.reset(fd);
    return true;
  }

  std::vector<elf::SourceFrame> find(const LineQuestion& question, Fd file) {
    File& found = open(question.file, std::move(file));
    if (!found.dwarf) return {};
    auto frames = found.dwarf->find(question.address);
    for (elf::SourceFrame& frame : frames) {
      frame.function = elf::demangle(frame.function);
      if (frame.function.size() > elf::DwarfFile::kMaxNameBytes) {
        frame.function.resize(elf::DwarfFile::kMaxNameBytes);
      }
    }
    return frames;
  }

  File& open(model::FileId id, Fd file) {
    for (auto at = files_.begin(); at != files_.end(); ++at) {
      if (at->id != id) continue;
      files_.splice(files_.begin(), files_, at);
      return files_.front();
    }
    if (files_.size() >= kMaxOpenFiles) files_.pop_back();
    files_.emplace_front().id = id;
    if (auto dwarf = elf::DwarfFile::open(std::move(file))) {
      files_.front().dwarf.emplace(std::move(*dwarf));
    }
    return files_.front();
  }

  int socket_;
  std::list<File> files_;
  std::unordered_map<model::FileId, uint64_t> spent_ns_;
};

}  // namespace

std::string encode(const LineAnswer& answer) {
  std::string out;
  append(out, answer.question);
  for (const elf::SourceFrame& frame : answer.frames) {
    const auto function_bytes = static_cast<uint16_t>(frame.function.size());
    const auto file_bytes = static_cast<uint16_t>(frame.file.size());
    if (function_bytes != frame.function.size() || file_bytes != frame.file.size()) break;
    if (&frame - answer.frames.data() >= static_cast<std::ptrdiff_t>(kMaxAnswerFrames)) break;
    if (out.size() + sizeof(FrameHeader) + function_bytes + file_bytes > kMaxAnswerBytes) break;
    append(out, FrameHeader{frame.line, frame.first_line, function_bytes, file_bytes});
    out.append(frame.function).append(frame.file);
  }
  return out;
}

std::optional<LineAnswer> decode_answer(std::span<const char> packet) {
  LineAnswer answer;
  if (!take(packet, answer.question)) return std::nullopt;
  while (!packet.empty()) {
    FrameHeader header;
    elf::SourceFrame frame;
    if (!take(packet, header) || !take(packet, header.function_bytes, frame.function) ||
        !take(packet, header.file_bytes, frame.file) || answer.frames.size() >= kMaxAnswerFrames) {
      return std::nullopt;
    }
    frame.line = header.line;
    frame.first_line = header.first_line;
    answer.frames.push_back(std::move(frame));
  }
  return answer;
}

void run_line_child(int socket) {
  (void)::prctl(PR_SET_NAME, "pyebpf-lines");
  const timeval idle{kIdleSeconds, 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
  const int inside = enter_sandbox(socket, kMemoryBytes);
  if (inside < 0) ::_exit(1);
  LineChild child(inside);
  while (child.answer_one()) {
  }
  ::_exit(0);
}

}  // namespace pyprof::symbolize
