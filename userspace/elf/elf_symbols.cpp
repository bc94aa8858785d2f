// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "userspace/elf/byte_reader.h"
#include "userspace/elf/elf_state.h"

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxNameBytes = 16 * 1024;
// All names of one file together: overlapping names could otherwise add up to any size.
constexpr std::size_t kMaxAllNameBytes = std::size_t{256} << 20;

bool defined(const Elf64_Sym& symbol) {
  const auto type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && type != STT_FILE && type != STT_SECTION;
}

bool has_name(std::span<const uint8_t> names, uint64_t offset, std::string_view wanted) {
  if (offset >= names.size() || names.size() - offset <= wanted.size()) return false;
  const uint8_t* name = names.data() + offset;
  return name[wanted.size()] == 0 && std::memcmp(name, wanted.data(), wanted.size()) == 0;
}

std::string_view name_at(std::span<const uint8_t> names, uint64_t offset) {
  const auto tail = clip(names, offset, kMaxNameBytes);
  if (tail.empty()) return {};
  const void* end = std::memchr(tail.data(), 0, tail.size());
  if (end == nullptr) return {};
  const auto* first = reinterpret_cast<const char*>(tail.data());
  return {first, static_cast<std::size_t>(static_cast<const char*>(end) - first)};
}

Symbol make_symbol(const Elf64_Sym& raw, std::string_view name) {
  return Symbol{.address = raw.st_value,
                .bytes = raw.st_size,
                .type = static_cast<uint8_t>(ELF64_ST_TYPE(raw.st_info)),
                .binding = static_cast<uint8_t>(ELF64_ST_BIND(raw.st_info)),
                .name = name};
}

std::optional<Symbol> find_in(const SymbolSource& source, std::string_view wanted) {
  for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= source.symbols.size();
       at += sizeof(Elf64_Sym)) {
    const auto raw = *load<Elf64_Sym>(source.symbols, at);
    if (!defined(raw) || !has_name(source.names, raw.st_name, wanted)) continue;
    return make_symbol(raw, name_at(source.names, raw.st_name));
  }
  return std::nullopt;
}

void append_symbols(const SymbolSource& source, std::size_t limit, std::size_t& name_bytes,
                    std::vector<Symbol>& out) {
  for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= source.symbols.size();
       at += sizeof(Elf64_Sym)) {
    if (out.size() >= limit || name_bytes > kMaxAllNameBytes) return;
    const auto raw = *load<Elf64_Sym>(source.symbols, at);
    const auto type = ELF64_ST_TYPE(raw.st_info);
    const bool wanted = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_OBJECT;
    if (!wanted || raw.st_shndx == SHN_UNDEF) continue;
    const auto name = name_at(source.names, raw.st_name);
    // Counted even if empty: an unterminated tail was scanned for nothing.
    name_bytes += name.empty() ? kMaxNameBytes / 16 : name.size();
    if (!name.empty()) out.push_back(make_symbol(raw, name));
  }
}

}  // namespace

std::optional<Symbol> ElfFile::find_symbol(std::string_view name) const {
  if (name.empty()) return std::nullopt;
  if (auto found = find_in(state_->dynamic_symbols, name)) return found;
  return find_in(state_->static_symbols, name);
}

std::vector<Symbol> ElfFile::symbols(std::size_t limit) const {
  std::vector<Symbol> out;
  std::size_t name_bytes = 0;
  append_symbols(state_->dynamic_symbols, limit, name_bytes, out);
  append_symbols(state_->static_symbols, limit, name_bytes, out);
  return out;
}

std::vector<Symbol> ElfFile::static_symbols(std::size_t limit) const {
  std::vector<Symbol> out;
  std::size_t name_bytes = 0;
  append_symbols(state_->static_symbols, limit, name_bytes, out);
  return out;
}

}  // namespace pyprof::elf
