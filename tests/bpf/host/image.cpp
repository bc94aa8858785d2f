// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/host/image.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/bpf/host/fake_kernel.h"
#include "userspace/elf/elf_file.h"
#include "userspace/elf/unwind_table.h"
#include "userspace/python/interpreter.h"

namespace pyprof::bpftest {
namespace {

constexpr uint32_t kMapGen = 7;
constexpr int kStartStackField = 26;  // of /proc/PID/stat, counted after the command

// Tables of files, kept over tests: parsing them is most of the time.
struct FileTables {
  elf::PackedTable packed;
  uint64_t first_address = 0;
};

class TableCache {
 public:
  const FileTables& add(const std::string& path, const elf::ElfFile& file) {
    const auto found = tables_.find(path);
    if (found != tables_.end()) return found->second;
    FileTables made;
    if (const auto table = elf::read_unwind_table(file)) {
      made.packed = elf::pack(*table, dictionary_);
      made.first_address = table->first_address;
    }
    return tables_.emplace(path, std::move(made)).first->second;
  }
  [[nodiscard]] const std::vector<uint32_t>& rules() const { return dictionary_.rules(); }

 private:
  elf::RuleDictionary dictionary_;
  std::map<std::string, FileTables> tables_;
};

TableCache& table_cache() {
  static TableCache cache;
  return cache;
}

// Puts packed tables into `rows` and `row_index`, and mappings into `mappings`.
class Placer {
 public:
  void add(const Image::Mapping& mapping, const FileTables& tables, uint64_t load_bias) {
    const uint64_t bias = load_bias + tables.first_address;
    const uint64_t covered = bias + (tables.packed.index.size() << WIRE_PAGE_BITS);
    wire_mapping made{};
    made.start = std::max(mapping.start, bias);
    made.end = std::min(mapping.end, covered);
    made.bias = bias;
    made.index_first = index_used_;
    made.kind = WIRE_MAP_ROWS;
    if (made.start >= made.end) return;
    copy(tables.packed);
    mappings_.push_back(made);
  }

  void finish(wire_process& process) {
    std::sort(mappings_.begin(), mappings_.end(),
              [](const auto& a, const auto& b) { return a.start < b.start; });
    for (uint32_t i = 0; i < mappings_.size(); ++i)
      *FakeKernel::get().slot<wire_mapping>("mappings", i) = mappings_[i];
    process.map_count = static_cast<uint32_t>(mappings_.size());
  }

 private:
  void copy(const elf::PackedTable& packed) {
    for (const uint32_t row : packed.rows)
      at("rows", rows_used_++) = row;
    const uint32_t base = row_base_;
    row_base_ = rows_used_ = (rows_used_ + WIRE_ROW_CHUNK - 1) / WIRE_ROW_CHUNK * WIRE_ROW_CHUNK;
    for (const uint32_t entry : packed.index)
      at("row_index", index_used_++) = entry + (base << 8);
  }
  static uint32_t& at(const char* map, uint32_t n) {
    return FakeKernel::get().slot<wire_chunk>(map, n / WIRE_ROW_CHUNK)->u[n % WIRE_ROW_CHUNK];
  }

  std::vector<wire_mapping> mappings_;
  uint32_t rows_used_ = 0, row_base_ = 0, index_used_ = 0;
};

std::optional<elf::ElfFile> open_mapping(Image& image, const Image::Mapping& mapping) {
  if (mapping.path == "[vdso]") {
    std::vector<uint8_t> bytes(mapping.end - mapping.start);
    if (!image.read(mapping.start, bytes.data(), bytes.size())) return std::nullopt;
    auto file = elf::ElfFile::from_bytes(std::move(bytes));
    if (!file) return std::nullopt;
    return *std::move(file);
  }
  if (mapping.path.empty() || mapping.path[0] != '/') return std::nullopt;
  auto file = elf::ElfFile::open_path(mapping.path);
  if (!file) return std::nullopt;
  return *std::move(file);
}

uint64_t bias_of(const elf::ElfFile& file, const Image::Mapping& mapping) {
  return mapping.start - file.address_of_mapping(mapping.offset).value_or(0);
}

void install_tables(Image& image, wire_process& process) {
  Placer placer;
  for (const auto& mapping : image.mappings()) {
    const auto file = open_mapping(image, mapping);
    if (!file) continue;
    const FileTables& tables = table_cache().add(mapping.path, *file);
    placer.add(mapping, tables, bias_of(*file, mapping));
  }
  placer.finish(process);
  const auto& rules = table_cache().rules();
  std::copy(rules.begin(), rules.end(), FakeKernel::get().slot<wire_dict>("dictionary", 0)->u);
}

}  // namespace

Image::Image(pid_t pid) : pid_(pid) {
  int status = 0;
  if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
    error_ = "the child did not stop";
    return;
  }
  if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0 ||
      ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0 ||
      waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
    error_ = std::string("ptrace of our own child: ") + std::strerror(errno);
    return;
  }
  user_regs_struct regs{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0) {
    error_ = std::string("PTRACE_GETREGS: ") + std::strerror(errno);
    return;
  }
  regs_ = {regs.rip, regs.rsp, regs.rbp};
  task_.tgid = task_.tid = static_cast<uint32_t>(pid);
  task_.start_ns = 12345;
  task_.exec_id = 1;
  task_.fs_base = regs.fs_base;
  memory_ = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (memory_ < 0) error_ = "/proc/PID/mem of our own child can't be opened";
  read_maps();
  read_stack_top();
}

