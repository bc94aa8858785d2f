// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/collector.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "userspace/base/clock.h"
#include "userspace/base/thread_priority.h"
#include "userspace/python/text.h"

namespace pyprof::engine {

namespace {

constexpr std::size_t kMaxScans = 65'536;

void drain_counter(int fd) {
  uint64_t count = 0;
  while (::read(fd, &count, sizeof(count)) == sizeof(count)) {
  }
}

void signal(int fd) {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof(one));
}

model::PythonFrame python_frame(const wire_python& element) {
  model::PythonFrame frame;
  if (element.lasti == WIRE_PY_ENTRY) {
    frame.kind = model::PythonFrame::Kind::kEntry;
    frame.address = element.id;
    return frame;
  }
  frame.kind = (element.flags & WIRE_PY_NO_CODE) != 0 ? model::PythonFrame::Kind::kUnreadable
                                                      : model::PythonFrame::Kind::kCode;
  frame.code = element.id;
  frame.lasti = static_cast<int32_t>(element.lasti);
  frame.activation = (element.flags & WIRE_PY_ACTIVATION) != 0;
  return frame;
}

}  // namespace

Collector::Collector(probe::Probe& probe, probe::SideBand side_band, process::FileTable& files,
                     Publisher& publisher, BatchQueue& queue, const std::vector<int32_t>& only_pids,
                     bool follow_children)
    : probe_(probe),
      side_band_(std::move(side_band)),
      publisher_(publisher),
      queue_(queue),
      only_pids_(only_pids.begin(), only_pids.end()),
      follow_children_(follow_children),
      tracker_(files) {}

Collector::~Collector() {
  if (!thread_.joinable()) return;
  stop_ = true;
  signal(wake_.get());
  thread_.join();
  publisher_.cancel_calls();
}

void Collector::learn_processes() {
  auto found = probe_.list_processes();
  for (auto& event : found)
    tracker_.apply(event);
  tracker_.scan(process::ProcFs());
  read_events();
  merge();
  hand_over_changes();
}

Result<void> Collector::run() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const itimerspec period{{0, static_cast<long>(kPollNs)}, {0, static_cast<long>(kPollNs)}};
  if (!epoll_.valid() || !timer_.valid() || !wake_.valid() ||
      ::timerfd_settime(timer_.get(), 0, &period, nullptr) != 0) {
    return errno_error("preparing to wait for kernel events", errno);
  }
  auto fds = side_band_.fds();
  for (const int fd : {probe_.events_fd(), timer_.get(), wake_.get()})
    fds.push_back(fd);
  for (const int fd : fds) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return errno_error("waiting for kernel events", errno);
    }
  }
  thread_ = std::thread([this] { loop(); });
  return {};
}

std::future<void> Collector::flush() {
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  {
    const std::lock_guard lock(mutex_);
    flushes_.push_back(std::move(promise));
  }
  signal(wake_.get());
  return future;
}

CollectorStats Collector::take_stats() {
  const std::lock_guard lock(mutex_);
  CollectorStats now = stats_;
  stats_.ring_fill = 0;
  return now;
}

// Returns whether the samples are due.
bool Collector::wait() {
  std::array<epoll_event, 16> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 1000);
  bool due = count <= 0;
  for (int i = 0; i < count; ++i) {
    const int fd = ready[static_cast<std::size_t>(i)].data.fd;
    if (fd != timer_.get() && fd != wake_.get()) continue;
    drain_counter(fd);
    due = true;
  }
  return due;
}

void Collector::loop() {
  be_prompt();
  while (!stop_)
    pump(wait());
  pump(true);
}

void Collector::pump(bool with_samples) {
  std::vector<std::shared_ptr<std::promise<void>>> flushes;
  {
    const std::lock_guard lock(mutex_);
    flushes.swap(flushes_);
  }
  if (with_samples || !flushes.empty()) read_samples();
  read_events();
  apply_scan_results();
  merge();
  hand_over_changes();
  finish_held(!flushes.empty());
  for (auto& promise : flushes)
    batch_.emplace_back(Barrier{std::move(promise)});
  hand_over_items();
}

void Collector::read_samples() {
  auto& ring = probe_.samples();
  const double fill =
      static_cast<double>(ring.pending_bytes()) / static_cast<double>(ring.size_bytes());
  ring.consume([this](std::span<const uint8_t> bytes) {
    if (const auto record = decoder_.decode(bytes)) take(*record, bytes);
  });
  const std::lock_guard lock(mutex_);
  stats_.ring_fill = std::max(stats_.ring_fill, fill);
  stats_.malformed = decoder_.malformed();
}

void Collector::take(const probe::Record& record, std::span<const uint8_t> bytes) {
  if (const auto* tick = std::get_if<probe::TickRecord>(&record)) {
    add_tick(tick->tick, tick->task);
  } else if (const auto* stack = std::get_if<probe::StackRecord>(&record)) {
    add_stack(*stack);
  } else if (const auto* task = std::get_if<wire_task>(&record)) {
    if (auto name = python::decode_task(*task)) {
      pending_.emplace_back(task->time_ns, 0u,
                            Item(std::in_place_type<model::TaskName>, std::move(*name)));
    }
  } else if (std::holds_alternative<probe::CodeBytes>(record)) {
    if (auto code = python::decode_code(bytes)) {
      const auto& head = std::get<probe::CodeBytes>(record).head;
      pending_.emplace_back(head.time_ns, 0u,
                            Item(std::in_place_type<model::CodeObject>, std::move(*code)));
    }
  }
}

