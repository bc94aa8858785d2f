// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/row_banks.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "bpf/wire.h"

namespace pyprof::probe {
namespace {

constexpr std::size_t kBankBytes = std::size_t{WIRE_BANK_CHUNKS} * sizeof(wire_chunk);
constexpr uint32_t kBankRows = WIRE_BANK_CHUNKS * WIRE_ROW_CHUNK;

uint32_t banks_for(uint32_t chunks) {
  return std::min<uint32_t>((chunks + WIRE_BANK_CHUNKS - 1) / WIRE_BANK_CHUNKS, WIRE_ROW_BANKS);
}

// As the programs declare it: the kernel compares.
Fd make_array() {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  return Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "row_bank", sizeof(uint32_t), sizeof(wire_chunk),
                           WIRE_BANK_CHUNKS, &options));
}

}  // namespace

Result<RowBanks> RowBanks::make(int outer_fd, uint32_t chunks) {
  const std::size_t bytes = banks_for(chunks) * kBankBytes;
  void* space =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return errno_error("taking address space for unwind rows", errno);
  RowBanks banks(outer_fd, chunks, Mmap(space, bytes));
  if (!banks.add_bank()) return errno_error("making the BPF map row_bank", errno);
  return banks;
}

std::span<uint32_t> RowBanks::rows() const {
  const std::size_t bytes = std::min(space_.bytes(), std::size_t{chunks_} * sizeof(wire_chunk));
  return {static_cast<uint32_t*>(space_.data()), bytes / sizeof(uint32_t)};
}

bool RowBanks::reach(uint32_t end) {
  while (uint64_t{banks_} * kBankRows < end) {
    if (!add_bank()) return false;
  }
  return true;
}

uint64_t RowBanks::bytes() const {
  return __atomic_load_n(&banks_, __ATOMIC_RELAXED) * kBankBytes;
}

// The map lives as long as the outer one has it.
bool RowBanks::add_bank() {
  if ((banks_ + 1) * kBankBytes > space_.bytes()) return false;
  const Fd bank = make_array();
  if (!bank.valid()) return false;
  char* at = static_cast<char*>(space_.data()) + banks_ * kBankBytes;
  void* mapped =
      ::mmap(at, kBankBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, bank.get(), 0);
  if (mapped == MAP_FAILED) return false;
  const int fd = bank.get();
  if (bpf_map_update_elem(outer_fd_, &banks_, &fd, BPF_ANY) != 0) return false;
  __atomic_store_n(&banks_, banks_ + 1, __ATOMIC_RELAXED);
  return true;
}

}  // namespace pyprof::probe
