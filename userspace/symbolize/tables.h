// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "userspace/model/profile.h"

// Interned frames and stacks: equal ones get one number. Both tables have a fixed capacity; when it
// is reached, everything new gets number 0, which the owner fills with a marker.
namespace pyprof::symbolize {

// Not thread-safe.
class FrameTable {
 public:
  // `overflow` becomes frame 0.
  FrameTable(model::Frame overflow, std::size_t max_frames);
  FrameTable(const FrameTable&) = delete;
  FrameTable& operator=(const FrameTable&) = delete;

  uint32_t intern(model::Frame frame);
  [[nodiscard]] const model::Frame& at(uint32_t id) const { return frames_[id]; }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  [[nodiscard]] bool full() const { return frames_.size() >= max_frames_; }
  void reset();  // forgets all but frame 0

 private:
  struct Hash {
    using is_transparent = void;
    const FrameTable* table;
    std::size_t operator()(uint32_t id) const { return (*this)(table->at(id)); }
    std::size_t operator()(const model::Frame& frame) const;
  };
  struct Equal {
    using is_transparent = void;
    const FrameTable* table;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(const model::Frame& a, uint32_t b) const { return a == table->at(b); }
    bool operator()(uint32_t a, const model::Frame& b) const { return b == table->at(a); }
  };

  std::size_t max_frames_;
  std::deque<model::Frame> frames_;
  std::unordered_set<uint32_t, Hash, Equal> ids_;
};

// Not thread-safe.
class StackTable {
 public:
  // `overflow` becomes stack 0. `max_frame_ids` bounds the sum of the stacks' depths.
  StackTable(model::Stack overflow, std::size_t max_stacks, std::size_t max_frame_ids);
  StackTable(const StackTable&) = delete;
  StackTable& operator=(const StackTable&) = delete;

  uint32_t intern(const std::vector<uint32_t>& frames);
  [[nodiscard]] const model::Stack& at(uint32_t id) const { return stacks_[id]; }
  [[nodiscard]] std::size_t size() const { return stacks_.size(); }
  [[nodiscard]] bool full() const {
    return stacks_.size() >= max_stacks_ || frame_ids_ >= max_frame_ids_;
  }
  void reset();  // forgets all but stack 0

 private:
  using Frames = std::vector<uint32_t>;
  struct Hash {
    using is_transparent = void;
    const StackTable* table;
    std::size_t operator()(uint32_t id) const { return (*this)(table->at(id).frames); }
    std::size_t operator()(const Frames& frames) const;
  };
  struct Equal {
    using is_transparent = void;
    const StackTable* table;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(const Frames& a, uint32_t b) const { return a == table->at(b).frames; }
    bool operator()(uint32_t a, const Frames& b) const { return b == table->at(a).frames; }
  };

  std::size_t max_stacks_;
  std::size_t max_frame_ids_;
  std::size_t frame_ids_ = 0;
  std::deque<model::Stack> stacks_;
  std::unordered_set<uint32_t, Hash, Equal> ids_;
};

// Positions whose frame is already known. Starts over when full: a look-up again is cheap.
class FrameIdCache {
 public:
  struct Key {
    uint64_t scope;  // process or file
    uint64_t place;  // code object or address
    uint64_t detail;
    bool operator==(const Key&) const = default;
  };

  explicit FrameIdCache(std::size_t capacity) : capacity_(capacity) {}
  [[nodiscard]] const uint32_t* find(const Key& key) const;
  void add(const Key& key, uint32_t frame);
  void clear() { ids_.clear(); }

 private:
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  std::size_t capacity_;
  std::unordered_map<Key, uint32_t, Hash> ids_;
};

}  // namespace pyprof::symbolize
