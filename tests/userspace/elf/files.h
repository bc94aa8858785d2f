// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Real ELF files of this machine to test with, and the tools that say the truth about them.
namespace pyprof::elf::testing {

std::string own_path();        // of the test program
std::string libc_path();       // the C library this program runs with
std::string libpython_path();  // "" if python3 has none

// ELF programs in the directories of PATH up to a size, sorted by name.
std::vector<std::string> programs(std::uintmax_t max_bytes);

// Shared libraries of every size in and below /usr/lib, sorted by name.
std::vector<std::string> libraries();

// The lines a command prints; empty if it can't be run.
std::vector<std::string> output_lines(const std::string& command);
std::string quoted(const std::string& path);

std::vector<uint8_t> read_bytes(const std::string& path);

}  // namespace pyprof::elf::testing
