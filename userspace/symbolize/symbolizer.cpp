// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/symbolizer.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "bpf/wire.h"

namespace pyprof::symbolize {

namespace {

// A stack whose names are incomplete is made again when code objects came in, but not more often.
constexpr uint64_t kRemakeNs = 100'000'000;
// What the kernel could not capture at a stack's first sight is read within this time or never.
constexpr uint64_t kImproveNs = 500'000'000;
constexpr std::size_t kMaxStackIdsPerStack = 4096;
constexpr const char* kOverflowName = "[truncated: frame_table_full]";

model::Frame marker(std::string text) {
  model::Frame frame;
  frame.kind = model::FrameKind::kMarker;
  frame.function = std::move(text);
  return frame;
}

const char* fault_label(uint8_t fault) {
  switch (fault) {
#define X(name, label, help) \
  case WIRE_FAULT_##name:    \
    return label;
    WIRE_FAULTS(X)
#undef X
    default:
      return "unknown";
  }
}

// The Python half of a thread that never ran Python isn't cut, there is none.
bool python_cut(const model::RawStack& raw) {
  return raw.python_end != 0 && raw.python_end != WIRE_FAULT_PY_NO_STATE;
}

bool is_eval_at(const std::vector<MergedFrame>& merged, std::size_t position) {
  return position < merged.size() && merged[position].kind == MergedFrame::Kind::kEval;
}

// An activation's Python frames come just before it, so its callee is the first native frame below
// them.
bool beside_eval(const std::vector<MergedFrame>& merged, std::size_t position) {
  if (position > 0 && is_eval_at(merged, position - 1)) {
    return true;
  }
  std::size_t outer = position + 1;
  while (outer < merged.size() && merged[outer].kind == MergedFrame::Kind::kPython) {
    ++outer;
  }
  return is_eval_at(merged, outer);
}

}  // namespace

Symbolizer::Symbolizer(FileOpener& opener, KernelSymbols& kernel, SymbolizerLimits limits)
    : opener_(opener),
      kernel_symbols_(kernel),
      native_symbols_(opener, limits.native),
      perf_maps_([this](model::ProcessId process) { return opener_.open_perf_map(process); },
                 limits.perf_map),
      lines_(opener, limits.lines),
      codes_(limits.code),
      raw_stacks_(limits.raw_stack_bytes),
      frames_(marker(kOverflowName), limits.max_frames),
      stacks_({{0}}, limits.max_stacks, limits.max_frame_ids),
      native_ids_(limits.max_positions),
      jit_ids_(limits.max_positions),
      python_ids_(limits.max_positions),
      kernel_ids_(limits.max_positions) {}

void Symbolizer::add_code(model::CodeObject code) {
  ++codes_added_;
  if (codes_.add(std::move(code))) {
    python_ids_.clear();
  }
}

void Symbolizer::add_stack(model::RawStack stack) {
  raw_stacks_.add(std::move(stack));
}

void Symbolizer::start_epoch() {
  ++epoch_;
  frames_.reset();
  stacks_.reset();
  native_ids_.clear();
  jit_ids_.clear();
  python_ids_.clear();
  kernel_ids_.clear();
  modules_.clear();
  chains_.clear();
  chain_numbers_.clear();
  module_numbers_.clear();
}

bool Symbolizer::take_improved() {
  const auto files = opener_.take_improved();
  for (const model::FileId file : files) {
    native_symbols_.forget(file);
    lines_.forget(file);
  }
  return !files.empty();
}

void Symbolizer::process_exited(model::ProcessId process, uint64_t now_ns) {
  codes_.process_exited(process, now_ns);
}

void Symbolizer::expire(uint64_t now_ns) {
  const auto expired = codes_.expire(now_ns);
  for (const model::ProcessId process : expired)
    perf_maps_.forget(process);
  if (!expired.empty()) {
    raw_stacks_.drop_processes({expired.begin(), expired.end()});
  }
}

std::optional<SymbolizedSample> Symbolizer::symbolize(const model::RawSample& sample,
                                                      uint64_t now_ns) {
  StackCache::Entry* entry = raw_stacks_.find(sample.key);
  if (!entry || entry->raw.process != sample.process) {
    return std::nullopt;
  }
  lines_.refresh(now_ns);
  const PreparedStack& prepared = prepare(*entry, now_ns);
  const auto [leaf, leaf_may_improve] = leaf_frame(prepared, sample);
  uint32_t python_leaf = 0;
  if (prepared.python_leaf) {
    const int32_t lasti = sample.python_leaf ? sample.leaf_lasti : prepared.python_leaf_code.lasti;
    python_leaf = python_frame(sample.process, prepared.python_leaf_code, lasti);
  }
  SymbolizedSample result;
  result.stack_id = stack_id(*entry, leaf, python_leaf);
  result.truncated_native = entry->raw.native_end != 0;
  result.truncated_python = python_cut(entry->raw);
  result.unnamed_python = prepared.unnamed_python;
  result.may_improve = (prepared.incomplete && now_ns - entry->raw.time_ns < kImproveNs) ||
                       (leaf_may_improve && now_ns - sample.time_ns < kImproveNs);
  if (const auto native = prepared.innermost_native) {
    const uint32_t id = native == prepared.leaf ? leaf : prepared.frames[*native];
    result.unnamed_native = frames_.at(outermost(id)).function.empty();
  }
  if (tables_full()) {
    const auto& frames = stacks_.at(result.stack_id).frames;
    result.overflow = std::find(frames.begin(), frames.end(), 0) != frames.end();
  }
  return result;
}

const PreparedStack& Symbolizer::prepare(StackCache::Entry& entry, uint64_t now_ns) {
  const auto is_stale = [&](const PreparedStack& prepared) {
    if (now_ns - prepared.made_ns < kRemakeNs) return false;
    if (prepared.incomplete && prepared.names_seen != codes_added_ + lines_.version()) return true;
    return prepared.has_jit &&
           prepared.jit_version != perf_maps_.refresh(entry.raw.process, now_ns);
  };
  if (!entry.prepared || entry.epoch != epoch_ || is_stale(*entry.prepared)) {
    entry.prepared = make_prepared(entry.raw, now_ns);
    entry.epoch = epoch_;
    raw_stacks_.update_bytes(entry);
  }
  return *entry.prepared;
}

PreparedStack Symbolizer::make_prepared(const model::RawStack& raw, uint64_t now_ns) {
  PreparedStack prepared;
  prepared.names_seen = codes_added_ + lines_.version();
  prepared.made_ns = now_ns;
  append_kernel(raw, now_ns, prepared);
  const auto merged =
      merge(raw, [&](uint32_t index) { return is_eval(raw.native, index, now_ns); });
  for (std::size_t i = 0; i < merged.size(); ++i) {
    switch (merged[i].kind) {
      case MergedFrame::Kind::kNative:
      case MergedFrame::Kind::kEval:
        append_native(raw, merged, i, now_ns, prepared);
        break;
      case MergedFrame::Kind::kPython:
        append_python(raw, merged[i].index, prepared);
        break;
      case MergedFrame::Kind::kNativeCut:
        prepared.frames.push_back(marker_frame(fault_label(raw.native_end)));
        break;
      case MergedFrame::Kind::kPythonCut:
        prepared.frames.push_back(marker_frame(fault_label(raw.python_end)));
        break;
    }
  }
  return prepared;
}

void Symbolizer::append_kernel(const model::RawStack& raw, uint64_t now_ns,
                               PreparedStack& prepared) {
  for (std::size_t i = 0; i < raw.kernel.size(); ++i) {
    prepared.frames.push_back(kernel_frame(raw.kernel[i], i == 0, now_ns));
  }
  prepared.leaf_in_kernel = !raw.kernel.empty();
  if (prepared.leaf_in_kernel) {
    prepared.leaf = 0;
  }
}

void Symbolizer::append_native(const model::RawStack& raw, const std::vector<MergedFrame>& merged,
                               std::size_t position, uint64_t now_ns, PreparedStack& prepared) {
  const model::NativeFrame& native = raw.native[merged[position].index];
  Site site;
  site.exact = native.exact;
  site.runs_python = is_eval_at(merged, position);
  site.beside_eval = beside_eval(merged, position);
  if (merged[position].index == 0) {
    site.exact = true;
    prepared.innermost_native = static_cast<uint32_t>(prepared.frames.size());
    if (!prepared.leaf_in_kernel) {
      prepared.leaf = prepared.innermost_native;
      prepared.leaf_runs_python = site.runs_python;
      prepared.leaf_beside_eval = site.beside_eval;
    }
  }
  if (native.where.file == 0 && !prepared.has_jit) {
    prepared.has_jit = true;
    prepared.jit_version = perf_maps_.refresh(raw.process, now_ns);
  }
  const uint64_t pc = native.where.pc - (site.exact ? 0 : 1);
  const Named named = native.where.file != 0
                          ? native_frame(native.where, site, now_ns)
                          : jit_frame(raw.process, pc, site, prepared.jit_version);
  prepared.frames.push_back(named.id);
  prepared.incomplete = prepared.incomplete || named.may_improve;
}

void Symbolizer::append_python(const model::RawStack& raw, uint32_t index,
                               PreparedStack& prepared) {
  const model::PythonFrame& python = raw.python[index];
  const bool readable = python.kind == model::PythonFrame::Kind::kCode;
  const CachedCode* code = readable ? codes_.find(raw.process, python.code) : nullptr;
  const bool named = code && !code->qualname().empty();
  prepared.unnamed_python = prepared.unnamed_python || !named;
  prepared.incomplete = prepared.incomplete || (readable && (!named || !code->complete()));
  if (readable && !prepared.has_python) {
    prepared.python_leaf = static_cast<uint32_t>(prepared.frames.size());
    prepared.python_leaf_code = python;
  }
  prepared.has_python = true;
  prepared.frames.push_back(python_frame(raw.process, python, python.lasti));
}

Symbolizer::Named Symbolizer::leaf_frame(const PreparedStack& prepared,
                                         const model::RawSample& sample) {
  if (!prepared.leaf) {
    return {};
  }
  if (prepared.leaf_in_kernel != sample.kernel_leaf) {
    return {prepared.frames[*prepared.leaf], false};
  }
  if (sample.kernel_leaf) {
    return {kernel_frame(sample.leaf.pc, true, sample.time_ns), false};
  }
  const Site site{true, prepared.leaf_runs_python, prepared.leaf_beside_eval};
  if (sample.leaf.file == 0) {
    return jit_frame(sample.process, sample.leaf.pc, site, prepared.jit_version);
  }
  return native_frame(sample.leaf, site, sample.time_ns);
}

// The Python frames that an activation of the eval loop runs come right after it: what the compiler
// inlined into the loop works for the innermost of them.
std::vector<uint32_t> Symbolizer::expanded(const std::vector<uint32_t>& entries) const {
  std::vector<uint32_t> frames;
  for (const uint32_t entry : entries) {
    if ((entry & kChain) == 0) {
      frames.push_back(entry);
      continue;
    }
    const auto& chain = chains_[entry & ~kChain];
    const auto is_python = [this](uint32_t id) {
      return frames_.at(id).kind == model::FrameKind::kPython;
    };
    const auto run = std::find_if_not(frames.rbegin(), frames.rend(), is_python).base();
    frames.insert(run, chain.begin(), chain.end() - 1);
    frames.push_back(chain.back());
  }
  return frames;
}

uint32_t Symbolizer::stack_id(StackCache::Entry& entry, uint32_t leaf, uint32_t python_leaf) {
  PreparedStack& prepared = *entry.prepared;
  const uint64_t variant = (uint64_t{leaf} << 32) | python_leaf;
  if (const auto known = prepared.stack_ids.find(variant); known != prepared.stack_ids.end()) {
    return known->second;
  }
  if (prepared.leaf) {
    prepared.frames[*prepared.leaf] = leaf;
  }
  if (prepared.python_leaf) {
    prepared.frames[*prepared.python_leaf] = python_leaf;
  }
  const uint32_t id = stacks_.intern(expanded(prepared.frames));
  if (prepared.stack_ids.size() >= kMaxStackIdsPerStack) {
    prepared.stack_ids.clear();
  }
  prepared.stack_ids[variant] = id;
  raw_stacks_.update_bytes(entry);
  return id;
}

uint32_t Symbolizer::marker_frame(const char* label) {
  return frames_.intern(marker("[truncated: " + std::string(label) + "]"));
}

}  // namespace pyprof::symbolize
