// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "pyebpf.skel.h"
#include "userspace/probe/clock_events.h"
#include "userspace/probe/decode.h"
#include "userspace/probe/kernel_features.h"
#include "userspace/probe/libbpf_log.h"
#include "userspace/probe/link.h"
#include "userspace/probe/row_banks.h"
#include "userspace/probe/tail_programs.h"
#include "userspace/probe/usdt.h"

namespace pyprof::probe {

namespace {

constexpr uint32_t kMaxFamily = 16'384;  // processes of which children are followed
constexpr uint64_t kAccountPeriodNs = 100'000'000;

struct SkeletonDeleter {
  void operator()(pyebpf* skeleton) const { pyebpf::destroy(skeleton); }
};
bool has_task_pt_regs() {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs, nullptr) == 1 &&
         libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_get_current_task_btf,
                                 nullptr) == 1;
}

std::optional<Mmap> map_array(bpf_map* map) {
  const std::size_t value = (bpf_map__value_size(map) + 7) / 8 * 8;
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (value * bpf_map__max_entries(map) + page - 1) / page * page;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (data == MAP_FAILED) return std::nullopt;
  return Mmap(data, bytes);
}

template <typename T>
std::span<T> as_span(const Mmap& map, std::size_t count) {
  return {static_cast<T*>(map.data()), count};
}

uint64_t charged_bytes(int fd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  std::string key;
  uint64_t value = 0;
  while (info >> key) {
    if (key == "memlock:" && info >> value) return value;
  }
  return 0;
}

}  // namespace

struct Probe::State {
  std::unique_ptr<pyebpf, SkeletonDeleter> skeleton;
  std::vector<int> cpus;
  std::vector<Link> process_links;
  std::vector<Link> account_links;
  std::vector<Link> sample_links;
  std::vector<Link> usdt_links;
  std::optional<Ring> samples;
  std::optional<Ring> events;
  std::optional<RowBanks> rows;
  Mmap counters, index, dictionary, mappings, pythons, control;
  uint32_t cpu_table = 0;  // the one that is written now
  std::vector<MapInfo> map_info;
  std::optional<TailLoad> tails;  // last: it uses the skeleton until it is gone

  void size_maps(const LoadOptions& options);
  void set_tunables(const LoadOptions& options);
  Result<void> map_tables(uint32_t row_chunks);
  Result<void> open_rings(const LoadOptions& options);
  void describe_maps();
  void drain_table(int fd, std::vector<CpuTime>& out) const;
};

void Probe::State::size_maps(const LoadOptions& options) {
  auto& maps = skeleton->maps;
  const auto possible = static_cast<uint32_t>(std::max(1, libbpf_num_possible_cpus()));
  for (bpf_map* map : {maps.scratches, maps.counters, maps.cpu_slots}) {
    bpf_map__set_max_entries(map, possible);
  }
  bpf_map__set_max_entries(maps.procs, options.limits.processes);
  bpf_map__set_max_entries(maps.pythons, options.limits.interpreters);
  bpf_map__set_max_entries(maps.mappings, options.limits.mappings);
  bpf_map__set_max_entries(maps.stacks, options.limits.stacks);
  bpf_map__set_max_entries(maps.codes, options.limits.codes);
  if (options.follow_children) bpf_map__set_max_entries(maps.targets, kMaxFamily);
  bpf_map__set_max_entries(maps.row_index, options.limits.index_chunks);
  bpf_map__set_max_entries(maps.cpu_time_a, options.limits.threads);
  bpf_map__set_max_entries(maps.cpu_time_b, options.limits.threads);
  bpf_map__set_max_entries(maps.samples, static_cast<uint32_t>(options.limits.ring_bytes));
  bpf_map__set_max_entries(maps.events, static_cast<uint32_t>(options.limits.event_ring_bytes));
}

void Probe::State::set_tunables(const LoadOptions& options) {
  auto& config = *skeleton->rodata;
  config.cfg_only_targets = options.only_pids.empty() ? 0 : 1;
  config.cfg_follow_children = options.follow_children ? 1 : 0;
  config.cfg_cgroup_v1 = options.cgroup_v1 ? 1 : 0;
  config.cfg_time_identity = options.time_identity ? 1 : 0;
  config.cfg_task_pt_regs = has_task_pt_regs() ? 1 : 0;
}

Result<void> Probe::State::map_tables(uint32_t row_chunks) {
  auto& maps = skeleton->maps;
  const std::array<std::pair<bpf_map*, Mmap*>, 6> wanted{{{maps.counters, &counters},
                                                          {maps.row_index, &index},
                                                          {maps.dictionary, &dictionary},
                                                          {maps.mappings, &mappings},
                                                          {maps.pythons, &pythons},
                                                          {maps.controls, &control}}};
  for (const auto& [map, target] : wanted) {
    auto mapped = map_array(map);
    if (!mapped) {
      return errno_error(std::string("mapping the BPF map ") + bpf_map__name(map), errno);
    }
    *target = std::move(*mapped);
  }
  auto banks = RowBanks::make(bpf_map__fd(maps.rows), row_chunks);
  if (!banks) return banks.error();
  rows.emplace(*std::move(banks));
  return {};
}

