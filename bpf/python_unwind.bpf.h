/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: the chain of interpreter frames of the running thread, driven by the offset table in
 * `pythons`. A sampled thread is stopped at an instruction, so its chain is consistent.
 */
#ifndef PYEBPF_PYTHON_UNWIND_BPF_H
#define PYEBPF_PYTHON_UNWIND_BPF_H

#include "python_labels.bpf.h"

#define PY_FRAME_BYTES 80 /* of _PyInterpreterFrame that we read: all versions' owner is below */
#define PY_LISTED_STATES 512 /* thread states looked at in lists */

static __always_inline struct wire_python_config *py_config(struct scratch *s)
{
	u32 slot = s->process.python;
	return bpf_map_lookup_elem(&pythons, &slot);
}

/* The GIL-state key plus one; 0 = it was not made yet. */
static __always_inline u32 py_read_key(struct wire_python_config *p)
{
	u32 made[2] = {}; /* Py_tss_t: {initialized, key}; 3.6: the key alone, negative until it is made */

	if (p->key_plain) {
		if (bpf_probe_read_user(made, 4, (void *)p->key_address) || (s32)made[0] < 0)
			return 0;
		return made[0] + 1;
	}
	if (bpf_probe_read_user(made, 8, (void *)p->key_address) || !made[0])
		return 0;
	return made[1] + 1;
}

/* Value of the GIL-state key in the running thread; 0 = the thread has none. */
static __always_inline u64 py_key_value(struct wire_python_config *p, u64 thread_pointer)
{
	u32 key = p->key_plus_one;
	u64 tsd = 0, value = 0;

	if (!key) {
		key = py_read_key(p);
		if (!key)
			return 0;
		p->key_plus_one = key;
	}
	key--;
	if (p->state_kind == WIRE_PY_STATE_KEY_MUSL) {
		if (bpf_probe_read_user(&tsd, 8, (void *)(thread_pointer + p->tsd_level1)))
			return 0;
		bpf_probe_read_user(&value, 8, (void *)(tsd + 8 * (u64)key));
		return value;
	}
	/* glibc: 32 keys lie in the descriptor, in front of the table of further blocks */
	if (key < 32) {
		tsd = thread_pointer + p->tsd_level1 - 32 * (u64)p->tsd_data_size;
	} else if (bpf_probe_read_user(&tsd, 8, (void *)(thread_pointer + p->tsd_level1 + 8 * (u64)(key >> 5 & 31)))) {
		return 0;
	}
	bpf_probe_read_user(&value, 8,
			    (void *)(tsd + p->tsd_data_size * (u64)(key & 31) + p->tsd_data_offset));
	return value;
}

/* Reads a thread state into s->py and checks that it is the running thread's. */
static __always_inline int py_read_state(struct scratch *s, struct wire_python_config *p, u64 state,
					 u64 thread_pointer)
{
	u64 bytes = p->ts_bytes;

	if (bpf_probe_read_user(s->py, bytes & WIRE_MAX_STATE_BYTES, (void *)state))
		return WIRE_FAULT_PY_STATE_FAULT;
	if (py_load(s->py, p->ts_thread_id, 0x1f8) == thread_pointer)
		return 0;
	/* 3.11 and 3.12 run a subinterpreter by the state of the thread that made it: its activation
	 * tells whose stack it is on */
	u64 top = thread_pointer > s->record.sp ? thread_pointer : s->process.stack_top;
	u64 room = py_load(s->py, p->ts_frame, 0x1f8) - s->record.sp;

	return p->cframe_current != 0xffff && room < top - s->record.sp ? 0 :
									   WIRE_FAULT_PY_STATE_OTHER;
}

/* 2.7: the running thread's state in the interpreters' lists; 0 = none, or too far behind. Other threads
 * may change the lists meanwhile: what is found is checked by whoever reads it. */
__noinline u64 py_listed_state(u64 thread_pointer)
{
	struct scratch *s = this_scratch();
	struct wire_python_config *p = s ? py_config(s) : 0;
	u64 id = 0;

	if (!p || bpf_probe_read_user(&s->listed_interp, 8, (void *)p->key_address))
		return 0;
	s->listed_thread = 0;
	NO_UNROLL
	for (int i = 0; i < PY_LISTED_STATES; i++) {
		u64 thread = *(volatile u64 *)&s->listed_thread;
		u64 interp = *(volatile u64 *)&s->listed_interp;
		if (!thread) {
			if (!interp ||
			    bpf_probe_read_user(&s->listed_thread, 8, (void *)(interp + p->interp_threads)) ||
			    bpf_probe_read_user(&s->listed_interp, 8, (void *)interp))
				return 0;
			continue;
		}
		if (bpf_probe_read_user(&id, 8, (void *)(thread + p->ts_thread_id)))
			return 0;
		if (id == thread_pointer)
			return thread;
		if (bpf_probe_read_user(&s->listed_thread, 8, (void *)(thread + p->ts_next)))
			return 0;
	}
	return 0;
}

