/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 2: facts about a task that several programs need.
 */
#ifndef PYEBPF_TASK_BPF_H
#define PYEBPF_TASK_BPF_H

#include "maps.bpf.h"

#define task_get(task, ...) BPF_CORE_READ((struct task_struct *)(task), __VA_ARGS__)

/* Generation of the task's process: changes with pid reuse (start time) and with exec (exec id). */
static __always_inline u64 task_generation(struct task_struct *task)
{
	struct task_struct *leader = task_get(task, group_leader);
	u64 exec_id = 0;

	if (bpf_core_field_exists(leader->self_exec_id))
		exec_id = task_get(leader, self_exec_id);
	return mix(mix((u32)task_get(leader, tgid), task_get(leader, start_boottime)), exec_id) | 1;
}

/* Changes with the process's generation, and when the id goes to another thread. */
static __always_inline u64 task_thread_generation(struct task_struct *task)
{
	return mix(task_generation(task), task_get(task, start_boottime));
}

static __always_inline u64 task_cgroup_id(struct task_struct *task)
{
	if (cfg_cgroup_v1) {
		u32 index = bpf_core_enum_value(enum cgroup_subsys_id, cpuacct_cgrp_id);
		struct css_set *set = task_get(task, cgroups);
		struct cgroup_subsys_state *css = 0;
		bpf_probe_read_kernel(&css, sizeof(css),
				      (void *)set + bpf_core_field_offset(set->subsys) + 8 * index);
		return BPF_CORE_READ(css, cgroup, kn, id);
	}
	return task_get(task, cgroups, dfl_cgrp, kn, id);
}

/* The task's id in its own PID namespace. */
static __always_inline u32 task_namespace_id(struct task_struct *task)
{
	struct pid *pid = task_get(task, thread_pid);
	u32 level = BPF_CORE_READ(pid, level);
	u32 nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(pid->numbers) +
				      level * bpf_core_type_size(struct upid));
	return nr;
}

static __always_inline void task_comm(struct task_struct *task, char *comm)
{
	bpf_probe_read_kernel(comm, WIRE_COMM_LEN,
			      (void *)task + bpf_core_field_offset(task->comm));
}

#endif
