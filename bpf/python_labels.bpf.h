/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: what a tick says beside its stack: GIL, garbage collector, interpreter, asyncio task. The
 * thread state is in s->py when the first part runs, the interpreter state when the second does.
 */
#ifndef PYEBPF_PYTHON_LABELS_BPF_H
#define PYEBPF_PYTHON_LABELS_BPF_H

#include "maps.bpf.h"

#define PY_TYPE_FLAGS 152 /* PyTypeObject.tp_flags behind the object's head; 3.6 to 3.15 */
#define PY_FLAG_INT (1u << 24)
#define PY_FLAG_STR (1u << 28)
#define PY_INT_DIGIT_BITS 30

#define py_load(bytes, offset, mask_const) \
	({ u8 *at_ = (bytes); u64 off_ = (offset); ADD_MASKED(at_, off_, mask_const); *(u64 *)at_; })
#define py_load32(bytes, offset) \
	({ u8 *at_ = (bytes); u64 off_ = (offset); ADD_MASKED(at_, off_, 0x7fc); *(u32 *)at_; })

static __always_inline u32 labels_gil(struct scratch *s, struct wire_python_config *p)
{
	if (s->is_current | (py_load32(s->py, p->ts_gil) & p->gil_held_mask))
		return WIRE_GIL_HELD;
	if (p->ts_attached && py_load32(s->py, p->ts_attached) == 1)
		return WIRE_GIL_FREE;
	if (p->ts_gil_wanted && py_load32(s->py, p->ts_gil_wanted))
		return WIRE_GIL_WANTED;
	return p->gil_held_mask || p->current_address ? WIRE_GIL_RELEASED : WIRE_GIL_UNKNOWN;
}

static __always_inline void labels_thread(struct scratch *s, struct wire_python_config *p)
{
	s->gil = labels_gil(s, p);
	s->record.tick.flags |= s->gil << WIRE_TICK_GIL_SHIFT;
	if (p->ts_task)
		s->task_address = py_load(s->py, p->ts_task, 0x7f8);
}

/* `collecting` is the interpreter's: it is this thread that collects if it is the one that runs. */
static __always_inline void labels_interpreter(struct scratch *s, struct wire_python_config *p,
					       u64 interp)
{
	u64 bytes = p->interp_bytes;

	s->interp_read = 0;
	if (!bytes ||
	    bpf_probe_read_user(s->py, bytes & WIRE_MAX_STATE_BYTES, (void *)(interp + p->interp_first)))
		return;
	u64 id = py_load(s->py, p->interp_id, 0x7f8);
	u32 runs = s->gil == WIRE_GIL_HELD || s->gil == WIRE_GIL_FREE;
	u32 gc = runs && py_load32(s->py, p->interp_gc) ? WIRE_GC_RUNNING : WIRE_GC_IDLE;

	if (id > 0xffff)
		id = 0xffff;
	s->record.tick.flags |= WIRE_TICK_INTERPRETER | gc << WIRE_TICK_GC_SHIFT |
				(u32)id << WIRE_TICK_INTERPRETER_SHIFT;
	s->interp_read = 1;
}

/* {type, length or int tag, hash or digits, state} of the object. Returns its type's flags, 0 = not
 * readable. */
static __always_inline u64 labels_name_head(struct wire_python_config *p, u64 task, u64 *name,
					    u64 *head)
{
	u64 flags = 0;

	if (bpf_probe_read_user(name, 8, (void *)(task + p->task_name)) ||
	    bpf_probe_read_user(head, 32, (void *)(*name + p->str_length - 8)) ||
	    bpf_probe_read_user(&flags, 8, (void *)(head[0] + p->str_length + PY_TYPE_FLAGS)))
		return 0;
	return flags;
}

/* Copies the characters of a str of head `head` to s->task. Returns 0 on success. */
static __always_inline int labels_text(struct scratch *s, struct wire_python_config *p, u64 name,
				       const u64 *head)
{
	struct wire_task *t = &s->task;
	u32 state = (u32)head[3] >> p->str_kind_shift;
	u64 length = head[1], kind = state & 7;
	u64 data = name + (state & 16 ? p->str_ascii_data : p->str_compact_data);

	t->name.length = length > 0xffff ? 0xffff : length;
	t->name.kind = kind;
	if (length > WIRE_MAX_TASK_BYTES)
		length = WIRE_MAX_TASK_BYTES;
	u64 bytes = length * kind;
	if (bytes > WIRE_MAX_TASK_BYTES)
		bytes = WIRE_MAX_TASK_BYTES;
	if (t->name.length * kind > bytes)
		t->name.flags = WIRE_TEXT_CUT;
	t->name.bytes = bytes;
	FORGET(bytes);
	return bpf_probe_read_user(t->text, bytes & 127, (void *)data);
}

/* A name that was never given is a positive int that counts tasks. */
static __always_inline void labels_number(struct scratch *s, const u64 *head)
{
	u64 digits = head[2];

	s->task.number = (u32)digits;
	if (head[1] >> 3 > 1) /* lv_tag: digits << 3 | sign */
		s->task.number |= digits >> 32 << PY_INT_DIGIT_BITS;
}

static __always_inline u64 labels_task_id(const struct wire_task *t)
{
	const u64 *words = (const u64 *)t->text;
	u64 h = mix(t->number, (u64)t->name.length << 8 | t->name.kind);

	NO_UNROLL
	for (int i = 0; i < WIRE_MAX_TASK_BYTES / 8; i++)
		h = mix(h, words[i]);
	return h | 1;
}

/* Sends the name unless this CPU has done so lately. */
static __always_inline void labels_send_task(struct scratch *s, struct wire_counters *c)
{
	struct wire_task *t = &s->task;
	u64 *seen = s->task_seen, slot = t->id >> 1;
	u64 lately = mix(t->id, s->record.tick.time_ns >> 33);

	slot <<= 3;
	ADD_MASKED(seen, slot, (TASKS_SEEN - 1) << 3);
	if (*seen == lately)
		return;
	t->type = WIRE_TYPE_TASK;
	t->cpu = s->record.tick.cpu;
	t->time_ns = s->record.tick.time_ns;
	t->proc = s->record.tick.proc;
	if (bpf_ringbuf_output(&samples, t, sizeof(*t), BPF_RB_NO_WAKEUP))
		c->faults[WIRE_FAULT_LOST_TASK]++;
	else
		*seen = lately;
}

/* The name is taken now: a moment later the task may be gone, and its address another one's. */
static __always_inline void labels_task(struct scratch *s, struct wire_python_config *p,
					struct wire_counters *c)
{
	u64 name = 0, head[4] = {};
	u64 flags = labels_name_head(p, s->task_address, &name, head);
	int fault = 0;

	s->record.tick.flags |= WIRE_TICK_TASK;
	__builtin_memset(&s->task, 0, sizeof(s->task));
	if (flags & PY_FLAG_STR)
		fault = labels_text(s, p, name, head);
	else
		labels_number(s, head);
	if (fault || !(flags & (PY_FLAG_STR | PY_FLAG_INT))) {
		c->faults[WIRE_FAULT_PY_TASK_FAULT]++;
		return;
	}
	s->record.task = s->task.id = labels_task_id(&s->task);
	labels_send_task(s, c);
}

#endif