/* Value of a thread-local variable of a library that may have been loaded late: the thread's block of the
 * library is in its vector, by the module's number. A thread that never used the block has no address
 * there that can be read. 0 = none. */
static __always_inline u64 py_block_value(struct wire_python_config *p, u64 thread_pointer)
{
	u64 module = p->key_plus_one, vector = 0, block = 0, value = 0;

	if (!module) {
		if (bpf_probe_read_user(&module, 8, (void *)p->key_address) || module > 0xffff)
			return 0;
		p->key_plus_one = module;
	}
	if (!module || bpf_probe_read_user(&vector, 8, (void *)(thread_pointer + p->tsd_level1)) ||
	    bpf_probe_read_user(&block, 8, (void *)(vector + module * p->tsd_data_size)))
		return 0;
	bpf_probe_read_user(&value, 8, (void *)(block + p->tls_offset));
	return value;
}

/* The running thread's state by the ways that few interpreters need; 0 = none. */
__noinline u64 py_rare_state(u64 thread_pointer)
{
	struct scratch *s = this_scratch();
	struct wire_python_config *p = s ? py_config(s) : 0;

	if (!p)
		return 0;
	return p->state_kind == WIRE_PY_STATE_LIST ? py_listed_state(thread_pointer) :
						     py_block_value(p, thread_pointer);
}

static __always_inline int py_find_state(struct scratch *s, struct wire_python_config *p,
					 u64 thread_pointer)
{
	u64 state = 0;

	s->is_current = 0;
	if (p->state_kind == WIRE_PY_STATE_TLS) {
		bpf_probe_read_user(&state, 8, (void *)(thread_pointer + p->tls_offset));
		return state ? py_read_state(s, p, state, thread_pointer) : WIRE_FAULT_PY_NO_STATE;
	}
	/* <= 3.11: under a subinterpreter the key still names the main one's state, so the holder of
	 * the GIL goes first */
	if (p->current_address && !bpf_probe_read_user(&state, 8, (void *)p->current_address) && state &&
	    !py_read_state(s, p, state, thread_pointer)) {
		s->is_current = 1;
		return 0;
	}
	state = p->state_kind >= WIRE_PY_STATE_LIST ? py_rare_state(thread_pointer) :
						      py_key_value(p, thread_pointer);
	return state ? py_read_state(s, p, state, thread_pointer) : WIRE_FAULT_PY_NO_STATE;
}

/* How often userspace forgot code objects. */
static __always_inline u64 py_codes_dropped(void)
{
	u32 zero = 0;
	struct control *control = bpf_map_lookup_elem(&controls, &zero);

	return control ? control->codes_dropped : 0;
}

/* Counter of created (3.12, 3.13) or destroyed (3.14) code objects; 0 = none. While it stands still
 * no address can have got another code object. */
static __always_inline u64 py_read_stamp(struct scratch *s, struct wire_python_config *p, u64 interp,
					 u64 dropped)
{
	u64 address = p->stamp_address;
	u32 count = 0;

	if (!address && p->stamp_offset)
		address = interp + p->stamp_offset;
	if (p->interp_stamp && s->interp_read)
		count = py_load32(s->py, p->interp_stamp);
	else if (!address || bpf_probe_read_user(&count, 4, (void *)address))
		return 0;
	/* An embedder may build code objects by hand: verify again every 8.6 s. 3.12's and 3.13's
	 * counters are 0 after they overflowed; 3.14's starts at 0. */
	if (!count && p->version < 0x30e)
		return 0;
	return ((s->record.tick.time_ns >> 33) << 32 | count) + (dropped << 52) + 1;
}

/* Goes on from the activation that called this one: *frame is its current frame. */
static __always_inline int py_outer_cframe(struct scratch *s, struct wire_python_config *p, u64 *frame)
{
	s->cframe_outer = 0;
	if (bpf_probe_read_user(&s->cframe_outer, 8, (void *)(s->cframe + p->cframe_previous)))
		return -1;
	s->cframe = *(volatile u64 *)&s->cframe_outer;
	s->saw_entry = 1;
	return bpf_probe_read_user(frame, 8, (void *)(s->cframe + p->cframe_current));
}

/* 3.11 and 3.12: an activation publishes its cframe some instructions before it links its frame;
 * until then the cframe holds what an earlier call left there. The entry of the innermost activation
 * is linked to the current frame of the next cframe: if it isn't, the walk begins again from that
 * one. Returns 1 then. `previous` is the entry's link. */