Result<void> Probe::State::open_rings(const LoadOptions& options) {
  auto first = Ring::open(bpf_map__fd(skeleton->maps.samples), options.limits.ring_bytes);
  if (!first) return first.error();
  samples = std::move(*first);
  auto second = Ring::open(bpf_map__fd(skeleton->maps.events), options.limits.event_ring_bytes);
  if (!second) return second.error();
  events = std::move(*second);
  return {};
}

Result<std::unique_ptr<Probe>> Probe::load(const LoadOptions& options) {
  capture_libbpf_log();
  auto state = std::make_unique<State>();
  state->skeleton.reset(pyebpf::open());
  if (!state->skeleton) return load_error(errno);
  state->size_maps(options);
  state->set_tunables(options);
  if (options.usdt) prepare_usdt(*state->skeleton);
  leave_out_tail_programs(*state->skeleton);
  if (const int error = pyebpf::load(state->skeleton.get()); error != 0) return load_error(-error);
  auto cpus = pyprof::probe::online_cpus();
  if (!cpus) return cpus.error();
  state->cpus = std::move(*cpus);
  state->tails.emplace(*state->skeleton);
  for (auto step : {state->map_tables(options.limits.row_chunks), state->open_rings(options)}) {
    if (!step) return step.error();
  }
  state->describe_maps();
  std::unique_ptr<Probe> probe(new Probe(std::move(state)));
  for (const int32_t pid : options.only_pids) {
    if (const auto added = probe->add_target(pid); !added) return added.error();
  }
  return probe;
}

Result<void> Probe::add_target(int32_t pid) {
  const auto key = static_cast<uint32_t>(pid);
  const uint32_t bits = WIRE_TARGET_SAMPLE;
  if (bpf_map_update_elem(bpf_map__fd(state_->skeleton->maps.targets), &key, &bits, BPF_ANY) != 0) {
    return errno_error("adding pid " + std::to_string(pid) + " to the targets", errno);
  }
  return {};
}

std::vector<int32_t> Probe::targets() const {
  const int map = bpf_map__fd(state_->skeleton->maps.targets);
  std::vector<int32_t> pids;
  uint32_t key = 0;
  for (const uint32_t* last = nullptr;
       pids.size() < kMaxFamily && bpf_map_get_next_key(map, last, &key) == 0; last = &key) {
    pids.push_back(static_cast<int32_t>(key));
  }
  return pids;
}

Probe::Probe(std::unique_ptr<State> state) : state_(std::move(state)) {}
Probe::~Probe() = default;

Result<void> Probe::attach_process_events() {
  auto& programs = state_->skeleton->progs;
  for (bpf_program* program :
       {programs.on_exec, programs.on_fork, programs.on_exit, programs.on_sched_switch}) {
    Link link(bpf_program__attach(program));
    if (!link) {
      return errno_error(std::string("attaching ") + bpf_program__name(program), errno);
    }
    state_->process_links.push_back(std::move(link));
  }
  auto account = attach_clock(programs.on_account_tick, state_->cpus, kAccountPeriodNs);
  if (!account) return account.error();
  state_->account_links = std::move(*account);
  return {};
}

Result<void> Probe::wait_programs() {
  return state_->tails->wait();
}

