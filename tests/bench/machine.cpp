// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/profiles.h"
#include "tests/bench/workload.h"
#include "userspace/engine/engine.h"

namespace pyprof::bench {

namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRate = 199;
constexpr uint32_t kWarmUpMs = 3'000;
constexpr std::size_t kShownPrograms = 12;

// This project, built anew without a compiler cache, in a process group of its own.
class Build {
 public:
  explicit Build(const Paths& paths) : folder_(paths.build + "/bench-machine") {
    clear();
    const std::string command =
        fmt::format("cmake -S '{0}' -B '{1}' -G Ninja && CCACHE_DISABLE=1 ninja -C '{1}'",
                    paths.source, folder_);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (int standard = 0; standard <= 2; ++standard)
      ::dup2(nowhere, standard);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ~Build() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    clear();
  }
  Build(const Build&) = delete;
  Build& operator=(const Build&) = delete;

  [[nodiscard]] bool running() const { return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  // Compilers that were killed may still be writing.
  void clear() const {
    std::error_code error;
    for (int tries = 0; tries < 50; ++tries) {
      fs::remove_all(folder_, error);
      if (!error) return;
      sleep_ms(100);
    }
  }

  std::string folder_;
  pid_t pid_ = -1;
};

struct Tally {
  uint64_t stacks = 0;
  uint64_t whole = 0;
  std::map<std::string, uint64_t> cut;  // by marker
};

std::string marker_of(const model::Profile& profile, const model::Stack& stack) {
  for (const uint32_t frame : stack.frames) {
    if (profile.frames[frame].kind == model::FrameKind::kMarker)
      return profile.frames[frame].function;
  }
  return "";
}

bool has_user_frames(const model::Profile& profile, const model::Stack& stack) {
  return std::any_of(stack.frames.begin(), stack.frames.end(), [&](uint32_t frame) {
    return profile.frames[frame].kind != model::FrameKind::kKernel;
  });
}

std::map<std::string, Tally> tally(const model::Profile& profile) {
  std::map<std::string, Tally> programs;
  for (const auto& sample : profile.samples) {
    const auto& stack = profile.stacks[sample.stack];
    if (!has_user_frames(profile, stack)) continue;
    const auto& thread = profile.threads[sample.thread];
    const std::string marker = marker_of(profile, stack);
    for (Tally* counts : {&programs[profile.processes[thread.process].comm], &programs[""]}) {
      counts->stacks += sample.count;
      if (marker.empty()) counts->whole += sample.count;
      if (!marker.empty()) counts->cut[marker] += sample.count;
    }
  }
  return programs;
}

std::string reasons(const Tally& counts) {
  std::vector<std::string> texts;
  for (const auto& [marker, count] : counts.cut)
    texts.push_back(fmt::format("{} {}", marker, count));
  return fmt::format("{} stacks; {}", counts.stacks, fmt::join(texts, ", "));
}

double percent(uint64_t part, uint64_t of) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<uint64_t>(1, of));
}

void report(const std::map<std::string, Tally>& programs, const std::string& title,
            Figures& figures) {
  const Tally& all = programs.at("");
  const auto deep = all.cut.find("[truncated: native_depth]");
  const uint64_t beyond = deep == all.cut.end() ? 0 : deep->second;
  figures.heading(title);
  figures.add("user stacks to the root", percent(all.whole, all.stacks), 2, "%", ">= 99",
              reasons(all));
  figures.add("  of those within the depth limit", percent(all.whole, all.stacks - beyond), 2, "%");
  std::vector<std::pair<std::string, Tally>> sorted(programs.begin(), programs.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.stacks > b.second.stacks; });
  for (std::size_t i = 0, shown = 0; i < sorted.size() && shown < kShownPrograms; ++i) {
    const auto& [name, counts] = sorted[i];
    if (name.empty()) continue;
    figures.add("  " + name, percent(counts.whole, counts.stacks), 1, "%", "", reasons(counts));
    ++shown;
  }
}

Result<model::Profile> profile_build(const Paths& paths, const std::string& cache,
                                     uint32_t duration_ms) {
  engine::EngineOptions options;
  options.table_cache = cache;
  auto engine = engine::Engine::start(options);
  if (!engine) return engine.error();
  const Build build(paths);
  sleep_ms(kWarmUpMs);
  auto profile = take_profile(**engine, {}, kRate, duration_ms);
  if (profile && !build.running())
    return Error{"the build ended early: are cmake and ninja there?"};
  return profile;
}

}  // namespace

Result<void> measure_machine(const Paths& paths, bool quick, Figures& figures) {
  use_all_cpus();
  // As the service does it: what it read of a file survives a restart.
  const std::string cache = paths.build + "/bench-machine-tables";
  std::error_code ignored;
  fs::remove_all(cache, ignored);
  for (const std::string state : {"first time", "after a restart"}) {
    const auto profile = profile_build(paths, cache, quick ? 20'000 : 60'000);
    if (!profile) return profile.error();
    report(tally(*profile), "A machine that builds this project, " + state, figures);
  }
  fs::remove_all(cache, ignored);
  return {};
}

}  // namespace pyprof::bench