__noinline int py_unlinked(u64 previous)
{
	struct scratch *s = this_scratch();
	struct wire_python_config *p = s ? py_config(s) : 0;
	u64 frame = 0;

	if (!p)
		return 0;
	u64 cframe = s->cframe;

	s->saw_entry = 1;
	if (!previous || py_outer_cframe(s, p, &frame) || frame == previous) {
		s->cframe = cframe;
		return 0;
	}
	s->elements = s->verify_at;
	s->python_count = 0;
	s->seen_code = 0;
	s->frame = frame;
	return 1;
}

/* Where the chain starts. Returns 0 or the fault. */
static __always_inline int py_begin(struct scratch *s, struct wire_python_config *p,
				    u64 thread_pointer)
{
	int fault = py_find_state(s, p, thread_pointer);
	if (fault)
		return fault;

	labels_thread(s, p);
	u64 interp = py_load(s->py, p->ts_interp, 0x1f8);
	u64 frame = py_load(s->py, p->ts_frame, 0x1f8);
	s->chunk = py_load(s->py, p->ts_chunk, 0x1f8);
	s->chunk_bytes = py_load(s->py, p->ts_chunk + 16, 0x1f8) - s->chunk;
	s->cframe = 0;
	s->saw_entry = 1;
	s->begin_hash = s->hash;
	if (p->cframe_current != 0xffff) {
		u64 top = py_load(s->py, p->ts_chunk + 8, 0x1f8);

		s->cframe = frame;
		s->saw_entry = 0;
		if (bpf_probe_read_user(&frame, 8, (void *)(s->cframe + p->cframe_current)))
			return WIRE_FAULT_PY_STATE_FAULT;
		/* beyond the data stack's top: not linked yet, see py_unlinked() */
		if (frame - s->chunk < s->chunk_bytes && frame >= top &&
		    py_outer_cframe(s, p, &frame))
			return WIRE_FAULT_PY_STATE_FAULT;
	}
	s->frame = frame;
	s->window_low = ~0ull;
	s->window_max = 0;
	s->window_want = 1024;
	labels_interpreter(s, p, interp);
	u64 dropped = py_codes_dropped();
	s->stamp = py_read_stamp(s, p, interp, dropped);
	s->recheck_seed = mix(s->process.proc, dropped);
	return 0;
}

/* Makes the frame the last one of the window; what is below it in the data stack are its callers. */
__noinline int py_move_window(u64 frame)
{
	struct scratch *s = this_scratch();
	if (!s)
		return -1;
	u64 bytes = s->window_want, room = frame - s->chunk + PY_FRAME_BYTES;

	if (room < bytes)
		bytes = room;
	if (bytes > PY_WINDOW_BYTES)
		bytes = PY_WINDOW_BYTES;
	s->window_low = ~0ull;
	s->window_max = 0;
	if (bpf_probe_read_user(s->py, bytes, (void *)(frame + PY_FRAME_BYTES - bytes)))
		return -1;
	s->window_low = frame + PY_FRAME_BYTES - bytes;
	s->window_max = bytes - PY_FRAME_BYTES;
	s->window_want = PY_WINDOW_BYTES;
	return 0;
}

/* The frame struct of s->frame somewhere in s->py: returns its offset there, or ~0 on a fault. */
static __always_inline u64 py_fetch(struct scratch *s, u64 frame)
{
	u64 offset = frame - s->window_low;

	if (offset <= s->window_max)
		return THROUGH(s->offset, offset);
	if (frame - s->chunk < s->chunk_bytes && !py_move_window(frame))
		return THROUGH(s->offset, s->window_max);
	/* outside the data stack, or older frames in front of it are not resident */
	if (bpf_probe_read_user(s->py + PY_SINGLE, PY_FRAME_BYTES, (void *)frame))
		return ~0ull;
	return THROUGH(s->offset, PY_SINGLE);
}

/* An older piece of the data stack: its bounds become the window's. */
__noinline int py_change_chunk(u64 frame)
{
	struct scratch *s = this_scratch();
	if (!s)
		return 0;
	u64 previous = 0, head[2] = {}; /* _PyStackChunk: {previous, size} */

	if (!bpf_probe_read_user(&previous, 8, (void *)s->chunk) && previous &&
	    !bpf_probe_read_user(head, 16, (void *)previous) && frame - previous < head[1]) {
		s->chunk = previous;
		s->chunk_bytes = head[1];
	}
	return 0;
}

static __always_inline void py_put(struct scratch *s, u32 n, u64 id, u64 lasti_flags)
{
	struct element *e = s->element;
	u64 index = n;

	ADD_INDEX16(e, index, MAX_ELEMENTS);
	e->a = id;
	e->b = lasti_flags;
}

