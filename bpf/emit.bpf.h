/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: a tick for a stack userspace has, the whole stack for one it has not. Every path counts
 * exactly one outcome. A stack becomes known only after the ring took its record.
 */
#ifndef PYEBPF_EMIT_BPF_H
#define PYEBPF_EMIT_BPF_H

#include "task.bpf.h"

static __always_inline void emit_outcome(struct wire_counters *c, u32 outcome)
{
	c->outcomes[outcome]++;
}

static __always_inline void emit_tick(struct scratch *s, struct wire_counters *c)
{
	u64 task_bytes = s->record.tick.flags & WIRE_TICK_TASK ? sizeof(s->record.task) : 0;

	FORGET(task_bytes);
	u64 bytes = sizeof(struct wire_tick) + (task_bytes & sizeof(s->record.task));
	s->record.tick.type = WIRE_TYPE_TICK;
	if (bpf_ringbuf_output(&samples, &s->record, bytes, BPF_RB_NO_WAKEUP)) {
		emit_outcome(c, WIRE_OUT_LOST_TICK);
		return;
	}
	c->tick_bytes += bytes + 8;
	emit_outcome(c, WIRE_OUT_TICK);
}

static __always_inline void emit_stack(struct scratch *s, struct wire_counters *c, u64 key)
{
	u32 n = s->elements, kernel = (s->record.n_kernel + 1) / 2;

	s->record.tick.type = WIRE_TYPE_STACK;
	s->record.n_python = s->python_count;
	s->record.n_native = n - s->python_count - kernel;
	u32 piece = s->record.piece_bytes;
	s->record.flags = s->uncaptured || piece ? WIRE_STACK_UNINTERNED : 0;
	FORGET(n);
	FORGET(piece);
	n &= MAX_ELEMENTS - 1;
	u32 bytes = sizeof(struct wire_stack) + n * 16 + (piece & (2 * WIRE_MAX_PIECE_BYTES - 1));
	s->record.bytes = bytes;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	s->record.cgroup_id = task_cgroup_id(task);
	if (bpf_ringbuf_output(&samples, &s->record, bytes, BPF_RB_NO_WAKEUP)) {
		emit_outcome(c, WIRE_OUT_LOST_STACK);
		return;
	}
	c->stack_bytes += bytes + 8;
	emit_outcome(c, WIRE_OUT_STACK);
	if (s->record.flags & WIRE_STACK_UNINTERNED)
		return;
	struct wire_stack_state state = {.stamp = s->stamp, .identity = s->identity};
	if (bpf_map_update_elem(&stacks, &key, &state, BPF_ANY))
		c->faults[WIRE_FAULT_STACKS_FULL]++;
}

/* The key covers all but the leaf's position. */
static __always_inline u64 emit_key(struct scratch *s)
{
	u64 h = mix(s->hash, s->record.tick.proc);

	h = mix(h, s->process.map_gen | (u64)s->record.native_end << 32 |
			   (u64)s->record.python_end << 40);
	return mix(h, s->elements);
}

enum emit_next { EMIT_DONE, EMIT_VERIFY };

static __always_inline int emit(struct scratch *s, struct wire_counters *c)
{
	u64 key = s->record.tick.stack_key;

	if (!s->verified)
		s->record.tick.stack_key = key = emit_key(s);
	struct wire_stack_state *known = bpf_map_lookup_elem(&stacks, &key);
	if (s->python_count && !s->verified && !(known && s->stamp && known->stamp == s->stamp))
		return EMIT_VERIFY;
	if (known && s->verified) {
		if (known->identity == s->identity && !s->uncaptured)
			known->stamp = s->stamp;
		else
			known = 0;
	}
	if (known && !s->record.piece_bytes)
		emit_tick(s, c);
	else
		emit_stack(s, c, key);
	return EMIT_DONE;
}

#endif
