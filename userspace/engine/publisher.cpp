// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/publisher.h"

#include <algorithm>

#include "userspace/base/clock.h"
#include "userspace/base/thread_priority.h"
#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_maps.h"
#include "userspace/python/describe.h"

namespace pyprof::engine {

namespace {

constexpr std::size_t kMaxGenerations = 16'384;
constexpr std::size_t kMaxAmbiguous = 64;
constexpr std::size_t kMaxStarved = 4'096;
constexpr uint64_t kLookAgainNs = 1'000'000'000;

// Rows for what the file's table covers; frame pointers elsewhere, unless rows may come.
wire_mapping make_mapping(const process::MappedRange& range, const LoadedFile* file, uint64_t bias,
                          bool unread) {
  wire_mapping mapping{};
  mapping.start = range.mapping.start;
  mapping.end = range.mapping.end;
  mapping.kind = unread ? WIRE_MAP_UNREAD : WIRE_MAP_NONE;
  if (file == nullptr || file->rows != LoadedFile::Rows::kPlaced) return mapping;
  const uint64_t first = mapping.start - bias, end = mapping.end - bias;
  if (end <= file->first_address || first >= file->end_address) return mapping;
  // lld puts segments into the middle of a page: what is before in it is not code.
  if (first < file->first_address) mapping.start = bias + file->first_address;
  mapping.kind = WIRE_MAP_ROWS;
  mapping.bias = bias + file->first_address;
  mapping.index_first = file->placement.index_first;
  if (end > file->end_address) mapping.end = bias + file->end_address;
  return mapping;
}

}  // namespace

Publisher::Publisher(probe::Probe& probe, probe::TableStore& tables, process::FileTable& files,
                     FileCatalog& catalog, ProcessDirectory& directory,
                     std::unique_ptr<reader::FileReader> reader)
    : probe_(probe),
      tables_(tables),
      files_(files),
      catalog_(catalog),
      directory_(directory),
      reader_(std::move(reader)),
      thread_([this] { run(); }) {}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
  reader_.reset();
}

void Publisher::publish(const process::ProcessState& state, uint64_t as_of_ns) {
  {
    const std::lock_guard lock(mutex_);
    auto [it, fresh] = jobs_.try_emplace(state.process);
    it->second.state = state;
    it->second.as_of_ns = as_of_ns;
    it->second.ended = false;
    if (fresh) fresh_.push_back(state.process);
  }
  work_.notify_one();
}

void Publisher::retire(model::ProcessId process, int32_t pid) {
  {
    const std::lock_guard lock(mutex_);
    auto [it, fresh] = jobs_.try_emplace(process);
    it->second.state.process = process;
    it->second.state.pid = pid;
    it->second.ended = true;
    if (fresh) fresh_.push_back(process);
  }
  work_.notify_one();
}

void Publisher::scan(const process::ScanRequest& request, const ScanDone& done) {
  {
    const std::lock_guard lock(mutex_);
    scans_.emplace_back(request, done);
  }
  work_.notify_one();
}

void Publisher::cancel_calls() {
  std::unique_lock lock(mutex_);
  scans_.clear();
  codes_.clear();
  idle_.wait(lock, [this] { return !calling_; });
}

bool Publisher::wait_idle(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, limit, [this] {
    return !busy_ && !waiting_ && read_files_.empty() && fresh_.empty() && slow_.empty() &&
           scans_.empty();
  });
}

uint64_t Publisher::built_ns(uint32_t map_gen) const {
  const std::lock_guard lock(mutex_);
  const auto it =
      std::lower_bound(generations_.begin(), generations_.end(), map_gen,
                       [](const auto& entry, uint32_t wanted) { return entry.first < wanted; });
  return it != generations_.end() && it->first == map_gen ? it->second : 0;
}

uint64_t Publisher::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Publisher::run() {
  be_prompt();
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!ambiguous_.empty() && monotonic_ns() >= look_again_ns_) {
      lock.unlock();
      look_again();
      lock.lock();
    }
    if (step(lock)) continue;
    idle_.notify_all();
    work_.wait_for(lock, std::chrono::seconds(1));
    lock.unlock();
    look_after_files();
    lock.lock();
  }
}

// One piece of work; the lock is not held during it. Returns false if there was none.
bool Publisher::step(std::unique_lock<std::mutex>& lock) {
  busy_ = true;
  bool worked = true;
  if (!read_files_.empty()) {
    take_files(lock);
  } else if (!fresh_.empty()) {
    serve(lock, fresh_, false);
  } else if (!scans_.empty()) {
    auto [request, done] = std::move(scans_.front());
    scans_.pop_front();
    call(lock, [&] { done(process::read_mappings(proc_, request)); });
  } else if (!codes_.empty()) {
    auto [code, done] = std::move(codes_.front());
    codes_.pop_front();
    call(lock, [&] { read_code(code, done); });
  } else if (!slow_.empty()) {
    serve(lock, slow_, true);
  } else {
    worked = false;
  }
  busy_ = false;
  return worked;
}

