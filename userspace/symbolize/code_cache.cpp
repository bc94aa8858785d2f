// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/code_cache.h"

#include <utility>

namespace pyprof::symbolize {
namespace {

constexpr std::size_t kNodeBytes = 256;  // list and map nodes with the fixed part of a code object
// Every entry of a location table takes at least one byte and decodes to eight.
constexpr std::size_t kDecodedBytesPerByte = 8;
// A storm of exits within one grace period drops the oldest early.
constexpr std::size_t kMaxExits = 65'536;

}  // namespace

CachedCode::CachedCode(model::CodeObject code)
    : code_(std::move(code)),
      bytes_(kNodeBytes + code_.qualname.size() + code_.filename.size() +
             code_.line_table.size() * (1 + kDecodedBytesPerByte)) {}

uint32_t CachedCode::line(int32_t lasti) {
  if (!lines_) {
    lines_.emplace(code_.line_table, code_.first_line, code_.version);
  }
  return lines_->line(lasti);
}

bool CodeCache::add(model::CodeObject code) {
  const model::ProcessId process = code.process;
  const uint64_t id = code.id;
  auto& ids = by_process_[process];
  const auto known = ids.find(id);
  const bool replaces = known != ids.end();
  if (replaces && !code.complete && known->second->code.complete()) return false;
  if (replaces) {
    bytes_ -= known->second->code.bytes();
    codes_.erase(known->second);
  }
  codes_.push_front({process, id, CachedCode(std::move(code))});
  ids[id] = codes_.begin();
  bytes_ += codes_.front().code.bytes();
  while (bytes_ > limits_.bytes && codes_.size() > 1) {
    const auto oldest = std::prev(codes_.end());
    evicted_.emplace_back(oldest->process, oldest->id);
    erase(oldest);
  }
  return replaces;
}

CachedCode* CodeCache::find(model::ProcessId process, uint64_t id) {
  const auto ids = by_process_.find(process);
  if (ids == by_process_.end()) {
    return nullptr;
  }
  const auto known = ids->second.find(id);
  if (known == ids->second.end()) {
    return nullptr;
  }
  codes_.splice(codes_.begin(), codes_, known->second);
  return &known->second->code;
}

void CodeCache::process_exited(model::ProcessId process, uint64_t now_ns) {
  exits_.push_back({process, now_ns + limits_.exit_grace_ns});
  if (exits_.size() > kMaxExits) {
    drop_process(exits_.front().process);
    exits_.pop_front();
  }
}

std::vector<model::ProcessId> CodeCache::expire(uint64_t now_ns) {
  std::vector<model::ProcessId> expired;
  for (; !exits_.empty() && exits_.front().due_ns <= now_ns; exits_.pop_front()) {
    drop_process(exits_.front().process);
    expired.push_back(exits_.front().process);
  }
  return expired;
}

void CodeCache::erase(Items::iterator item) {
  const auto ids = by_process_.find(item->process);
  ids->second.erase(item->id);
  if (ids->second.empty()) {
    by_process_.erase(ids);
  }
  bytes_ -= item->code.bytes();
  codes_.erase(item);
}

void CodeCache::drop_process(model::ProcessId process) {
  const auto ids = by_process_.find(process);
  if (ids == by_process_.end()) {
    return;
  }
  for (const auto& [id, item] : ids->second) {
    bytes_ -= item->code.bytes();
    codes_.erase(item);
  }
  by_process_.erase(ids);
}

}  // namespace pyprof::symbolize
