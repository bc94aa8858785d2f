// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "userspace/symbolize/interpreter_names.h"
#include "userspace/symbolize/symbolizer.h"

namespace pyprof::symbolize {
namespace {

constexpr const char* kJitModule = "[jit]";
constexpr std::size_t kMaxChains = 65'536;

}  // namespace

Symbolizer::Named Symbolizer::native_frame(const model::NativeAddress& where, const Site& site,
                                           uint64_t now_ns) {
  const uint64_t address = where.address - (site.exact ? 0 : 1);
  const uint64_t detail = (site.runs_python ? 1u : 0u) | (site.beside_eval ? 2u : 0u);
  const FrameIdCache::Key key{where.file, address, detail};
  if (const uint32_t* known = native_ids_.find(key)) {
    return {*known, false};
  }
  model::Frame frame = make_native_frame(where.file, address, site, now_ns);
  const SourceLines::Lookup source = lines_.find(where.file, address, now_ns);
  if (source.pending) {
    return {frames_.intern(std::move(frame)), true};
  }
  const uint32_t id = with_inlined(std::move(frame), *source.frames);
  native_ids_.add(key, id);
  return {id, false};
}

// The function that holds the code keeps the name of the symbol table, by which others know it.
uint32_t Symbolizer::with_inlined(model::Frame frame, const std::vector<elf::SourceFrame>& source) {
  if (source.empty()) {
    return frames_.intern(std::move(frame));
  }
  std::vector<uint32_t> chain;
  for (std::size_t i = 0; i + 1 < source.size(); ++i) {
    model::Frame inlined = frame;
    inlined.function = source[i].function.empty() ? "<inlined>" : source[i].function;
    inlined.file = source[i].file;
    inlined.line = source[i].line;
    inlined.first_line = source[i].first_line;
    inlined.inlined = true;
    chain.push_back(frames_.intern(std::move(inlined)));
  }
  const elf::SourceFrame& outermost = source.back();
  if (frame.function.empty()) frame.function = outermost.function;
  frame.file = outermost.file;
  frame.line = outermost.line;
  frame.first_line = outermost.first_line;
  const uint32_t id = frames_.intern(std::move(frame));
  if (chain.empty() || chains_.size() >= kMaxChains) {
    return id;
  }
  chain.push_back(id);
  const auto [known, is_new] =
      chain_numbers_.try_emplace(std::move(chain), static_cast<uint32_t>(chains_.size()));
  if (is_new) {
    chains_.push_back(known->first);
  }
  return kChain | known->second;
}

uint32_t Symbolizer::outermost(uint32_t id) const {
  return (id & kChain) != 0 ? chains_[id & ~kChain].back() : id;
}

model::Frame Symbolizer::make_native_frame(model::FileId file, uint64_t address, const Site& site,
                                           uint64_t now_ns) {
  model::Frame frame;
  const NativeSymbol& symbol = native_symbols_.find(file, address, now_ns);
  const bool internal =
      site.runs_python ||
      (opener_.is_interpreter(file) && (symbol.raw.empty() || is_interpreter_internal(symbol.raw)));
  frame.function = symbol.function;
  frame.address = symbol.start;
  frame.module = module_number(file);
  frame.kind = internal ? model::FrameKind::kInterpreter : model::FrameKind::kNative;
  return frame;
}

Symbolizer::Named Symbolizer::jit_frame(model::ProcessId process, uint64_t pc, const Site& site,
                                        uint64_t version) {
  // Next to the eval loop it is CPython's: perf trampolines or its JIT.
  const bool internal = site.runs_python || site.beside_eval;
  const FrameIdCache::Key key{process, pc, version << 1 | (internal ? 1u : 0u)};
  if (const uint32_t* known = jit_ids_.find(key)) {
    return {*known, version != 0 && frames_.at(*known).function.empty()};
  }
  model::Frame frame;
  frame.kind = internal ? model::FrameKind::kInterpreter : model::FrameKind::kNative;
  frame.address = pc;
  if (const auto hit = perf_maps_.find(process, pc)) {
    frame.function = hit->name;
    frame.address = hit->start;
    frame.module = module_number(0);
  }
  const bool unnamed = frame.function.empty();
  const uint32_t id = frames_.intern(std::move(frame));
  jit_ids_.add(key, id);
  return {id, version != 0 && unnamed};
}

uint32_t Symbolizer::kernel_frame(uint64_t address, bool exact, uint64_t now_ns) {
  const FrameIdCache::Key key{0, address, exact ? 1u : 0u};
  if (const uint32_t* known = kernel_ids_.find(key)) {
    return *known;
  }
  model::Frame frame;
  frame.kind = model::FrameKind::kKernel;
  frame.address = address;
  if (const auto symbol = kernel_symbols_.find(address - (exact ? 0 : 1), now_ns)) {
    frame.function = symbol->name;
    frame.address = symbol->start;
  }
  const uint32_t id = frames_.intern(std::move(frame));
  kernel_ids_.add(key, id);
  return id;
}

uint32_t Symbolizer::python_frame(model::ProcessId process, const model::PythonFrame& python,
                                  int32_t lasti) {
  model::Frame frame;
  frame.kind = model::FrameKind::kPython;
  if (python.kind != model::PythonFrame::Kind::kCode) {
    return frames_.intern(std::move(frame));
  }
  const FrameIdCache::Key key{process, python.code, static_cast<uint32_t>(lasti)};
  if (const uint32_t* known = python_ids_.find(key)) {
    return *known;
  }
  CachedCode* code = codes_.find(process, python.code);
  if (!code) {
    return frames_.intern(std::move(frame));
  }
  frame.function = code->qualname();
  frame.file = code->filename();
  frame.line = code->line(lasti);
  frame.first_line = code->first_line();
  const uint32_t id = frames_.intern(std::move(frame));
  python_ids_.add(key, id);
  return id;
}

uint32_t Symbolizer::module_number(model::FileId file) {
  const auto [known, is_new] =
      module_numbers_.try_emplace(file, static_cast<uint32_t>(modules_.size() + 1));
  if (is_new) {
    modules_.push_back(file == 0 ? model::Module{kJitModule, ""} : opener_.module(file));
  }
  return known->second;
}

std::string_view Symbolizer::interpreter_symbol(const model::NativeFrame& frame, uint64_t now_ns) {
  if (frame.where.file == 0 || !opener_.is_interpreter(frame.where.file)) {
    return {};
  }
  const uint64_t address = frame.where.address - (frame.exact ? 0 : 1);
  return native_symbols_.find(frame.where.file, address, now_ns).raw;
}

// From 3.6 on PyEval_EvalFrameEx only calls the eval loop, if the compiler left it a frame at all.
bool Symbolizer::is_eval(const std::vector<model::NativeFrame>& frames, uint32_t index,
                         uint64_t now_ns) {
  const std::string symbol(interpreter_symbol(frames[index], now_ns));
  if (!is_eval_loop(symbol) || index == 0 || !is_eval_caller(symbol)) {
    return is_eval_loop(symbol);
  }
  const std::string_view callee = interpreter_symbol(frames[index - 1], now_ns);
  return !is_eval_loop(callee) || is_eval_caller(callee);
}

}  // namespace pyprof::symbolize
