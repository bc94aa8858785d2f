// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/elf/dwarf_lines.h"
#include "userspace/model/sample.h"

// The process that reads DWARF for source_lines.h, and what the two say to each other: one packet
// with a descriptor of the file is one question, one packet is its answer, in the same order.
namespace pyprof::symbolize {

struct LineQuestion {
  model::FileId file = 0;
  uint32_t reserved = 0;
  uint64_t address = 0;
};

struct LineAnswer {
  LineQuestion question;
  std::vector<elf::SourceFrame> frames;  // with names for people
};

constexpr std::size_t kMaxAnswerBytes = 32 * 1024;
constexpr std::size_t kMaxAnswerFrames = 128;

// Frames that don't fit are left out, outer ones first.
std::string encode(const LineAnswer& answer);
// Nothing if it is not what encode() makes: the child may have been taken over by a file.
std::optional<LineAnswer> decode_answer(std::span<const char> packet);

// The child's part, after fork(). Ends when the other side goes, or after a minute without a
// question; with an exit status of 0 then.
[[noreturn]] void run_line_child(int socket);

}  // namespace pyprof::symbolize