Image::~Image() {
  if (memory_ >= 0) close(memory_);
}

void Image::read_maps() {
  std::ifstream maps("/proc/" + std::to_string(pid_) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, rights, offset, device, inode, path;
    fields >> range >> rights >> offset >> device >> inode >> path;
    if (rights.size() < 3 || rights[2] != 'x') continue;
    const std::size_t dash = range.find('-');
    mappings_.push_back({std::stoull(range.substr(0, dash), nullptr, 16),
                         std::stoull(range.substr(dash + 1), nullptr, 16),
                         std::stoull(offset, nullptr, 16), path});
  }
}

void Image::read_stack_top() {
  std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const std::size_t command_end = text.rfind(')');
  if (command_end == std::string::npos) return;
  std::istringstream fields(text.substr(command_end + 1));
  std::string field;
  for (int i = 0; i < kStartStackField && fields >> field; ++i) {
  }
  task_.stack_top = std::stoull("0" + field);
}

Image::Page* Image::page(uint64_t address) const {
  const auto [at, is_new] = pages_.try_emplace(address);
  if (is_new) {
    Page bytes;
    if (pread(memory_, bytes.data(), bytes.size(), static_cast<off_t>(address)) ==
        static_cast<ssize_t>(bytes.size()))
      at->second = bytes;
  }
  return at->second ? &*at->second : nullptr;
}

bool Image::read(uint64_t from, void* to, std::size_t bytes) const {
  auto* out = static_cast<uint8_t*>(to);
  while (bytes > 0) {
    const uint64_t start = from & ~(kPageBytes - 1), inside = from - start;
    const std::size_t part = std::min<std::size_t>(bytes, kPageBytes - inside);
    touched_.insert(start);
    const Page* data = faulted_.contains(start) ? nullptr : page(start);
    if (data == nullptr) return false;
    std::memcpy(out, data->data() + inside, part);
    from += part;
    out += part;
    bytes -= part;
  }
  return true;
}

void Image::poke(uint64_t at, const void* bytes, std::size_t count) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    Page* data = page((at + i) & ~(kPageBytes - 1));
    if (data != nullptr) (*data)[(at + i) % kPageBytes] = from[i];
  }
}

void install(Image& image) {
  FakeKernel& kernel = FakeKernel::get();
  kernel.reset();
  kernel.set_memory(
      [&image](uint64_t from, void* to, std::size_t bytes) { return image.read(from, to, bytes); });
  host_set_task(&image.task());
  wire_process process{};
  process.proc = host_generation();
  process.stack_top = image.task().stack_top;
  process.map_gen = kMapGen;
  process.python = WIRE_NO_SLOT;
  install_tables(image, process);
  kernel.put("procs", image.task().tgid, process);
}

bool install_python(Image& image) {
  std::optional<python::InterpreterFile> interpreter;
  uint64_t bias = 0;
  python::TsdLayout tsd;
  for (const auto& mapping : image.mappings()) {
    const auto file = open_mapping(image, mapping);
    if (!file) continue;
    if (const auto layout = python::inspect_libc(*file)) tsd = *layout;
    auto found = python::inspect(*file, mapping.path);
    if (!found || !found->supported()) continue;
    interpreter = std::move(found);
    bias = bias_of(*file, mapping);
  }
  if (!interpreter || tsd.state_kind == 0) return false;
  FakeKernel& kernel = FakeKernel::get();
  *kernel.slot<wire_python_config>("pythons", 0) = python::make_config(*interpreter, bias, tsd);
  auto* process = static_cast<wire_process*>(kernel.element("procs", &image.task().tgid));
  process->python = 0;
  return true;
}

}  // namespace pyprof::bpftest