#define PY_COPY_SHIFT 48 /* of an element's second word: the copy of the bytecode that lasti is off by */

/* lasti of a frame that runs a copy of its bytecode, made of its distance from the original. Both are off
 * by less than 4 GiB, which 32 bits undo. */
__noinline u32 py_copy_lasti(u64 code, u64 lasti_copy)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();
	struct wire_python_config *p = s ? py_config(s) : 0;
	u64 copies = 0, base = 0;

	if (!p || !c)
		return WIRE_PY_NO_POSITION;
	if (bpf_probe_read_user(&copies, 8, (void *)(code + p->code_copies)) ||
	    bpf_probe_read_user(&base, 8, (void *)(copies + 8 + 8 * (lasti_copy >> PY_COPY_SHIFT))) ||
	    !base) {
		c->faults[WIRE_FAULT_PY_FRAME_FAULT]++;
		return WIRE_PY_NO_POSITION;
	}
	return (u32)lasti_copy + (u32)code + p->code_bytes - (u32)base;
}

enum py_step { PY_STEP, PY_ROOT, PY_STOP };

/* One frame. The loop counter is the only scalar the verifier may know across iterations: all that
 * counts or bounds lives in map memory. `copies`: WIRE_PY_CHAIN_COPIES, a constant. What copy a frame
 * runs is kept for verification, so that only new stacks pay for finding it. */
static __always_inline int py_step(struct scratch *s, struct wire_python_config *p, u64 *hash,
				   const int copies)
{
	u64 frame = s->frame;
	if (!frame)
		return PY_ROOT;

	u64 at = py_fetch(s, frame);
	if (at > PY_SINGLE) {
		s->record.python_end = WIRE_FAULT_PY_FRAME_FAULT;
		return PY_STOP;
	}
	u8 *f = s->py;
	{
		u64 off = at;
		ADD_MASKED(f, off, 0x1fff);
	}
	u64 code = py_load(f, p->frame_code, 0x78), previous = py_load(f, p->frame_previous, 0x78);
	u64 ip = py_load(f, p->frame_ip, 0x78);
	u32 owner = f[p->frame_owner & 0x7f];
	u32 n = s->elements;
	FORGET(n);
	if (s->python_count >= WIRE_MAX_PYTHON_FRAMES - 1 || n >= MAX_ELEMENTS - 2) {
		s->record.python_end = WIRE_FAULT_PY_DEPTH;
		return PY_STOP;
	}
	s->elements = n + 1;
	s->python_count++;
	if (owner >= p->owner_entry) {
		if (!s->saw_entry && py_unlinked(previous)) {
			*hash = s->begin_hash;
			return PY_STEP;
		}
		py_put(s, n, frame, WIRE_PY_ENTRY);
		*hash = mix(*hash, 3);
		s->frame = previous;
		return PY_STEP;
	}

	code &= ~(u64)p->code_tag_mask;
	u32 lasti = ip - code - p->code_bytes;
	u64 keyed = lasti, copy = 0;
	if (copies)
		copy = py_load(f, p->frame_copy, 0x78) << PY_COPY_SHIFT;
	py_put(s, n, code, lasti | copy);
	if (!s->seen_code) {
		s->record.tick.leaf_lasti = copy ? py_copy_lasti(code, lasti | copy) : lasti;
		s->seen_code = 1;
		keyed = 0; /* the leaf's position travels in the tick */
	}
	*hash = mix(*hash, code + (keyed << 48) + keyed);
	if (at == PY_SINGLE && owner == 0)
		py_change_chunk(frame);
	if (p->frame_is_entry != 0xffff && f[p->frame_is_entry & 0x7f] && s->cframe) {
		if (!s->saw_entry && py_unlinked(previous)) {
			*hash = s->begin_hash;
			return PY_STEP;
		}
		/* 3.11: the activation is marked by its cframe on the C stack */
		py_put(s, n + 1, s->cframe, WIRE_PY_ENTRY);
		s->elements = n + 2;
		s->python_count++;
		*hash = mix(*hash, 3);
		u64 outer = 0;
		bpf_probe_read_user(&outer, 8, (void *)(s->cframe + p->cframe_previous));
		s->cframe = outer;
	}
	s->frame = previous;
	return PY_STEP;
}

/* Returns PY_STEP if the budget was used up with frames left. */
static __always_inline int py_walk(struct scratch *s, struct wire_python_config *p, const int copies)
{
	u64 hash = s->hash;
	int state = PY_STEP;

	NO_UNROLL
	for (int i = 0; i < PYTHON_FRAMES_PER_PROGRAM; i++) {
		state = py_step(s, p, &hash, copies);
		if (state != PY_STEP)
			break;
	}
	s->hash = hash;
	return state;
}

#endif