Result<void> Probe::sample(uint32_t rate_hz) {
  if (const auto loaded = wait_programs(); !loaded) return loaded;
  auto links = attach_clock(state_->skeleton->progs.on_cpu_tick, state_->cpus,
                            1'000'000'000 / std::max(1u, rate_hz));
  if (!links) return links.error();
  state_->sample_links = std::move(*links);
  return {};
}

Result<void> Probe::attach_usdt(std::span<const model::UsdtPoint> points) {
  auto links = probe::attach_usdt(*state_->skeleton, points);
  if (!links) return links.error();
  state_->usdt_links = std::move(*links);
  return {};
}

void Probe::stop_sampling() {
  state_->sample_links.clear();
}

std::vector<model::ProcessEvent> Probe::list_processes() {
  std::vector<model::ProcessEvent> found;
  Link link(bpf_program__attach_iter(state_->skeleton->progs.list_processes, nullptr));
  if (!link) return found;
  const Fd fd(bpf_iter_create(bpf_link__fd(link.get())));
  if (!fd.valid()) return found;
  std::vector<uint8_t> bytes;
  std::array<uint8_t, 16384> buffer{};
  ssize_t got = 0;
  while ((got = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
    bytes.insert(bytes.end(), buffer.data(), buffer.data() + got);
  }
  Decoder decoder;
  for (std::size_t at = 0; at + sizeof(wire_proc) <= bytes.size(); at += sizeof(wire_proc)) {
    if (auto event = decoder.decode_process({bytes.data() + at, sizeof(wire_proc)})) {
      found.push_back(std::move(*event));
    }
  }
  return found;
}

Ring& Probe::samples() {
  return *state_->samples;
}
Ring& Probe::events() {
  return *state_->events;
}
int Probe::events_fd() const {
  return bpf_map__fd(state_->skeleton->maps.events);
}

TableMemory Probe::table_memory() {
  auto& maps = state_->skeleton->maps;
  return {state_->rows->rows(),
          as_span<uint32_t>(state_->index,
                            std::size_t{bpf_map__max_entries(maps.row_index)} * WIRE_ROW_CHUNK),
          as_span<uint32_t>(state_->dictionary, WIRE_DICT_RULES),
          as_span<wire_mapping>(state_->mappings, bpf_map__max_entries(maps.mappings)),
          as_span<wire_python_config>(state_->pythons, bpf_map__max_entries(maps.pythons)),
          [this](uint32_t end) { return state_->rows->reach(end); }};
}

Result<void> Probe::set_process(int32_t pid, const wire_process& process) {
  const auto key = static_cast<uint32_t>(pid);
  if (bpf_map_update_elem(bpf_map__fd(state_->skeleton->maps.procs), &key, &process, BPF_ANY) !=
      0) {
    return errno_error("adding a process to the kernel's table", errno);
  }
  return {};
}

void Probe::remove_process(int32_t pid) {
  const auto key = static_cast<uint32_t>(pid);
  bpf_map_delete_elem(bpf_map__fd(state_->skeleton->maps.procs), &key);
}

void Probe::delete_stack(uint64_t key) {
  bpf_map_delete_elem(bpf_map__fd(state_->skeleton->maps.stacks), &key);
}

void Probe::delete_codes(std::span<const std::pair<uint64_t, uint64_t>> keys) {
  if (keys.empty()) return;
  for (const auto& [process, id] : keys) {
    const std::array<uint64_t, 2> key{process, id};
    bpf_map_delete_elem(bpf_map__fd(state_->skeleton->maps.codes), key.data());
  }
  // struct control in bpf/maps.bpf.h: what was verified before no longer counts.
  __atomic_fetch_add(static_cast<uint32_t*>(state_->control.data()) + 1, 1, __ATOMIC_RELEASE);
}

Counters Probe::counters() const {
  return sum_counters(as_span<const wire_counters>(
      state_->counters, bpf_map__max_entries(state_->skeleton->maps.counters)));
}

void Probe::State::drain_table(int fd, std::vector<CpuTime>& out) const {
  wire_cpu_key key{}, next{};
  wire_cpu_time time{};
  bool first = true;
  // The key that was just deleted can't be continued from: always take the first one.
  while (bpf_map_get_next_key(fd, nullptr, &next) == 0) {
    if (!first && std::memcmp(&key, &next, sizeof(key)) == 0) return;  // could not be deleted
    first = false;
    key = next;
    if (bpf_map_lookup_elem(fd, &key, &time) == 0) {
      out.push_back({key.proc, static_cast<int32_t>(key.tgid), static_cast<int32_t>(key.tid),
                     time.cgroup_id, time.ns,
                     std::string(time.comm, strnlen(time.comm, sizeof(time.comm)))});
    }
    bpf_map_delete_elem(fd, &key);
  }
}

std::vector<CpuTime> Probe::drain_cpu_times() {
  auto& maps = state_->skeleton->maps;
  const uint32_t written = state_->cpu_table;
  auto* control = static_cast<uint32_t*>(state_->control.data());
  state_->cpu_table = 1 - written;
  __atomic_store_n(control, state_->cpu_table, __ATOMIC_RELEASE);
  ::usleep(1000);  // whoever still writes the old table runs with interrupts off: microseconds
  std::vector<CpuTime> times;
  state_->drain_table(bpf_map__fd(written == 0 ? maps.cpu_time_a : maps.cpu_time_b), times);
  return times;
}

std::vector<MapInfo> Probe::maps() const {
  auto maps = state_->map_info;
  for (MapInfo& map : maps) {
    if (map.name != "rows") continue;
    map.max_entries = state_->rows->rows().size() / WIRE_ROW_CHUNK;
    map.bytes += state_->rows->bytes();
  }
  return maps;
}

void Probe::State::describe_maps() {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    map_info.push_back(
        {bpf_map__name(map), bpf_map__max_entries(map), charged_bytes(bpf_map__fd(map))});
  }
}

uint32_t Probe::online_cpus() const {
  return static_cast<uint32_t>(state_->cpus.size());
}

}  // namespace pyprof::probe
