/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Life of processes: fork copies the tables' entry, exec and exit drop it, before userspace knows.
 * `procs` has these programs and userspace as writers; the sampler only reads it.
 */
#include "maps.bpf.h"
#include "task.bpf.h"

static __always_inline void proc_fill(struct wire_proc *r, struct task_struct *task, u16 kind)
{
	struct task_struct *leader = task_get(task, group_leader);

	__builtin_memset(r, 0, sizeof(*r));
	r->type = WIRE_TYPE_PROC;
	r->kind = kind;
	r->tgid = task_get(task, tgid);
	r->time_ns = bpf_ktime_get_ns();
	r->proc = task_generation(task);
	r->start_ns = task_get(leader, start_boottime);
	r->cgroup_id = task_cgroup_id(task);
	r->ns_tgid = task_namespace_id(leader);
	if (bpf_core_field_exists(leader->self_exec_id))
		r->exec_id = task_get(leader, self_exec_id);
	r->stack_top = task_get(task, mm, start_stack);
	r->is_kernel_thread = !!(task_get(task, flags) & PF_KTHREAD);
	task_comm(task, r->comm);
}

static __always_inline void proc_send(struct wire_proc *r)
{
	struct wire_counters *c = this_counters();

	if (bpf_ringbuf_output(&events, r, sizeof(*r), BPF_RB_FORCE_WAKEUP) && c)
		c->faults[WIRE_FAULT_LOST_PROC]++;
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tgid = task_get(task, tgid);
	u32 *target = bpf_map_lookup_elem(&targets, &tgid);
	struct wire_proc r;

	if (target)
		*target = WIRE_TARGET_SAMPLE; /* the probes were the old image's */
	bpf_map_delete_elem(&procs, &tgid);
	proc_fill(&r, task, WIRE_PROC_EXEC);
	proc_send(&r);
	return 0;
}

/* The child has the parent's address space, so the parent's tables fit until it changes. */
static __always_inline void fork_copy(u32 parent_tgid, u64 parent_proc, u32 tgid, u64 proc)
{
	struct wire_process *p = bpf_map_lookup_elem(&procs, &parent_tgid);
	struct wire_counters *c = this_counters();

	if (!p || p->proc != parent_proc)
		return;
	struct wire_process copy = *p;
	copy.proc = proc;
	if (bpf_map_update_elem(&procs, &tgid, &copy, BPF_ANY) && c)
		c->faults[WIRE_FAULT_PROC_TABLE_FULL]++;
}

/* A child is sampled if its parent is. Targets stay when they exit, so that userspace can ask whose CPU
 * time was meant; a new process of somebody else may get the id of one. */
static __always_inline void fork_target(u32 parent_tgid, u32 tgid)
{
	struct wire_counters *c = this_counters();
	u32 bits = WIRE_TARGET_SAMPLE;

	if (!cfg_follow_children)
		return;
	if (!bpf_map_lookup_elem(&targets, &parent_tgid))
		bpf_map_delete_elem(&targets, &tgid);
	else if (bpf_map_update_elem(&targets, &tgid, &bits, BPF_ANY) && c)
		c->faults[WIRE_FAULT_PROC_TABLE_FULL]++;
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	u32 tgid = task_get(child, tgid);
	struct wire_proc r;

	if (tgid != (u32)task_get(child, pid))
		return 0; /* a thread */
	proc_fill(&r, child, WIRE_PROC_FORK);
	r.parent_tgid = task_get(parent, tgid);
	r.parent_proc = task_generation(parent);
	fork_copy(r.parent_tgid, r.parent_proc, tgid, r.proc);
	fork_target(r.parent_tgid, tgid);
	proc_send(&r);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tgid = task_get(task, tgid);
	struct wire_proc r;

	if (task_get(task, signal, live.counter) > 0)
		return 0; /* other threads go on */
	bpf_map_delete_elem(&procs, &tgid);
	proc_fill(&r, task, WIRE_PROC_EXIT);
	proc_send(&r);
	return 0;
}

/* All processes there are, for the start of the daemon. Optional: without iterators userspace
 * learns generations from the first fork, exec or sample. */
SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct wire_proc r;

	if (!task || task_get(task, pid) != task_get(task, tgid))
		return 0;
	proc_fill(&r, task, WIRE_PROC_SCAN);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