void Publisher::call(std::unique_lock<std::mutex>& lock, const std::function<void()>& work) {
  calling_ = true;
  lock.unlock();
  work();
  lock.lock();
  calling_ = false;
  idle_.notify_all();
}

// The first process of a list; with `may_read` files are read, else it goes to the slow list if one
// has to be.
void Publisher::serve(std::unique_lock<std::mutex>& lock, std::deque<model::ProcessId>& list,
                      bool may_read) {
  const auto id = list.front();
  list.pop_front();
  Job job = std::move(jobs_.at(id));
  jobs_.erase(id);
  lock.unlock();
  // What is known of it by now is newer than what waits.
  waits_.forget(id);
  starved_.erase(id);
  Built built;
  if (job.ended) {
    remove(job);
  } else {
    learn(job);
    built = build(job, may_read);
    // The second look gives no more than the first unless nothing is missing any more.
    if (!may_read || !built.missing) install(job, built);
  }
  if (!built.starved.empty() && starved_.size() < kMaxStarved) {
    starved_[id] = {job, std::move(built.starved)};
  }
  const bool waits = may_read && built.missing;
  if (waits) waits_.wait(id, std::move(job), std::move(built.reading));
  tables_.reclaim(monotonic_ns());
  lock.lock();
  waiting_ = !waits_.empty();
  if (waits || !built.missing || jobs_.contains(id)) return;
  jobs_.emplace(id, std::move(job));
  slow_.push_back(id);
}

void Publisher::learn(Job& job) {
  if (!job.learnt && !directory_.knows(job.state.process)) directory_.learn(job.state);
  job.learnt = true;
}

Publisher::Mapped Publisher::file_of(const Job& job, const process::MappedRange& range,
                                     bool may_read, Built& built) {
  const auto& mapping = range.mapping;
  if (!process::has_file(mapping) && !process::is_vdso(mapping)) return {};
  auto binding = files_.find(mapping);
  if (!binding && may_read) {
    auto identified = files_.identify(proc_, job.state.pid, mapping);
    if (!identified) return {};
    binding = *identified;
  }
  if (!binding) {
    built.missing = true;
    return {nullptr, 0, true};
  }
  const auto* file = catalog_.find(binding->file);
  const bool wanted = file == nullptr || file->rows == LoadedFile::Rows::kEvicted;
  if (wanted && may_read) read_file(job, binding->file, mapping, built);
  if (wanted && !may_read) built.missing = true;
  if (file == nullptr) return {nullptr, binding->bias, true};
  if (file->rows == LoadedFile::Rows::kPlaced) built.files.push_back(binding->file);
  if (file->rows == LoadedFile::Rows::kStarved) built.starved.push_back(binding->file);
  return {file, binding->bias, wanted};
}

// If a file has to be read first, what there is without it.
Publisher::Built Publisher::build(const Job& job, bool may_read) {
  Built built;
  std::vector<InterpreterCandidate> interpreters;
  const python::TsdLayout* tsd = nullptr;
  const python::AsyncioLayout* asyncio = nullptr;
  for (const auto& range : job.state.space.read().ranges()) {
    const auto [file, bias, unread] = file_of(job, range, may_read, built);
    if (built.mappings.size() < WIRE_MAX_MAPPINGS) {
      built.mappings.push_back(make_mapping(range, file, bias, unread));
    }
    if (file == nullptr) continue;
    if (file->tsd) tsd = &*file->tsd;
    if (file->asyncio) asyncio = &*file->asyncio;
    if (!file->interpreter) continue;
    // A file can have several executable mappings.
    const bool known = !interpreters.empty() && interpreters.back().file == &*file->interpreter &&
                       interpreters.back().bias == bias;
    if (!known) interpreters.push_back({&*file->interpreter, bias});
  }
  if (!interpreters.empty() && (tsd != nullptr || !built.missing)) {
    built.python = choose_python(job, interpreters, tsd, asyncio);
  }
  if (interpreters.empty() && !built.missing) tell_unreadable(job);
  return built;
}

// A file that could not be numbered, but has the name of an interpreter.
void Publisher::tell_unreadable(const Job& job) {
  const Error why{"it can't be opened or is no ELF file of this machine"};
  for (const auto& range : job.state.space.read().ranges()) {
    const auto& mapping = range.mapping;
    if (!process::has_file(mapping) || process::is_vdso(mapping)) continue;
    const auto file = python::inspect_mapped(why, process::without_deleted(mapping.path));
    if (!file || files_.find(mapping)) continue;
    directory_.set_python(job.state.process, 0, "", python::describe(*file, nullptr), {});
  }
}

