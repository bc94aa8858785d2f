/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * CPU time: at each context switch the difference of prev->se.sum_exec_runtime since the CPU took it
 * is charged to its thread; a slow tick charges what has not switched. cpu_time_* are written with
 * interrupts off on both paths (the run queue's lock, a timer interrupt), never from an NMI.
 */
#include "maps.bpf.h"
#include "task.bpf.h"

static __always_inline struct wire_cpu_time *cpu_find(u32 table, struct wire_cpu_key *key)
{
	return table ? (struct wire_cpu_time *)bpf_map_lookup_elem(&cpu_time_b, key) :
		       (struct wire_cpu_time *)bpf_map_lookup_elem(&cpu_time_a, key);
}

static __always_inline void cpu_charge(struct cpu_slot *slot, u64 ns)
{
	u32 zero = 0;
	struct control *control = bpf_map_lookup_elem(&controls, &zero);
	struct wire_counters *c = this_counters();
	u32 table = control ? control->cpu_table : 0;
	struct wire_cpu_key key = {.proc = slot->proc, .tid = slot->tid, .tgid = slot->tgid};
	struct wire_cpu_time *t = cpu_find(table, &key);

	if (!t) {
		struct wire_cpu_time fresh = {.ns = ns, .cgroup_id = slot->cgroup_id};
		__builtin_memcpy(fresh.comm, slot->comm, WIRE_COMM_LEN);
		long failed = table ? bpf_map_update_elem(&cpu_time_b, &key, &fresh, BPF_NOEXIST) :
				      bpf_map_update_elem(&cpu_time_a, &key, &fresh, BPF_NOEXIST);
		if (!failed)
			return;
		t = cpu_find(table, &key); /* another CPU was first */
	}
	if (t) {
		__sync_fetch_and_add(&t->ns, ns);
	} else if (c) {
		c->faults[WIRE_FAULT_CPU_TABLE_FULL]++;
		c->cpu_unattributed_ns += ns;
	}
}

static __always_inline void cpu_flush(struct cpu_slot *slot, struct task_struct *task)
{
	u64 sum = task_get(task, se.sum_exec_runtime);

	if (slot->tid && sum > slot->sum_ns)
		cpu_charge(slot, sum - slot->sum_ns);
	slot->sum_ns = sum;
}

static __always_inline void cpu_take(struct cpu_slot *slot, struct task_struct *task)
{
	slot->tid = task_get(task, pid);
	if (!slot->tid)
		return;
	slot->tgid = task_get(task, tgid);
	slot->proc = task_generation(task);
	slot->cgroup_id = task_cgroup_id(task);
	slot->sum_ns = task_get(task, se.sum_exec_runtime);
	task_comm(task, slot->comm);
}

static __always_inline struct cpu_slot *this_slot(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&cpu_slots, &cpu);
}

SEC("raw_tp/sched_switch")
int on_sched_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx->args[1];
	struct task_struct *next = (struct task_struct *)ctx->args[2];
	struct cpu_slot *slot = this_slot();
	struct wire_counters *c = this_counters();

	if (!slot || !c || !cfg_account)
		return 0;
	c->switches++;
	if (slot->tid && slot->tid == (u32)task_get(prev, pid))
		cpu_flush(slot, prev);
	cpu_take(slot, next);
	return 0;
}

/* A cpu-clock event of its own, a few times a second: never in an NMI, unlike the sampler. */
SEC("perf_event")
int on_account_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cpu_slot *slot = this_slot();

	if (!slot || !cfg_account)
		return 0;
	if (slot->tid && slot->tid == (u32)task_get(task, pid))
		cpu_flush(slot, task);
	else
		cpu_take(slot, task);
	return 0;
}
