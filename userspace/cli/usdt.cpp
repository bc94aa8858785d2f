// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/usdt.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "userspace/elf/elf_file.h"
#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_fs.h"
#include "userspace/process/proc_maps.h"

namespace pyprof::cli {
namespace {

using Event = model::UsdtPoint::Event;

struct Span {
  const char* start;
  const char* done;
  Event start_event;
  Event done_event;
};
// CPython 3.6 to 3.15, Include/pydtrace.d.
constexpr std::array<Span, 2> kSpans{{
    {"gc__start", "gc__done", Event::kGcStart, Event::kGcDone},
    {"import__find__load__start", "import__find__load__done", Event::kImportStart,
     Event::kImportDone},
}};

const UsdtProbe* find_probe(const std::vector<UsdtProbe>& probes, std::string_view file,
                            std::string_view name) {
  const auto found = std::find_if(probes.begin(), probes.end(), [&](const UsdtProbe& probe) {
    return probe.provider == "python" && probe.name == name && probe.file == file;
  });
  return found == probes.end() ? nullptr : &*found;
}

Result<Fd> open_probed(int32_t pid, const std::string& path) {
  const process::ProcFs proc;
  const auto maps = proc.maps(pid);
  if (!maps) return maps.error();
  for (const model::Mapping& mapping : maps->mappings) {
    if (process::without_deleted(mapping.path) == path)
      return process::open_mapping(proc, pid, mapping);
  }
  return Error{"process " + std::to_string(pid) + " has unmapped " + path, ExitCode::kNoProcess};
}

// Of one file of one process.
class Points {
 public:
  Points(int32_t pid, std::string path, const elf::ElfFile& file)
      : pid_(pid), path_(std::move(path)), file_(file) {}

  Result<void> add(const UsdtProbe& probe, Event event, std::vector<model::UsdtPoint>& into) const {
    uint64_t semaphore = 0;
    if (probe.semaphore_address != 0) {
      const auto offset = file_.offset_of_address(probe.semaphore_address);
      if (!offset) return misplaced(probe);
      semaphore = *offset;
    }
    for (const UsdtProbe::Site& site : probe.sites) {
      const auto offset = file_.offset_of_address(site.address);
      if (!offset) return misplaced(probe);
      into.push_back({event, pid_, path_, *offset, semaphore});
    }
    return {};
  }

 private:
  static Error misplaced(const UsdtProbe& probe) {
    return Error{"the probe " + probe.name + " of " + probe.file + " lies outside the file",
                 ExitCode::kNotSupported};
  }

  int32_t pid_;
  std::string path_;
  const elf::ElfFile& file_;
};

Result<void> add_file(int32_t pid, const std::vector<UsdtProbe>& probes, const std::string& name,
                      UsdtPlan& plan) {
  auto fd = open_probed(pid, name);
  if (!fd) return fd.error();
  auto file = elf::ElfFile::open_path("/proc/self/fd/" + std::to_string(fd->get()));
  if (!file) return file.error();
  const Points points(pid, "/proc/self/fd/" + std::to_string(fd->get()), *file);
  plan.files.push_back(*std::move(fd));
  for (const Span& span : kSpans) {
    const UsdtProbe* start = find_probe(probes, name, span.start);
    const UsdtProbe* done = find_probe(probes, name, span.done);
    if (start == nullptr || done == nullptr) continue;
    for (auto added : {points.add(*start, span.start_event, plan.points),
                       points.add(*done, span.done_event, plan.points)}) {
      if (!added) return added;
    }
  }
  return {};
}

}  // namespace

Result<void> add_points(int32_t pid, const std::vector<UsdtProbe>& probes, UsdtPlan& plan) {
  std::vector<std::string> files;
  for (const UsdtProbe& probe : probes) {
    const bool wanted = std::any_of(kSpans.begin(), kSpans.end(), [&](const Span& span) {
      return probe.provider == "python" && probe.name == span.start;
    });
    if (wanted && std::find(files.begin(), files.end(), probe.file) == files.end())
      files.push_back(probe.file);
  }
  for (const std::string& file : files) {
    if (const auto added = add_file(pid, probes, file, plan); !added) return added;
  }
  return {};
}

Result<UsdtPlan> plan_usdt(const std::vector<int32_t>& pids) {
  UsdtPlan plan;
  for (const int32_t pid : pids) {
    const auto probes = read_probes(pid);
    if (!probes) return probes.error();
    const std::size_t before = plan.points.size();
    if (const auto added = add_points(pid, *probes, plan); !added) return added.error();
    if (plan.points.size() > before) continue;
    return Error{"process " + std::to_string(pid) +
                     " has no USDT probes of CPython's collector or imports (a build "
                     "--with-dtrace has); leave out --usdt",
                 ExitCode::kNotSupported};
  }
  return plan;
}

}  // namespace pyprof::cli
