// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/tables.h"

#include <functional>
#include <string>
#include <utility>

namespace pyprof::symbolize {
namespace {

constexpr std::size_t kBuckets = 1024;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 32);
}

}  // namespace

FrameTable::FrameTable(model::Frame overflow, std::size_t max_frames)
    : max_frames_(max_frames), ids_(kBuckets, Hash{this}, Equal{this}) {
  frames_.push_back(std::move(overflow));
  ids_.insert(0);
}

uint32_t FrameTable::intern(model::Frame frame) {
  if (const auto known = ids_.find(frame); known != ids_.end()) {
    return *known;
  }
  if (full()) {
    return 0;
  }
  const auto id = static_cast<uint32_t>(frames_.size());
  frames_.push_back(std::move(frame));
  ids_.insert(id);
  return id;
}

void FrameTable::reset() {
  ids_.clear();
  frames_.resize(1);
  frames_.shrink_to_fit();
  ids_.insert(0);
}

std::size_t FrameTable::Hash::operator()(const model::Frame& frame) const {
  uint64_t hash = mix(std::hash<std::string>()(frame.function), frame.line);
  hash = mix(hash, std::hash<std::string>()(frame.file));
  hash = mix(hash, frame.address);
  return mix(hash, frame.first_line + (uint64_t{frame.module} << 32));
}

StackTable::StackTable(model::Stack overflow, std::size_t max_stacks, std::size_t max_frame_ids)
    : max_stacks_(max_stacks),
      max_frame_ids_(max_frame_ids),
      ids_(kBuckets, Hash{this}, Equal{this}) {
  stacks_.push_back(std::move(overflow));
  ids_.insert(0);
}

uint32_t StackTable::intern(const std::vector<uint32_t>& frames) {
  if (const auto known = ids_.find(frames); known != ids_.end()) {
    return *known;
  }
  if (full()) {
    return 0;
  }
  const auto id = static_cast<uint32_t>(stacks_.size());
  stacks_.push_back({frames});
  frame_ids_ += frames.size();
  ids_.insert(id);
  return id;
}

void StackTable::reset() {
  ids_.clear();
  stacks_.resize(1);
  stacks_.shrink_to_fit();
  frame_ids_ = 0;
  ids_.insert(0);
}

std::size_t StackTable::Hash::operator()(const Frames& frames) const {
  uint64_t hash = frames.size();
  for (const uint32_t id : frames) {
    hash = mix(hash, id);
  }
  return hash;
}

const uint32_t* FrameIdCache::find(const Key& key) const {
  const auto known = ids_.find(key);
  return known == ids_.end() ? nullptr : &known->second;
}

void FrameIdCache::add(const Key& key, uint32_t frame) {
  if (ids_.size() >= capacity_) {
    ids_.clear();
  }
  ids_[key] = frame;
}

std::size_t FrameIdCache::Hash::operator()(const Key& key) const {
  return mix(mix(key.scope, key.place), key.detail);
}

}  // namespace pyprof::symbolize
