// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/model/process.h"

// The text of /proc/PID/maps. The paths in it are chosen by the profiled process.
namespace pyprof::process {

// One line without its newline. Nothing if the mapping is not executable, belongs to the kernel
// ([vsyscall]) or the line is malformed. Anonymous memory gets the path "//anon", as the kernel's
// side band calls it; "\012" becomes the newline that it stands for; " (deleted)" is kept.
std::optional<model::Mapping> parse_maps_line(std::string_view line);

// The path as a person knows it: without the " (deleted)" that the kernel appends.
std::string_view without_deleted(std::string_view path);

// Whether a file can stand behind the mapping: not anonymous, not a special area but the vdso.
bool has_file(const model::Mapping& mapping);

bool is_vdso(const model::Mapping& mapping);

}  // namespace pyprof::process