void Collector::add_tick(const wire_tick& tick, uint64_t task) {
  model::RawSample sample;
  sample.key = tick.stack_key;
  sample.process = tick.proc;
  sample.time_ns = tick.time_ns;
  sample.weight_ns = tick.weight_ns;
  sample.pid = static_cast<int32_t>(tick.tgid);
  sample.tid = static_cast<int32_t>(tick.tid);
  sample.cpu = tick.cpu;
  sample.kernel_leaf = (tick.flags & WIRE_TICK_KERNEL) != 0;
  sample.python_leaf = (tick.flags & WIRE_TICK_PYTHON) != 0;
  sample.leaf = {0, tick.leaf_ip, tick.leaf_ip};
  sample.leaf_lasti = static_cast<int32_t>(tick.leaf_lasti);
  sample.labels = probe::labels_of(tick.flags, task);
  pending_.emplace_back(tick.time_ns, tick.map_gen,
                        Item(std::in_place_type<model::RawSample>, sample));
}

void Collector::add_stack(const probe::StackRecord& record) {
  model::RawStack stack;
  const auto& tick = record.head.tick;
  stack.key = tick.stack_key;
  stack.process = tick.proc;
  stack.time_ns = tick.time_ns;
  stack.kernel.assign(record.kernel.begin(), record.kernel.end());
  stack.sp = record.head.sp;
  stack.piece = {
      record.head.piece_sp, record.head.piece_bp, {record.piece.begin(), record.piece.end()}};
  stack.native_end = record.head.native_end;
  stack.python_end = record.head.python_end;
  stack.native.reserve(record.native.size());
  for (const auto& frame : record.native) {
    stack.native.push_back(
        {{0, frame.pc, frame.pc}, frame.cfa & ~uint64_t{1}, (frame.cfa & 1) != 0});
  }
  stack.python.reserve(record.python.size());
  for (const auto& element : record.python)
    stack.python.push_back(python_frame(element));
  pending_.emplace_back(tick.time_ns, tick.map_gen,
                        Item(std::in_place_type<model::RawStack>, std::move(stack)));
  add_tick(tick, record.head.task);
}

void Collector::read_events() {
  probe_.events().consume([this](std::span<const uint8_t> bytes) {
    if (auto event = decoder_.decode_process(bytes)) events_.push_back(std::move(*event));
  });
  while (true) {
    const auto got = side_band_.drain(events_);
    if (!got || *got < probe::SideBandOptions{}.max_events) break;
  }
  std::stable_sort(events_.begin(), events_.end(),
                   [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
}

void Collector::apply_scan_results() {
  std::vector<process::ScanResult> results;
  {
    const std::lock_guard lock(mutex_);
    results.swap(scans_);
  }
  for (const auto& result : results)
    tracker_.apply(result);
}

void Collector::apply(const model::ProcessEvent& event) {
  last_event_ns_ = std::max(last_event_ns_, event.time_ns);
  const bool is_fork = event.kind == model::ProcessEvent::Kind::kFork;
  if (follow_children_ && is_fork && only_pids_.contains(event.parent_pid)) {
    only_pids_.insert(event.pid);
  }
  tracker_.apply(event);
}

void Collector::merge() {
  auto next = events_.begin();
  for (auto& pending : pending_) {
    for (; next != events_.end() && next->time_ns <= pending.time_ns; ++next) {
      apply(*next);
    }
    resolve(pending);
  }
  for (; next != events_.end(); ++next) {
    apply(*next);
  }
  pending_.clear();
  events_.clear();
  finish_codes();
}

// What the living process has to add to the code objects of this batch.
void Collector::finish_codes() {
  std::vector<model::CodeObject*> methods;
  for (auto& item : batch_) {
    auto* code = std::get_if<model::CodeObject>(&item);
    if (code != nullptr && code->method && code->argument_type != 0) methods.push_back(code);
  }
  publisher_.name_methods(methods);
  for (const auto& item : batch_) {
    const auto* code = std::get_if<model::CodeObject>(&item);
    if (code != nullptr && !code->complete) complete(*code);
  }
}

void Collector::complete(const model::CodeObject& code) {
  publisher_.complete(code, [this](model::CodeObject whole) {
    Batch batch;
    batch.emplace_back(std::move(whole));
    queue_.push(std::move(batch));
  });
}

void Collector::hand_over_changes() {
  const uint64_t as_of_ns = std::max(last_event_ns_, uint64_t{1});
  for (const auto process : tracker_.take_changed()) {
    const auto* state = tracker_.find(process);
    if (state == nullptr || state->process == 0) continue;
    if (!only_pids_.empty() && !only_pids_.contains(state->pid)) continue;
    publisher_.publish(*state, as_of_ns);
  }
  for (const auto process : tracker_.take_exited()) {
    const auto* state = tracker_.find(process);
    publisher_.retire(process, state != nullptr ? state->pid : 0);
    batch_.emplace_back(ProcessEnded{process, monotonic_ns()});
  }
  if (tracker_.needs_scan()) rescan();
  const std::lock_guard lock(mutex_);
  stats_.processes = tracker_.live();
  stats_.events_lost = tracker_.counters().lost_events;
}

void Collector::rescan() {
  for (const auto& request : tracker_.take_scan_requests()) {
    publisher_.scan(request, [this](process::ScanResult result) {
      {
        const std::lock_guard lock(mutex_);
        if (scans_.size() < kMaxScans) scans_.push_back(std::move(result));
      }
      signal(wake_.get());
    });
  }
}

void Collector::hand_over_items() {
  if (batch_.empty()) return;
  const auto samples =
      static_cast<uint64_t>(std::count_if(batch_.begin(), batch_.end(), [](const Item& item) {
        return std::holds_alternative<model::RawSample>(item);
      }));
  if (!queue_.push(std::move(batch_))) {
    const std::lock_guard lock(mutex_);
    stats_.lost_in_queue += samples;
  }
  batch_ = {};
}

}  // namespace pyprof::engine
