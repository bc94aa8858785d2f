// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/fleet.h"

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/bench/profiles.h"
#include "tests/bench/workload.h"
#include "userspace/base/clock.h"

namespace pyprof::bench {

namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRate = 99;
constexpr std::size_t kBinaries = 500;
constexpr std::size_t kProcesses = 1'000;
constexpr std::size_t kRestartProcesses = 200;
constexpr uint32_t kFirstWindowMs = 15;
constexpr int kStartTries = 400;
constexpr uint64_t kReadLimitNs = 20'000'000'000;
constexpr uint64_t kProgramChunks = 2;         // that rows of a program here fill
constexpr uintmax_t kBytesPerChunk = 500'000;  // of a big file, more than there are

double ms_since(uint64_t start_ns) {
  return static_cast<double>(monotonic_ns() - start_ns) / 1e6;
}

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident * static_cast<uint64_t>(::getpagesize())) / 1e6;
}

// A directory of copies of one program, each with a build-id of its own: for the service they are
// files that have nothing in common.
class Binaries {
 public:
  explicit Binaries(std::string folder) : folder_(std::move(folder)) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Binaries() { fs::remove_all(folder_); }
  Binaries(const Binaries&) = delete;
  Binaries& operator=(const Binaries&) = delete;

  Result<void> fill(const std::string& program, std::size_t count) {
    std::ifstream file(program, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    static const std::string kNote("\x14\0\0\0\x03\0\0\0GNU\0", 12);
    const auto at = bytes.find(kNote);
    if (at == std::string::npos) return Error{program + " has no build-id"};
    for (uint32_t i = 0; i < count; ++i) {
      std::memcpy(bytes.data() + at + kNote.size(), &i, sizeof(i));
      paths_.push_back(fmt::format("{}/program-{}", folder_, i));
      std::ofstream(paths_.back(), std::ios::binary) << bytes;
      fs::permissions(paths_.back(), fs::perms::owner_all);
    }
    return {};
  }
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
  [[nodiscard]] std::string cache() const { return folder_ + "/tables"; }

 private:
  std::string folder_;
  std::vector<std::string> paths_;
};

class Processes {
 public:
  Processes() = default;
  ~Processes() { stop(); }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  Result<void> start(const Binaries& binaries, std::size_t count, const std::string& share) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto& path = binaries.paths()[i % binaries.paths().size()];
      if (const auto done = start_one({path, share}); !done) return done;
    }
    return {};
  }
  Result<void> start_one(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (auto& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    if (const int error =
            ::posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ)) {
      return errno_error("starting " + words[0], error);
    }
    pids_.push_back(pid);
    return {};
  }
  void stop() {
    for (const pid_t pid : pids_)
      ::kill(pid, SIGKILL);
    for (const pid_t pid : pids_)
      ::waitpid(pid, nullptr, 0);
    pids_.clear();
  }
  [[nodiscard]] const std::vector<pid_t>& pids() const { return pids_; }

 private:
  std::vector<pid_t> pids_;
};

// Samples of these processes, and how many of them have their program's outermost function.
struct Wholeness {
  uint64_t samples = 0;
  uint64_t whole = 0;
  std::size_t processes = 0;
  [[nodiscard]] double percent() const {
    return 100.0 * static_cast<double>(whole) / static_cast<double>(std::max<uint64_t>(1, samples));
  }
};

Wholeness wholeness(const model::Profile& profile, const std::vector<pid_t>& pids) {
  Wholeness result;
  for (const auto& process : profile.processes) {
    if (std::find(pids.begin(), pids.end(), process.pid) == pids.end()) continue;
    result.samples += process.coverage.samples;
    result.whole += process.coverage.whole;
    result.processes += process.coverage.samples > 0 ? 1 : 0;
  }
  return result;
}

engine::EngineOptions whole_host(const std::string& cache) {
  engine::EngineOptions options;
  options.sampling.rate_hz = kRate;
  options.tool_version = "bench";
  options.table_cache = cache;
  return options;
}

uint64_t fault(const engine::EngineStatus& status, const std::string& label) {
  for (const auto& [name, count] : status.faults) {
    if (name == label) return count;
  }
  return 0;
}

