// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_reader.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>

#include "userspace/base/helper_path.h"
#include "userspace/base/log.h"

namespace pyprof::reader {
namespace {

constexpr std::size_t kMaxWaiting = 4'096;

uint64_t file_bytes(const Fd& file) {
  struct stat facts {};
  return ::fstat(file.get(), &facts) == 0 ? static_cast<uint64_t>(facts.st_size) : 0;
}

bool is_failure(const ReadResult& result, Failure failure) {
  const auto* failed = std::get_if<Failure>(&result);
  return failed != nullptr && *failed == failure;
}

}  // namespace

FileReader::FileReader(FileReaderOptions options)
    : options_(std::move(options)), cancel_(::eventfd(0, EFD_CLOEXEC)) {
  if (!options_.cache_directory.empty() && options_.cache_bytes > 0) {
    auto cache = TableCache::open(options_.cache_directory, options_.cache_bytes,
                                  program_version(options_.program));
    if (cache) {
      cache_.emplace(*std::move(cache));
    } else {
      log::warning("unwind tables are not kept: {}", cache.error().message);
    }
  }
  for (const Which which : {kFast, kSlow})
    lanes_[which].thread = std::thread([this, which] { run(which); });
}

FileReader::~FileReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ::eventfd_write(cancel_.get(), 1);
  for (Lane& lane : lanes_)
    lane.filled.notify_all();
  for (Lane& lane : lanes_)
    lane.thread.join();
}

bool FileReader::read(Fd file, std::string path, Done done) {
  const Which which = file_bytes(file) > options_.small_bytes ? kSlow : kFast;
  Job job{std::move(file), std::move(path), std::move(done), std::nullopt};
  if (!enqueue(which, job)) {
    count(Failure::kUnavailable);
    job.done({false, Failure::kUnavailable});
  }
  return which == kSlow;
}

bool FileReader::enqueue(Which which, Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (lanes_[which].jobs.size() >= kMaxWaiting) return false;
    lanes_[which].jobs.push_back(std::move(job));
  }
  lanes_[which].filled.notify_one();
  return true;
}

void FileReader::run(Which which) {
  ReaderProcess process(options_.program);
  std::unique_lock lock(mutex_);
  Lane& lane = lanes_[which];
  while (true) {
    lane.filled.wait(lock, [&] { return stop_ || !lane.jobs.empty(); });
    if (stop_) return;
    Job job = std::move(lane.jobs.front());
    lane.jobs.pop_front();
    lock.unlock();
    handle(which, process, std::move(job));
    lock.lock();
  }
}

void FileReader::handle(Which which, ReaderProcess& process, Job job) {
  if (auto tables = cached(job)) {
    job.done({false, *std::move(tables)});
    return;
  }
  ReadLimits limits = options_.limits;
  if (which == kFast) limits.time = std::min(limits.time, options_.small_time);
  auto result = process.read(job.file, job.path, limits, cancel_);
  if (which == kFast && is_failure(result, Failure::kTime)) {
    const Done done = job.done;
    done({true, Failure::kTime});
    if (enqueue(kSlow, job)) return;
  }
  count(result);
  if (const auto* tables = std::get_if<FileTables>(&result)) keep(job, *tables);
  job.done({false, std::move(result)});
}

std::optional<FileTables> FileReader::cached(Job& job) {
  const std::lock_guard lock(cache_mutex_);
  if (!cache_) return std::nullopt;
  job.key = cache_key(job.file, job.path);
  if (!job.key) return std::nullopt;
  auto tables = cache_->find(*job.key);
  if (!tables) return std::nullopt;
  const std::lock_guard counting(mutex_);
  ++counts_.from_cache;
  return tables;
}

void FileReader::keep(const Job& job, const FileTables& tables) {
  if (!job.key) return;
  const std::lock_guard lock(cache_mutex_);
  const auto stored = cache_->store(*job.key, tables);
  if (!stored) {
    log::warning("unwind tables are not kept any more: {}", stored.error().message);
    cache_.reset();
    return;
  }
  const std::lock_guard counting(mutex_);
  counts_.cache_bytes = cache_->bytes();
}

void FileReader::count(const ReadResult& result) {
  const std::lock_guard lock(mutex_);
  const auto* failure = std::get_if<Failure>(&result);
  if (failure == nullptr) {
    ++counts_.parsed;
  } else {
    ++counts_.failures[static_cast<std::size_t>(*failure)];
  }
}

ReaderCounts FileReader::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

Result<std::string> reader_program() {
  return find_helper("pyebpf-reader", "install pyebpf-prof again, as a whole");
}

Result<std::unique_ptr<FileReader>> start_file_reader(const std::string& cache_directory,
                                                      uint64_t cache_bytes) {
  const auto program = reader_program();
  if (!program) return program.error();
  FileReaderOptions options;
  options.program = *program;
  options.cache_directory = cache_directory;
  options.cache_bytes = cache_bytes;
  return std::make_unique<FileReader>(std::move(options));
}

}  // namespace pyprof::reader
