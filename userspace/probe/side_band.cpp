// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/side_band.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/probe/kernel_features.h"

namespace pyprof::probe {
namespace {

using model::ProcessEvent;

constexpr std::size_t kMinPages = 4;  // a mapping with the longest path still fits
constexpr std::size_t kMaxPages = 16384;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxCommBytes = 16;
// Records stamped after a pass began wait for the next one. Each pass takes microseconds.
constexpr int kMaxPasses = 8;

// The end of every record: what sample_type asks for, in the kernel's order.
struct SampleId {
  uint32_t pid, tid;
  uint64_t time_ns;
  uint32_t cpu, reserved;
};

struct CommHead {
  perf_event_header header;
  uint32_t pid, tid;
};

struct LostHead {
  perf_event_header header;
  uint64_t id, lost;
};

struct Mmap2Head {
  perf_event_header header;
  uint32_t pid, tid;
  uint64_t start, bytes, file_offset;
  uint8_t identity[24];  // FileIdentity or BuildId
  uint32_t protection, flags;
};

struct FileIdentity {
  uint32_t major, minor;
  uint64_t inode, generation;
};

struct BuildId {
  uint8_t size, reserved[3], bytes[20];
};

static_assert(sizeof(SampleId) == 24 && sizeof(CommHead) == 16 && sizeof(LostHead) == 24);
static_assert(sizeof(Mmap2Head) == 72 && sizeof(FileIdentity) == 24 && sizeof(BuildId) == 24);

template <typename T>
T read_at(std::span<const uint8_t> bytes, std::size_t offset = 0) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::string text_of(std::span<const uint8_t> bytes, std::size_t max_bytes) {
  const auto within = bytes.first(std::min(bytes.size(), max_bytes));
  return {within.begin(), std::find(within.begin(), within.end(), 0)};
}

ProcessEvent comm_event(std::span<const uint8_t> body) {
  const auto head = read_at<CommHead>(body);
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kComm;
  event.pid = static_cast<int32_t>(head.pid);
  event.tid = static_cast<int32_t>(head.tid);
  event.exec_id = (head.header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0 ? kExecComm : 0;
  event.comm = text_of(body.subspan(sizeof head), kMaxCommBytes);
  return event;
}

ProcessEvent lost_event(std::span<const uint8_t> body) {
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kLost;
  event.lost_count = read_at<LostHead>(body).lost;
  return event;
}

void set_identity(const Mmap2Head& head, model::Mapping& mapping) {
  if ((head.header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) != 0) {
    const auto id = std::bit_cast<BuildId>(head.identity);
    mapping.build_id.assign(id.bytes, id.bytes + std::min<std::size_t>(id.size, sizeof id.bytes));
    return;
  }
  const auto id = std::bit_cast<FileIdentity>(head.identity);
  mapping.file = {makedev(id.major, id.minor), id.inode, id.generation};
}

std::optional<ProcessEvent> mmap_event(std::span<const uint8_t> body) {
  const auto head = read_at<Mmap2Head>(body);
  if ((head.protection & PROT_EXEC) == 0 || head.bytes > ~head.start) return std::nullopt;
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kMmap;
  event.pid = static_cast<int32_t>(head.pid);
  event.tid = static_cast<int32_t>(head.tid);
  event.mapping.start = head.start;
  event.mapping.end = head.start + head.bytes;
  event.mapping.file_offset = head.file_offset;
  set_identity(head, event.mapping);
  event.mapping.path = text_of(body.subspan(sizeof head), kMaxPathBytes);
  return event;
}

std::optional<ProcessEvent> parse_body(uint32_t type, std::span<const uint8_t> body) {
  switch (type) {
    case PERF_RECORD_COMM:
      if (body.size() >= sizeof(CommHead)) return comm_event(body);
      break;
    case PERF_RECORD_LOST:
      if (body.size() >= sizeof(LostHead)) return lost_event(body);
      break;
    case PERF_RECORD_MMAP2:
      if (body.size() >= sizeof(Mmap2Head)) return mmap_event(body);
      break;
    default:
      break;
  }
  return std::nullopt;
}

perf_event_attr event_attributes(const SideBandOptions& options) {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_SW_DUMMY;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;
  attr.sample_id_all = 1;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.mmap = 1;
  attr.mmap2 = 1;
  attr.comm = 1;
  attr.comm_exec = 1;
  attr.build_id = options.build_ids ? 1 : 0;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  // wakeup_events counts only PERF_RECORD_SAMPLE, which a dummy event never writes.
  attr.watermark = 1;
  attr.wakeup_watermark = options.wakeup_bytes;
  return attr;
}

int open_event(const perf_event_attr& attr, int cpu) {
  perf_event_attr copy = attr;
  return static_cast<int>(::syscall(SYS_perf_event_open, &copy, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

perf_event_mmap_page* control_page(const Mmap& map) {
  return static_cast<perf_event_mmap_page*>(map.data());
}

// The kernel sends them to whoever asks for names or mappings.
bool is_task_record(std::span<const uint8_t> record) {
  const auto type = read_at<perf_event_header>(record).type;
  return type == PERF_RECORD_FORK || type == PERF_RECORD_EXIT;
}

}  // namespace

std::optional<ProcessEvent> parse_side_band_record(std::span<const uint8_t> record) {
  if (record.size() < sizeof(perf_event_header) + sizeof(SampleId)) return std::nullopt;
  const std::size_t body_bytes = record.size() - sizeof(SampleId);
  const auto type = read_at<perf_event_header>(record).type;
  auto event = parse_body(type, record.first(body_bytes));
  if (event) event->time_ns = read_at<SampleId>(record, body_bytes).time_ns;
  return event;
}

// One look at all rings: everything stamped before `cutoff_ns`.
struct SideBand::Pass {
  std::vector<ProcessEvent>& out;
  std::size_t room;
  uint64_t cutoff_ns;
  bool held_back = false;
  std::optional<Error> error;
};

SideBand::SideBand(const SideBandOptions& options)
    : options_(options),
      pages_(std::bit_ceil(std::clamp(options.pages_per_cpu, kMinPages, kMaxPages))) {
  options_.wakeup_bytes = std::max<uint32_t>(options.wakeup_bytes, 1);
  options_.max_events = std::max<std::size_t>(options.max_events, 1);
}

Result<SideBand> SideBand::open(const SideBandOptions& options) {
  auto cpus = possible_cpus();
  if (!cpus) return cpus.error();
  SideBand side_band(options);
  for (const int cpu : *cpus) {
    if (auto opened = side_band.open_cpu(cpu); !opened) return opened.error();
  }
  if (side_band.rings_.empty()) {
    return Error{"no online CPU takes a perf event for process events: run `doctor`",
                 ExitCode::kNotSupported, ENODEV};
  }
  if (auto mapped = side_band.map_rings(); !mapped) return mapped.error();
  return side_band;
}

Result<void> SideBand::open_cpu(int cpu) {
  Fd fd(open_event(event_attributes(options_), cpu));
  if (!fd.valid() && errno == EINVAL && options_.build_ids) {
    options_.build_ids = false;
    fd.reset(open_event(event_attributes(options_), cpu));
  }
  if (!fd.valid() && errno == ENODEV) {
    ++skipped_cpus_;
    return {};
  }
  if (!fd.valid()) {
    return errno_error(
        "opening the process event of CPU " + std::to_string(cpu) + " (needs root, or CAP_PERFMON)",
        errno);
  }
  rings_.push_back({cpu, std::move(fd), Mmap(), 0, 0});
  return {};
}

// 0, or the errno of the first ring that could not be mapped.
int SideBand::try_map_rings() {
  const std::size_t bytes = (1 + pages_) * page_bytes();
  for (auto& ring : rings_) {
    void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd.get(), 0);
    if (data == MAP_FAILED) return errno;
    ring.map = Mmap(data, bytes);
  }
  return 0;
}

// All rings draw on one budget of locked memory, so that they shrink together.
Result<void> SideBand::map_rings() {
  for (;; pages_ /= 2) {
    const int error = try_map_rings();
    if (error == 0) return {};
    for (auto& ring : rings_)
      ring.map = Mmap();
    if ((error != EPERM && error != ENOMEM) || pages_ <= kMinPages) {
      return errno_error("locking " + std::to_string((1 + pages_) * page_bytes() / 1024) +
                             " KiB per CPU for process events (raise the memlock limit or "
                             "kernel.perf_event_mlock_kb, or add CAP_IPC_LOCK)",
                         error);
    }
  }
}

std::vector<int> SideBand::fds() const {
  std::vector<int> fds;
  fds.reserve(rings_.size());
  for (const auto& ring : rings_)
    fds.push_back(ring.fd.get());
  return fds;
}

// The record at the tail in one piece, empty if the bytes there cannot be one. Valid until the next
// call and while the tail is not published.
std::span<const uint8_t> SideBand::peek(const Ring& ring) {
  const auto* data = static_cast<const uint8_t*>(ring.map.data()) + page_bytes();
  const std::size_t size = ring.map.bytes() - page_bytes();
  const std::size_t begin = ring.tail & (size - 1);
  const uint64_t available = ring.head - ring.tail;
  // Records are multiples of 8 bytes, so that a header never wraps.
  if (available < sizeof(perf_event_header) || begin % 8 != 0) return {};
  const std::size_t bytes = read_at<perf_event_header>({data + begin, 8}).size;
  if (bytes < sizeof(perf_event_header) || bytes > available || bytes % 8 != 0) return {};
  if (begin + bytes <= size) return {data + begin, bytes};
  scratch_.resize(bytes);
  const std::size_t first = size - begin;
  std::memcpy(scratch_.data(), data + begin, first);
  std::memcpy(scratch_.data() + first, data, bytes - first);
  return scratch_;
}

void SideBand::drop_corrupt(Ring& ring, Pass& pass) {
  ring.tail = ring.head;
  ++stats_.malformed;
  ProcessEvent event;
  event.time_ns = pass.cutoff_ns;
  event.lost_count = 1;
  pass.out.push_back(std::move(event));
  pass.error = Error{"process event ring of CPU " + std::to_string(ring.cpu) +
                         " held bytes that are no record; it was emptied: scan /proc again",
                     ExitCode::kNotSupported, 0};
}

std::optional<SideBand::Pending> SideBand::next(std::size_t index, Pass& pass) {
  Ring& ring = rings_[index];
  while (ring.tail != ring.head) {
    const auto record = peek(ring);
    if (record.empty()) {
      drop_corrupt(ring, pass);
      return std::nullopt;
    }
    auto event = parse_side_band_record(record);
    if (!event) {
      if (!is_task_record(record)) ++stats_.malformed;
      ring.tail += record.size();
      continue;
    }
    if (event->time_ns < pass.cutoff_ns) return Pending{std::move(*event), index, record.size()};
    pass.held_back = true;
    return std::nullopt;
  }
  return std::nullopt;
}

// A record stamped before the cutoff can only have been caused by records that were complete when
// it was stamped, so by records below the heads read here: merging up to the cutoff keeps the order
// of cause and effect across CPUs and calls.
void SideBand::run(Pass& pass) {
  for (auto& ring : rings_) {
    ring.head = __atomic_load_n(&control_page(ring.map)->data_head, __ATOMIC_ACQUIRE);
  }
  const auto later = [](const Pending& a, const Pending& b) {
    return a.event.time_ns > b.event.time_ns;
  };
  std::vector<Pending> heap;
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    if (auto pending = next(i, pass)) heap.push_back(std::move(*pending));
  }
  std::make_heap(heap.begin(), heap.end(), later);
  for (; !heap.empty() && pass.room > 0; --pass.room) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Pending oldest = std::move(heap.back());
    heap.pop_back();
    stats_.lost += oldest.event.lost_count;
    rings_[oldest.ring].tail += oldest.bytes;
    pass.out.push_back(std::move(oldest.event));
    if (auto pending = next(oldest.ring, pass)) {
      heap.push_back(std::move(*pending));
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  for (auto& ring : rings_) {
    __atomic_store_n(&control_page(ring.map)->data_tail, ring.tail, __ATOMIC_RELEASE);
  }
}

Result<std::size_t> SideBand::drain(std::vector<ProcessEvent>& out) {
  const std::size_t before = out.size();
  Pass pass{out, options_.max_events, 0, false, std::nullopt};
  for (int i = 0; i < kMaxPasses && (i == 0 || pass.held_back) && pass.room > 0; ++i) {
    pass.held_back = false;
    pass.cutoff_ns = monotonic_ns();
    run(pass);
  }
  // The kernel stamps a lost record later than the record that follows it.
  std::stable_sort(
      out.begin() + static_cast<std::ptrdiff_t>(before), out.end(),
      [](const ProcessEvent& a, const ProcessEvent& b) { return a.time_ns < b.time_ns; });
  stats_.events += out.size() - before;
  if (pass.error) return *pass.error;
  return out.size() - before;
}

}  // namespace pyprof::probe