Result<void> measure_many(const Binaries& binaries, bool quick, Figures& figures) {
  Processes processes;
  if (const auto done = processes.start(binaries, kProcesses, "0.0004"); !done) return done;
  sleep_ms(1'000);
  ::malloc_trim(0);
  const double before_mb = resident_mb();
  const uint64_t start_ns = monotonic_ns();
  const auto engine = engine::Engine::start(whole_host(""));
  if (!engine) return engine.error();
  const double start_ms = ms_since(start_ns);
  const auto profile = take_profile(**engine, {}, kRate, quick ? 8'000 : 20'000);
  if (!profile) return profile.error();
  const auto status = (*engine)->status();
  const auto whole = wholeness(*profile, processes.pids());
  figures.add("start of the engine", start_ms, 0, "ms", "", "no cache: every file is parsed");
  figures.add("BPF maps", static_cast<double>(map_bytes(status)) / 1048576, 1, "MiB", "<= 64");
  figures.add("RSS", resident_mb(), 1, "MB", "<= 150",
              fmt::format("{:.1f} of them before the start", before_mb));
  figures.add("stacks that are whole", whole.percent(), 2, "%", "",
              fmt::format("{} samples of {} processes; files without room: {}", whole.samples,
                          whole.processes, fault(status, "tables_full")));
  return {};
}

Result<double> first_whole_ms(engine::Engine& engine, pid_t pid, uint64_t start_ns) {
  for (int i = 0; i < kStartTries; ++i) {
    const auto profile = take_profile(engine, {pid}, kRate, kFirstWindowMs);
    if (!profile) return profile.error();
    if (wholeness(*profile, {pid}).whole > 0) return ms_since(start_ns);
  }
  return Error{"no whole stack was sampled", ExitCode::kNoSamples};
}

// The service starts three times: the first finds the cache empty.
Result<void> measure_restart(const Binaries& binaries, Figures& figures) {
  Processes processes;
  if (const auto done = processes.start(binaries, kRestartProcesses, "0.0004"); !done) return done;
  const auto busy = Workload::start({binaries.paths().back(), "1"});
  if (!busy) return busy.error();
  sleep_ms(1'000);
  std::vector<double> warm_ms, start_ms;
  double cold_ms = 0;
  for (int i = 0; i < 4; ++i) {
    const uint64_t start_ns = monotonic_ns();
    const auto engine = engine::Engine::start(whole_host(binaries.cache()));
    if (!engine) return engine.error();
    if (i > 0) start_ms.push_back(ms_since(start_ns));
    const auto first = first_whole_ms(**engine, busy->pid(), start_ns);
    if (!first) return first.error();
    if (i == 0) cold_ms = *first;
    if (i > 0) warm_ms.push_back(*first);
  }
  figures.add("restart of the engine, warm cache", spread(start_ms), 0, "ms", "",
              "most of it is loading the BPF programs");
  figures.add(
      "restart to first whole stack, warm cache", spread(warm_ms), 0, "ms", "<= 500",
      fmt::format("{} processes of as many programs; cold {:.0f} ms", kRestartProcesses, cold_ms));
  return {};
}

// The biggest shared library of the machine; "" if there is no folder of such.
std::string biggest_library() {
  std::string found;
  uintmax_t found_bytes = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/usr/lib/x86_64-linux-gnu", failed)) {
    if (!entry.is_regular_file(failed) || entry.file_size(failed) <= found_bytes) continue;
    if (entry.path().string().find(".so") == std::string::npos) continue;
    found = entry.path();
    found_bytes = entry.file_size(failed);
  }
  return found;
}

uint64_t row_chunks(engine::Engine& engine) {
  for (const auto& map : engine.status().maps) {
    if (map.name == "rows") return map.entries.value_or(0);
  }
  return 0;
}

// Until so many chunks are taken; the limit if they never are.
double ms_until(engine::Engine& engine, uint64_t chunks, uint64_t start_ns) {
  while (row_chunks(engine) < chunks && monotonic_ns() < start_ns + kReadLimitNs)
    sleep_ms(1);
  return ms_since(start_ns);
}

// From the start of a program that nobody has seen to its rows in the kernel; then again, with a
// program that maps the big library started just before.
Result<void> measure_big(const Binaries& binaries, Figures& figures) {
  const std::string big = biggest_library();
  const auto engine = engine::Engine::start(whole_host(""));
  if (!engine) return engine.error();
  const auto& paths = binaries.paths();
  Processes processes;
  std::vector<double> ms;
  uint64_t before = 0, start_ns = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    before = row_chunks(**engine);
    start_ns = monotonic_ns();
    if (const auto done = processes.start_one({paths[i], "0.001"}); !done) return done;
    ms.push_back(ms_until(**engine, before + kProgramChunks, start_ns));
    sleep_ms(300);
  }
  figures.add("start of a program to its rows in the kernel", spread(ms), 1, "ms");
  before = row_chunks(**engine);
  start_ns = monotonic_ns();
  if (const auto done = processes.start_one({paths[6], "0.001", big}); !done) return done;
  if (const auto done = processes.start_one({paths[7], "0.001"}); !done) return done;
  figures.add("the same, while a big file is read",
              ms_until(**engine, before + 2 * kProgramChunks, start_ns), 1, "ms");
  figures.add("rows of the big file in the kernel",
              ms_until(**engine, before + 2 * kProgramChunks + fs::file_size(big) / kBytesPerChunk,
                       start_ns),
              1, "ms", "",
              fmt::format("{}, {:.0f} MB", fs::path(big).filename().string(),
                          static_cast<double>(fs::file_size(big)) / 1e6));
  return {};
}

}  // namespace

Result<void> measure_fleet(const Paths& paths, bool quick, Figures& figures) {
  use_all_cpus();
  Binaries binaries(paths.build + "/bench-fleet.d");
  if (const auto made = binaries.fill(paths.build + "/bench-fleet", kBinaries); !made) return made;
  figures.heading(fmt::format("{} distinct programs in {} processes", kBinaries, kProcesses));
  if (const auto done = measure_many(binaries, quick, figures); !done) return done;
  if (const auto done = measure_restart(binaries, figures); !done) return done;
  return measure_big(binaries, figures);
}

}  // namespace pyprof::bench
