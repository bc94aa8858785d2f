// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "userspace/model/process.h"

// Who owns a process, by the naming habits of container runtimes and systemd. The names are what
// the cgroup's owner chose: a user with a delegated cgroup can imitate a container.
namespace pyprof::process {

// From the text of /proc/PID/cgroup; v1, v2 and hybrid. Of nested containers the innermost; of
// several hierarchies the one that names a container (v2 first), else the first below the root.
// `unit` is the innermost systemd unit that isn't the runtime's own.
model::ContainerIdentity identify(std::string_view proc_pid_cgroup_text);

// The same for one path as the kernel prints it, such as CgroupPaths gives.
model::ContainerIdentity identify_path(std::string_view cgroup_path);

}  // namespace pyprof::process
