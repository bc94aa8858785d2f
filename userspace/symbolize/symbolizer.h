// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "userspace/model/profile.h"
#include "userspace/model/sample.h"
#include "userspace/symbolize/code_cache.h"
#include "userspace/symbolize/kernel_symbols.h"
#include "userspace/symbolize/merge.h"
#include "userspace/symbolize/native_symbols.h"
#include "userspace/symbolize/perf_map.h"
#include "userspace/symbolize/source_lines.h"
#include "userspace/symbolize/stack_cache.h"
#include "userspace/symbolize/tables.h"

// From what the kernel sent to stacks of named frames. A stack is merged and named once; a further
// sample of it costs three look-ups.
namespace pyprof::symbolize {

struct SymbolizerLimits {
  std::size_t raw_stack_bytes = 16u << 20;
  std::size_t max_frames = 200'000;
  std::size_t max_stacks = 200'000;
  std::size_t max_frame_ids = 4'000'000;  // sum of the depths of all stacks, 4 bytes each
  std::size_t max_positions = 65'536;     // remembered per kind: native, Python, kernel
  NativeSymbolLimits native = {};
  PerfMapLimits perf_map = {};
  SourceLineLimits lines = {};
  CodeCacheLimits code = {};
};

struct SymbolizedSample {
  uint32_t stack_id = 0;
  bool truncated_native = false;
  bool truncated_python = false;
  bool unnamed_python = false;  // some Python frame has no name
  bool unnamed_native = false;  // the innermost native frame has no symbol
  bool overflow = false;        // a table is full: part of the stack or all of it is a marker
  bool may_improve = false;     // names or lines of it are being read from the process just now
};

// Not thread-safe. Frames, stacks and modules are numbered within an epoch: start_epoch() ends the
// life of all numbers and references. Frame::module is an index + 1 for module().
class Symbolizer {
 public:
  // Both must outlive the symbolizer.
  Symbolizer(FileOpener& opener, KernelSymbols& kernel, SymbolizerLimits limits = {});

  void add_code(model::CodeObject code);
  void add_stack(model::RawStack stack);
  // Whether add_stack() would give the key another meaning: samples that were taken before must be
  // symbolized before.
  [[nodiscard]] bool redefines(const model::RawStack& stack) const {
    return raw_stacks_.redefines(stack);
  }

  // Nothing if the stack is not known: the caller deletes its key in the kernel, which sends it
  // again. `now_ns` is later than the sample's time if it is asked again, for what came meanwhile.
  std::optional<SymbolizedSample> symbolize(const model::RawSample& sample, uint64_t now_ns);
  std::optional<SymbolizedSample> symbolize(const model::RawSample& sample) {
    return symbolize(sample, sample.time_ns);
  }

  [[nodiscard]] const model::Frame& frame(uint32_t id) const { return frames_.at(id); }
  [[nodiscard]] const model::Stack& stack(uint32_t id) const { return stacks_.at(id); }
  [[nodiscard]] const model::Module& module(uint32_t index) const { return modules_[index]; }

  // Waits up to `max_ns` for the lines that were asked for.
  void wait_for_lines(uint64_t now_ns, uint64_t max_ns) { lines_.wait(now_ns, max_ns); }
  [[nodiscard]] const SourceLineStats& line_stats() const { return lines_.stats(); }

  // What was symbolized since the last call is forgotten; what the kernel sent is kept.
  void start_epoch();
  // More has become known of files that were symbolized from: true if a new epoch would show it.
  [[nodiscard]] bool take_improved();
  // New frames or stacks have become markers: time for a new epoch.
  [[nodiscard]] bool tables_full() const { return frames_.full() || stacks_.full(); }

  // The process's stacks and code objects are dropped by expire() after a grace time.
  void process_exited(model::ProcessId process, uint64_t now_ns);
  void expire(uint64_t now_ns);

  // Keys of stacks that were dropped, for the caller to delete in the kernel.
  std::vector<model::StackKey> take_evicted() { return raw_stacks_.take_evicted(); }
  // Code objects (process, id) that were dropped for lack of room, likewise.
  std::vector<std::pair<model::ProcessId, uint64_t>> take_evicted_codes() {
    return codes_.take_evicted();
  }

 private:
  struct Site {                // how a native frame stands in its stack
    bool exact = false;        // the address is the instruction itself, not the one after a call
    bool runs_python = false;  // an eval activation with Python frames of its own
    bool beside_eval = false;  // next to such an activation
  };

  // A frame's number, or kChain and the number of a chain of frames.
  struct Named {
    uint32_t id = 0;
    bool may_improve = false;  // names or lines of it are being looked for
  };
  static constexpr uint32_t kChain = 1u << 31;

  const PreparedStack& prepare(StackCache::Entry& entry, uint64_t now_ns);
  PreparedStack make_prepared(const model::RawStack& raw, uint64_t now_ns);
  void append_kernel(const model::RawStack& raw, uint64_t now_ns, PreparedStack& prepared);
  void append_native(const model::RawStack& raw, const std::vector<MergedFrame>& merged,
                     std::size_t position, uint64_t now_ns, PreparedStack& prepared);
  void append_python(const model::RawStack& raw, uint32_t index, PreparedStack& prepared);
  Named leaf_frame(const PreparedStack& prepared, const model::RawSample& sample);
  uint32_t stack_id(StackCache::Entry& entry, uint32_t leaf, uint32_t python_leaf);
  [[nodiscard]] std::vector<uint32_t> expanded(const std::vector<uint32_t>& entries) const;

  Named native_frame(const model::NativeAddress& where, const Site& site, uint64_t now_ns);
  Named jit_frame(model::ProcessId process, uint64_t pc, const Site& site, uint64_t version);
  model::Frame make_native_frame(model::FileId file, uint64_t address, const Site& site,
                                 uint64_t now_ns);
  uint32_t with_inlined(model::Frame frame, const std::vector<elf::SourceFrame>& source);
  [[nodiscard]] uint32_t outermost(uint32_t id) const;
  uint32_t kernel_frame(uint64_t address, bool exact, uint64_t now_ns);
  uint32_t python_frame(model::ProcessId process, const model::PythonFrame& python, int32_t lasti);
  uint32_t marker_frame(const char* label);
  uint32_t module_number(model::FileId file);
  std::string_view interpreter_symbol(const model::NativeFrame& frame, uint64_t now_ns);
  bool is_eval(const std::vector<model::NativeFrame>& frames, uint32_t index, uint64_t now_ns);

  FileOpener& opener_;
  KernelSymbols& kernel_symbols_;
  NativeSymbols native_symbols_;
  PerfMaps perf_maps_;
  SourceLines lines_;
  CodeCache codes_;
  StackCache raw_stacks_;
  FrameTable frames_;
  StackTable stacks_;
  FrameIdCache native_ids_;
  FrameIdCache jit_ids_;
  FrameIdCache python_ids_;
  FrameIdCache kernel_ids_;
  std::vector<model::Module> modules_;
  std::unordered_map<model::FileId, uint32_t> module_numbers_;
  // Functions inlined at one place and the function that they are in, innermost first.
  std::vector<std::vector<uint32_t>> chains_;
  std::map<std::vector<uint32_t>, uint32_t> chain_numbers_;
  uint32_t epoch_ = 1;
  uint64_t codes_added_ = 0;
};

}  // namespace pyprof::symbolize
