// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/tail_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pyebpf.skel.h"
#include "userspace/probe/libbpf_log.h"

namespace pyprof::probe {
namespace {

struct TailProgram {
  uint32_t slot = 0;  // enum in bpf/maps.bpf.h
  const char* name = nullptr;
  uint32_t weight = 0;  // thousand instructions that the verifier walks, see bpf/README.md
};

// The heaviest first.
constexpr std::array<TailProgram, 8> kTailPrograms{{{3, "py_verify", 117},
                                                    {0, "native_more", 106},
                                                    {2, "py_more", 92},
                                                    {7, "py_copies_more", 88},
                                                    {6, "py_objects_more", 70},
                                                    {1, "py_start", 52},
                                                    {4, "py_capture", 17},
                                                    {5, "emit_record", 1}}};

// Each object costs some 20 ms of its own, for the kernel's type information.
constexpr unsigned kMaxThreads = 4;

using Share = std::vector<TailProgram>;

struct ObjectDeleter {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, ObjectDeleter>;

std::vector<Share> divide(unsigned threads) {
  std::vector<Share> shares(threads);
  std::vector<uint32_t> weights(threads);
  for (const TailProgram& program : kTailPrograms) {
    const auto lightest = std::min_element(weights.begin(), weights.end()) - weights.begin();
    shares[lightest].push_back(program);
    weights[lightest] += program.weight;
  }
  return shares;
}

void select_programs(bpf_object* object, const Share& share) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_program__set_autoload(program, false);
  }
  for (const TailProgram& wanted : share) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, wanted.name), true);
  }
}

// Also the constants, which are a map: filled and frozen when `main` was loaded.
int share_maps(bpf_object* object, const bpf_object* main) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const bpf_map* shared = bpf_object__find_map_by_name(main, bpf_map__name(map));
    if (const int error = bpf_map__reuse_fd(map, bpf_map__fd(shared)); error != 0) return error;
  }
  return 0;
}

int enter(bpf_object* object, const Share& share, int table) {
  for (const TailProgram& program : share) {
    const int fd = bpf_program__fd(bpf_object__find_program_by_name(object, program.name));
    if (bpf_map_update_elem(table, &program.slot, &fd, BPF_ANY) != 0) return -errno;
  }
  return 0;
}

// 0 or a negative errno.
int load_share(const pyebpf& skeleton, const Share& share) {
  std::size_t bytes = 0;
  const void* elf = pyebpf::elf_bytes(&bytes);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "pyebpf");
  const Object object(bpf_object__open_mem(elf, bytes, &options));
  if (!object) return -errno;
  select_programs(object.get(), share);
  if (const int error = share_maps(object.get(), skeleton.obj); error != 0) return error;
  if (const int error = bpf_object__load(object.get()); error != 0) return error;
  return enter(object.get(), share, bpf_map__fd(skeleton.maps.tails));
}

}  // namespace

void leave_out_tail_programs(pyebpf& skeleton) {
  for (const TailProgram& program : kTailPrograms) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton.obj, program.name), false);
  }
}

TailLoad::TailLoad(const pyebpf& skeleton) {
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads);
  for (const Share& share : divide(threads)) {
    loads_.push_back(
        std::async(std::launch::async, [&skeleton, share] { return load_share(skeleton, share); }));
  }
}

Result<void> TailLoad::wait() {
  for (std::future<int>& load : loads_) {
    if (const int error = load.get(); error != 0) failed_ = error;
  }
  loads_.clear();
  if (failed_ != 0) return load_error(-failed_);
  return {};
}

Error load_error(int error) {
  Error result = errno_error("loading the BPF programs", error);
  if (result.code == ExitCode::kUsage) result.code = ExitCode::kNotSupported;
  const std::string log = take_libbpf_log();
  if (result.code == ExitCode::kPermission) {
    result.message += "; run as root, or see `pyebpf-prof doctor`";
  } else if (!log.empty()) {
    result.message += "; libbpf says: " + log;
  }
  return result;
}

}  // namespace pyprof::probe
