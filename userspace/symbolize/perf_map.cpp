// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/perf_map.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

namespace pyprof::symbolize {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;
constexpr std::size_t kFunctionBytes = 96;  // map node, without a long name
constexpr std::size_t kProcessBytes = 256;
constexpr std::size_t kMaxLineBytes = 16 * 1024;
// Of processes without a map a note is kept, so that they aren't looked at all the time.
constexpr std::size_t kNotesPerMap = 16;

std::optional<uint64_t> take_hex(std::string_view& line) {
  if (line.starts_with("0x") || line.starts_with("0X")) line.remove_prefix(2);
  uint64_t value = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value, 16);
  const auto used = static_cast<std::size_t>(parsed.ptr - line.data());
  if (parsed.ec != std::errc() || used >= line.size() || line[used] != ' ') return std::nullopt;
  line.remove_prefix(used + 1);
  return value;
}

}  // namespace

bool PerfMap::read(const PerfMapLimits& limits) {
  struct stat status {};
  if (!file_.valid() || ::fstat(file_.get(), &status) != 0) return false;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < size_) start_anew();
  size_ = size;
  if (!dump_ && offset_ == 0) dump_ = JitDump::at_start(file_.get());
  return dump_ ? read_dump(limits) : read_text(limits);
}

void PerfMap::start_anew() {
  functions_.clear();
  rest_.clear();
  dump_.reset();
  offset_ = 0;
  bytes_ = 0;
}

bool PerfMap::read_dump(const PerfMapLimits& limits) {
  bool any = false;
  const uint64_t before = dump_->bytes_read();
  while (read_ + dump_->bytes_read() - before < limits.file_bytes) {
    const auto record = dump_->next(file_.get());
    if (!record) break;
    add_record(*record, limits);
    any = true;
  }
  read_ += dump_->bytes_read() - before;
  return any;
}

void PerfMap::add_record(const JitDumpRecord& record, const PerfMapLimits& limits) {
  if (record.kind == JitDumpRecord::Kind::kLoad) {
    replace(record.start, record.bytes, record.name, limits);
  } else if (record.kind == JitDumpRecord::Kind::kMove) {
    const auto moved = find(record.old_start);
    if (!moved || moved->start != record.old_start) return;
    const std::string name(moved->name);
    replace(record.start, record.bytes, name, limits);
  }
}

bool PerfMap::read_text(const PerfMapLimits& limits) {
  const std::size_t before = read_;
  std::vector<char> chunk(kChunkBytes);
  while (read_ < limits.file_bytes) {
    const std::size_t room = std::min(chunk.size(), limits.file_bytes - read_);
    const ssize_t got = ::pread(file_.get(), chunk.data(), room, static_cast<off_t>(offset_));
    if (got <= 0) break;
    offset_ += static_cast<uint64_t>(got);
    read_ += static_cast<std::size_t>(got);
    rest_.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      add_line(std::string_view(rest_).substr(begin, end - begin), limits);
    }
    rest_.erase(0, begin);
    // Only the start of a line that never ends is of use.
    if (rest_.size() > kMaxLineBytes) rest_.resize(kMaxLineBytes);
  }
  return read_ > before;
}

void PerfMap::add_line(std::string_view line, const PerfMapLimits& limits) {
  const auto start = take_hex(line);
  const auto bytes = start ? take_hex(line) : std::nullopt;
  if (bytes && !line.empty()) replace(*start, *bytes, line, limits);
}

void PerfMap::replace(uint64_t start, uint64_t bytes, std::string_view name,
                      const PerfMapLimits& limits) {
  if (bytes == 0 || start + bytes < start) return;
  erase_overlapping(start, start + bytes);
  if (functions_.size() >= limits.functions) return;
  add(start, start + bytes, name.substr(0, limits.name_bytes));
}

void PerfMap::add(uint64_t start, uint64_t end, std::string_view name) {
  bytes_ += kFunctionBytes + name.size();
  functions_[start] = {end, std::string(name)};
}

void PerfMap::erase_overlapping(uint64_t start, uint64_t end) {
  auto first = functions_.lower_bound(start);
  if (first != functions_.begin() && std::prev(first)->second.end > start) --first;
  while (first != functions_.end() && first->first < end) {
    bytes_ -= kFunctionBytes + first->second.name.size();
    first = functions_.erase(first);
  }
}

std::optional<PerfMap::Hit> PerfMap::find(uint64_t pc) const {
  const auto above = functions_.upper_bound(pc);
  if (above == functions_.begin()) return std::nullopt;
  const auto& [start, function] = *std::prev(above);
  if (pc >= function.end) return std::nullopt;
  return Hit{function.name, start};
}

std::optional<PerfMap::Hit> PerfMaps::find(model::ProcessId process, uint64_t pc) const {
  const auto known = by_id_.find(process);
  const bool has_map = known != by_id_.end() && known->second->map;
  return has_map ? known->second->map->find(pc) : std::nullopt;
}

uint64_t PerfMaps::refresh(model::ProcessId process, uint64_t now_ns) {
  const auto known = by_id_.find(process);
  if (known == by_id_.end()) {
    processes_.emplace_front().id = process;
    by_id_[process] = processes_.begin();
    look(processes_.front(), now_ns);
    return processes_.front().version;
  }
  processes_.splice(processes_.begin(), processes_, known->second);
  Process& found = processes_.front();
  const uint64_t wait_ns = found.map ? limits_.reread_ns : limits_.retry_ns;
  if (now_ns >= found.looked_ns + wait_ns) look(found, now_ns);
  return found.version;
}

void PerfMaps::forget(model::ProcessId process) {
  const auto known = by_id_.find(process);
  if (known == by_id_.end()) return;
  bytes_ -= known->second->bytes;
  processes_.erase(known->second);
  by_id_.erase(known);
}

void PerfMaps::look(Process& process, uint64_t now_ns) {
  process.looked_ns = now_ns;
  if (!process.map) {
    if (Fd file = opener_(process.id); file.valid()) {
      process.map.emplace(std::move(file));
      process.version = 1;
    }
  }
  if (process.map && process.map->read(limits_)) ++process.version;
  bytes_ -= process.bytes;
  process.bytes = kProcessBytes + (process.map ? process.map->bytes() : 0);
  bytes_ += process.bytes;
  evict_all_but_first();
}

void PerfMaps::evict_all_but_first() {
  std::size_t maps = 0;
  for (const Process& process : processes_)
    maps += process.map ? 1 : 0;
  while (processes_.size() > 1 && (bytes_ > limits_.bytes || maps > limits_.processes ||
                                   processes_.size() > kNotesPerMap * limits_.processes)) {
    maps -= processes_.back().map ? 1 : 0;
    forget(processes_.back().id);
  }
}

}  // namespace pyprof::symbolize
