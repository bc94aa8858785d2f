// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/pstats.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>

#include "userspace/aggregate/call_graph.h"
#include "userspace/export/source.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallGraph;
using aggregate::Cost;

// What pstats tells functions apart by: file, first line, name.
using Key = std::tuple<std::string, uint32_t, std::string>;
struct Times {
  Cost total;
  Cost self;
};
struct Entry {
  Times times;
  std::map<Key, Times> callers;
};

// Objects in version 2 of CPython's marshal format (Python/marshal.c), which all versions read.
class Marshal {
 public:
  void begin_dict() { out_ += '{'; }
  void end_dict() { out_ += '0'; }
  void tuple(uint32_t items) {
    out_ += '(';
    raw(items);
  }
  void text(std::string_view text) {
    out_ += 'u';
    raw(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  void number(uint64_t value) {
    out_ += 'i';
    raw(static_cast<int32_t>(std::min<uint64_t>(value, INT32_MAX)));
  }
  void real(double value) {
    out_ += 'g';
    raw(value);
  }
  std::string take() { return std::move(out_); }

 private:
  template <typename T>
  void raw(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
  }
  std::string out_;
};

Key key_of(const model::Profile& profile, const CallGraph& graph, uint32_t function) {
  const SourceText source =
      source_of(profile, profile.frames[graph.functions()[function].frame], {});
  return {source.file.empty() ? "~" : source.file, source.first_line, source.function};
}

std::map<Key, Entry> entries_of(const model::Profile& profile) {
  const CallGraph graph(profile);
  std::vector<Key> keys;
  std::map<Key, Entry> entries;
  for (uint32_t i = 0; i < graph.functions().size(); ++i) {
    keys.push_back(key_of(profile, graph, i));
    const auto& function = graph.functions()[i];
    if (function.total.samples == 0) continue;
    entries[keys[i]].times.total.add(function.total);
    entries[keys[i]].times.self.add(function.self);
  }
  for (const auto& [call, cost] : graph.calls()) {
    Times& times = entries[keys[call.callee]].callers[keys[call.caller]];
    times.total.add(cost.total);
    times.self.add(cost.self);
  }
  return entries;
}

void put_key(Marshal& out, const Key& key) {
  out.tuple(3);
  out.text(std::get<0>(key));
  out.number(std::get<1>(key));
  out.text(std::get<2>(key));
}

// Primitive calls, calls, tottime, cumtime.
void put_times(Marshal& out, const Times& times) {
  out.number(times.total.samples);
  out.number(times.total.samples);
  out.real(static_cast<double>(times.self.weight_ns) / 1e9);
  out.real(static_cast<double>(times.total.weight_ns) / 1e9);
}

}  // namespace

std::string to_pstats(const model::Profile& profile) {
  Marshal out;
  out.begin_dict();
  for (const auto& [key, entry] : entries_of(profile)) {
    put_key(out, key);
    out.tuple(5);
    put_times(out, entry.times);
    out.begin_dict();
    for (const auto& [caller, times] : entry.callers) {
      put_key(out, caller);
      out.tuple(4);
      put_times(out, times);
    }
    out.end_dict();
  }
  out.end_dict();
  return out.take();
}

}  // namespace pyprof::exporter
