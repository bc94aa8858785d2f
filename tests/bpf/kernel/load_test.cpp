// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/bpf/kernel/budget.h"

// The programs against this kernel's verifier.
namespace pyprof::bpftest {
namespace {

constexpr uint32_t kLogStatistics = 4;  // BPF_LOG_STATS
constexpr std::size_t kLogBytes = 64 * 1024;
constexpr char kOptionalProgram[] = "list_processes";  // iterators came with 5.8 and need BTF

struct ObjectDeleter {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, ObjectDeleter>;

struct Loaded {
  std::string name;
  uint64_t instructions = 0;
  uint64_t verified = 0;
  uint32_t jited_bytes = 0;  // 0: no JIT, or hidden by bpf_jit_harden
};

class Loader {
 public:
  // 0 or a negative errno.
  int load(bool with_optional) {
    object_.reset(bpf_object__open_file(BPF_OBJECT, nullptr));
    if (object_ == nullptr) return -errno;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      logs_.emplace_back(kLogBytes, '\0');
      bpf_program__set_log_buf(program, logs_.back().data(), kLogBytes);
      bpf_program__set_log_level(program, kLogStatistics);
      const bool optional = std::strcmp(bpf_program__name(program), kOptionalProgram) == 0;
      bpf_program__set_autoload(program, with_optional || !optional);
    }
    return bpf_object__load(object_.get());
  }

  [[nodiscard]] std::vector<Loaded> programs() const {
    std::vector<Loaded> all;
    std::size_t i = 0;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      const std::string log = logs_[i++].data();
      if (bpf_program__fd(program) < 0) continue;
      all.push_back({bpf_program__name(program), bpf_program__insn_cnt(program), processed(log),
                     jited_bytes(bpf_program__fd(program))});
    }
    return all;
  }

 private:
  static uint64_t processed(const std::string& log) {
    const std::size_t at = log.find("processed ");
    return at == std::string::npos ? 0 : std::strtoull(log.c_str() + at + 10, nullptr, 10);
  }
  static uint32_t jited_bytes(int fd) {
    bpf_prog_info info{};
    uint32_t bytes = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 ? info.jited_prog_len : 0;
  }

  std::vector<std::string> logs_;
  Object object_;
};

void print(const std::vector<Loaded>& programs) {
  utsname kernel{};
  uname(&kernel);
  std::printf("%-16s %12s %12s %8s   on %s\n", "program", "instructions", "verified", "jited",
              kernel.release);
  for (const auto& program : programs)
    std::printf("%-16s %12lu %12lu %8u\n", program.name.c_str(), program.instructions,
                program.verified, program.jited_bytes);
}

std::vector<Loaded> load_all() {
  Loader loader;
  if (loader.load(true) == 0) return loader.programs();
  std::printf("without %s, which is optional:\n", kOptionalProgram);
  Loader fewer;
  const int error = fewer.load(false);
  EXPECT_EQ(error, 0) << std::strerror(-error);
  return error == 0 ? fewer.programs() : std::vector<Loaded>();
}

TEST(LoadTest, every_program_loads_within_its_budget) {
  if (geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  const auto budgets = read_budgets(BPF_README);
  const auto programs = load_all();
  print(programs);
  ASSERT_FALSE(programs.empty());
  for (const auto& program : programs) {
    const auto budget = budgets.find(program.name);
    ASSERT_NE(budget, budgets.end()) << program.name << " has no row in bpf/README.md";
    EXPECT_LE(program.instructions, budget->second.instructions) << program.name;
    EXPECT_LE(program.verified, budget->second.verified) << program.name;
    EXPECT_GT(program.verified, 0U) << program.name;
  }
}

}  // namespace
}  // namespace pyprof::bpftest
