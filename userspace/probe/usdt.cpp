// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/usdt.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "bpf/wire.h"
#include "pyebpf.skel.h"
#include "userspace/probe/libbpf_log.h"

namespace pyprof::probe {
namespace {

using Event = model::UsdtPoint::Event;

constexpr uint32_t kMaxThreads = 16'384;  // between two probes at one moment
constexpr std::array<Event, 4> kEndsFirst{Event::kGcDone, Event::kGcStart, Event::kImportDone,
                                          Event::kImportStart};

bpf_program* program_of(const pyebpf& skeleton, Event event) {
  switch (event) {
    case Event::kGcStart:
      return skeleton.progs.usdt_gc_start;
    case Event::kGcDone:
      return skeleton.progs.usdt_gc_done;
    case Event::kImportStart:
      return skeleton.progs.usdt_import_start;
    case Event::kImportDone:
      break;
  }
  return skeleton.progs.usdt_import_done;
}

uint32_t target_bit(Event event) {
  const bool gc = event == Event::kGcStart || event == Event::kGcDone;
  return gc ? WIRE_TARGET_USDT_GC : WIRE_TARGET_USDT_IMPORT;
}

Result<Link> attach_point(pyebpf& skeleton, const model::UsdtPoint& point) {
  LIBBPF_OPTS(bpf_uprobe_opts, options, .ref_ctr_offset = point.semaphore_offset);
  Link link(bpf_program__attach_uprobe_opts(program_of(skeleton, point.event), point.pid,
                                            point.path.c_str(), point.offset, &options));
  if (link) return link;
  const int error = errno;
  const std::string log = take_libbpf_log();
  Error result =
      errno_error("attaching to the USDT probes of process " + std::to_string(point.pid), error);
  result.message += "; leave out --usdt" + (log.empty() ? "" : "; libbpf says: " + log);
  return result;
}

Result<void> mark_target(const pyebpf& skeleton, const model::UsdtPoint& point) {
  const int map = bpf_map__fd(skeleton.maps.targets);
  uint32_t bits = WIRE_TARGET_SAMPLE;
  static_cast<void>(bpf_map_lookup_elem(map, &point.pid, &bits));
  bits |= target_bit(point.event);
  if (bpf_map_update_elem(map, &point.pid, &bits, BPF_ANY) == 0) return {};
  return errno_error("marking process " + std::to_string(point.pid), errno);
}

}  // namespace

void prepare_usdt(pyebpf& skeleton) {
  for (const Event event : kEndsFirst)
    bpf_program__set_autoload(program_of(skeleton, event), true);
  bpf_map__set_max_entries(skeleton.maps.usdt_threads, kMaxThreads);
}

Result<std::vector<Link>> attach_usdt(pyebpf& skeleton, std::span<const model::UsdtPoint> points) {
  std::vector<Link> links;
  for (const Event event : kEndsFirst) {
    for (const model::UsdtPoint& point : points) {
      if (point.event != event) continue;
      auto link = attach_point(skeleton, point);
      if (!link) return link.error();
      links.push_back(*std::move(link));
    }
  }
  for (const model::UsdtPoint& point : points) {
    if (const auto marked = mark_target(skeleton, point); !marked) return marked.error();
  }
  return links;
}

}  // namespace pyprof::probe