uint32_t Publisher::choose_python(const Job& job,
                                  const std::vector<InterpreterCandidate>& candidates,
                                  const python::TsdLayout* tsd,
                                  const python::AsyncioLayout* asyncio) {
  const auto choice = choose_interpreter(job.state.pid, candidates);
  ambiguous_.erase(job.state.process);
  if (candidates.size() > 1 && ambiguous_.size() < kMaxAmbiguous) {
    ambiguous_.emplace(job.state.process, Ambiguous{job, candidates, choice});
    look_again_ns_ = monotonic_ns() + kLookAgainNs;
  }
  return place_python(job, candidates[choice.index], others_text(choice), tsd, asyncio);
}

// An interpreter is mapped before it is initialised: processes of which another one runs now than
// before are published anew.
void Publisher::look_again() {
  std::vector<Job> changed;
  for (const auto& [id, known] : ambiguous_) {
    if (choose_interpreter(known.job.state.pid, known.candidates) != known.choice)
      changed.push_back(known.job);
  }
  look_again_ns_ = monotonic_ns() + kLookAgainNs;
  const std::lock_guard lock(mutex_);
  for (auto& job : changed) {
    const auto id = job.state.process;
    if (jobs_.try_emplace(id, std::move(job)).second) fresh_.push_back(id);
  }
}

uint32_t Publisher::place_python(const Job& job, const InterpreterCandidate& candidate,
                                 const std::string& others, const python::TsdLayout* tsd,
                                 const python::AsyncioLayout* asyncio) {
  const auto& interpreter = *candidate.file;
  const auto process = job.state.process;
  auto details = python::describe(interpreter, tsd);
  if (details.reason != model::Unsupported::kNone) {
    directory_.set_python(process, interpreter.version, interpreter.full_version,
                          std::move(details), {});
    return WIRE_NO_SLOT;
  }
  const auto config = python::make_config(interpreter, candidate.bias, *tsd, asyncio);
  const auto slot = tables_.place_python(config);
  details.others = others;
  if (!slot) {
    details.reason = model::Unsupported::kTableFull;
    details.detail = "no room in the kernel's interpreter table";
  }
  PythonRuntime runtime{interpreter.runtime_address + candidate.bias, config, interpreter.runtime};
  runtime.offsets.pthread_tid = tsd->pthread_tid;
  directory_.set_python(process, interpreter.version, interpreter.full_version, std::move(details),
                        std::move(runtime));
  return slot.value_or(WIRE_NO_SLOT);
}

void Publisher::remember(uint32_t map_gen, uint64_t as_of_ns) {
  const std::lock_guard lock(mutex_);
  generations_.emplace_back(map_gen, as_of_ns);
  if (generations_.size() > kMaxGenerations) generations_.pop_front();
}

void Publisher::install(const Job& job, const Built& built) {
  const uint64_t now_ns = monotonic_ns();
  wire_process process{};
  process.proc = job.state.process;
  process.stack_top = job.state.stack_top;
  process.python = built.python;
  process.map_gen = tables_.next_generation();
  const auto first = tables_.place_mappings(built.mappings);
  if (first) {
    process.map_first = *first;
    process.map_count = static_cast<uint32_t>(built.mappings.size());
  }
  remember(process.map_gen, job.as_of_ns);
  const bool stored = probe_.set_process(job.state.pid, process).ok();
  if (!first || !stored) {
    const std::lock_guard lock(mutex_);
    ++refused_;
  }
  for (const auto id : built.files)
    catalog_.add_user(id);
  auto& slot = published_[job.state.process];
  withdraw(slot, now_ns);
  slot = {process.map_first, process.map_count, built.python, built.files};
  by_pid_[job.state.pid] = job.state.process;
}

void Publisher::withdraw(const Published& slot, uint64_t now_ns) {
  for (const auto id : slot.files)
    catalog_.remove_user(id);
  tables_.remove_mappings(slot.map_first, slot.map_count, now_ns);
  if (slot.python != WIRE_NO_SLOT) tables_.remove_python(slot.python, now_ns);
}

void Publisher::remove(const Job& job) {
  const uint64_t now_ns = monotonic_ns();
  ambiguous_.erase(job.state.process);
  directory_.ended(job.state.process);
  const auto it = published_.find(job.state.process);
  if (it == published_.end()) return;
  withdraw(it->second, now_ns);
  published_.erase(it);
  const auto owner = by_pid_.find(job.state.pid);
  if (owner == by_pid_.end() || owner->second != job.state.process) return;
  by_pid_.erase(owner);
  probe_.remove_process(job.state.pid);
}

}  // namespace pyprof::engine
