/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One tick of one CPU: kernel stack, native stack, Python chain, record. Entry only; the parts are
 * in the headers. Programs hand over by tail call, state is in the CPU's scratch slot.
 */
#include "native_unwind.bpf.h"
#include "python_unwind.bpf.h"
#include "intern.bpf.h"
#include "emit.bpf.h"
#include "task.bpf.h"

static __always_inline u32 tick_usdt_state(struct usdt_thread *known, enum usdt_what what)
{
	return known && known->depth[what] ? WIRE_GC_RUNNING : WIRE_GC_IDLE;
}

/* What attached USDT probes have told of the thread. */
static __always_inline void tick_usdt(struct wire_tick *t, struct task_struct *task, u32 target)
{
	u32 tid = t->tid;
	struct usdt_thread *known = bpf_map_lookup_elem(&usdt_threads, &tid);

	if (known && known->thread != task_thread_generation(task))
		known = 0;
	if (target & WIRE_TARGET_USDT_GC)
		t->flags |= tick_usdt_state(known, USDT_GC) << WIRE_TICK_USDT_GC_SHIFT;
	if (target & WIRE_TARGET_USDT_IMPORT)
		t->flags |= tick_usdt_state(known, USDT_IMPORT) << WIRE_TICK_USDT_IMPORT_SHIFT;
}

/* Fills the record's head. Returns 0 if the tick is not to be sampled, with its outcome counted. */
static __always_inline int tick_begin(struct bpf_perf_event_data *ctx, struct scratch *s,
				      struct wire_counters *c, struct task_struct *task)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = id >> 32;
	struct wire_tick *t = &s->record.tick;

	if (!tgid) {
		emit_outcome(c, WIRE_OUT_IDLE);
		return 0;
	}
	u32 *target = cfg_only_targets ? bpf_map_lookup_elem(&targets, &tgid) : 0;
	if (cfg_only_targets && !target) {
		emit_outcome(c, WIRE_OUT_FILTERED);
		return 0;
	}
	t->cpu = bpf_get_smp_processor_id();
	t->flags = 0;
	t->time_ns = bpf_ktime_get_ns();
	t->proc = task_generation(task);
	t->tgid = tgid;
	t->tid = id;
	t->leaf_ip = ctx->regs[REG_IP];
	t->leaf_lasti = 0;
	t->weight_ns = ctx->sample_period;
	task_comm(task, s->record.comm);
	if (target && *target != WIRE_TARGET_SAMPLE)
		tick_usdt(t, task, *target);
	return 1;
}

static __always_inline void tick_reset(struct scratch *s)
{
	s->record.n_kernel = s->record.n_native = s->record.n_python = 0;
	s->record.native_end = s->record.python_end = 0;
	s->record.sp = s->record.cgroup_id = 0;
	s->record.piece_bytes = 0;
	s->record.piece_sp = s->record.piece_bp = 0;
	s->record.task = s->task_address = 0;
	s->elements = 0;
	s->python_count = 0;
	s->new_codes = s->capture_at = s->uncaptured = s->verified = s->seen_code = 0;
	s->identity = 0;
	s->stamp = 0;
	s->hash = 0;
	s->bp_address = 0;
	s->window_bytes = 0;
	s->window_base = 0;
	s->tail_calls = 0;
	s->samples++;
}

/* Tables of the running image, or none with the reason counted. */
static __always_inline void tick_find_process(struct scratch *s, struct wire_counters *c,
					      struct task_struct *task)
{
	u32 tgid = s->record.tick.tgid;
	struct wire_process *p = bpf_map_lookup_elem(&procs, &tgid);

	s->process.map_gen = s->process.map_count = 0;
	s->process.python = WIRE_NO_SLOT;
	s->process.proc = s->record.tick.proc;
	if (!task_get(task, mm)) {
		p = 0; /* a kernel thread */
	} else if (!p) {
		c->faults[WIRE_FAULT_PROC_UNKNOWN]++;
		s->record.native_end = WIRE_FAULT_PROC_UNKNOWN;
	} else if (p->proc != s->record.tick.proc) {
		c->faults[WIRE_FAULT_PROC_STALE]++;
		s->record.native_end = WIRE_FAULT_PROC_STALE;
	} else {
		s->process = *p;
	}
	s->record.tick.map_gen = s->process.map_gen;
}

/* Kernel frames go in front of the native ones, two to an element; all but the leaf are hashed. */
static __always_inline void tick_kernel_stack(struct bpf_perf_event_data *ctx, struct scratch *s)
{
	s64 bytes = bpf_get_stack(ctx, s->element, WIRE_MAX_KERNEL_FRAMES * 8, 0);
	u64 h = s->hash;

	s->record.tick.flags |= WIRE_TICK_KERNEL;
	if (bytes <= 0)
		return;
	u32 n = bytes / 8;
	if (n > WIRE_MAX_KERNEL_FRAMES)
		n = WIRE_MAX_KERNEL_FRAMES;
	u64 *frames = (u64 *)s->element;
	NO_UNROLL
	for (u32 i = 1; i < WIRE_MAX_KERNEL_FRAMES; i++) {
		if (i >= n)
			break;
		h = mix(h, frames[i]);
	}
	s->record.n_kernel = n;
	s->elements = (n + 1) / 2;
	s->hash = mix(h, n);
}

/* User registers of a thread that was interrupted in the kernel. Returns 0 on success. */
static __always_inline int tick_user_regs(struct scratch *s, struct task_struct *task)
{
	struct pt_regs *regs;

	if (cfg_task_pt_regs) {
		regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		void *stack = task_get(task, stack);
		regs = stack + cfg_stack_bytes - 21 * sizeof(u64);
	}
	s->pc = BPF_CORE_READ(regs, ip);
	s->sp = BPF_CORE_READ(regs, sp);
	s->bp = BPF_CORE_READ(regs, bp);
	return !s->pc || (s64)s->pc < 0;
}

/* Returns 1 if there is a user stack to unwind. */
static __always_inline int tick_begin_native(struct bpf_perf_event_data *ctx, struct scratch *s,
					     struct wire_counters *c, struct task_struct *task)
{
	if ((s64)ctx->regs[REG_IP] < 0) {
		tick_kernel_stack(ctx, s);
		if (!task_get(task, mm))
			return 0;
		if (tick_user_regs(s, task)) {
			s->record.native_end = WIRE_FAULT_NATIVE_REGS;
			return 0;
		}
		s->hash = mix(s->hash, s->pc);
	} else {
		s->pc = ctx->regs[REG_IP];
		s->sp = ctx->regs[REG_SP];
		s->bp = ctx->regs[REG_BP];
	}
	s->record.sp = s->sp;
	s->look = s->pc;
	s->native_limit = s->elements + WIRE_MAX_NATIVE_FRAMES;
	s->window_top = s->process.stack_top;
	u64 thread_pointer = task_get(task, thread.fsbase);
	if (thread_pointer > s->sp && thread_pointer - s->sp < NATIVE_WINDOW_BYTES)
		s->window_top = thread_pointer; /* other threads: the descriptor lies above the stack */
	return 1;
}

static __always_inline void tick_no_tables(struct scratch *s)
{
	struct element *e = s->element;
	u64 index = s->elements;

	ADD_INDEX16(e, index, MAX_ELEMENTS);
	e->a = s->pc;
	e->b = 1;
	s->elements++;
}

/* The native part is done: Python next if there is any. Every reason it was cut is counted. */
static __always_inline void native_finish(void *ctx, struct scratch *s, struct wire_counters *c)
{
	u32 end = s->record.native_end;

	c->native_frames += s->elements - (s->record.n_kernel + 1) / 2;

	if (end > WIRE_FAULT_PROC_STALE)
		count_fault(c, end);
	if (native_piece_helps(s))
		native_piece();
	if (s->process.python != WIRE_NO_SLOT)
		TAIL_CALL(ctx, s, TAIL_PY_START);
	TAIL_CALL(ctx, s, TAIL_EMIT);
	emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
}

SEC("perf_event")
int on_cpu_tick(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (!s || !c)
		return 0;
	c->ticks++;
	if (!tick_begin(ctx, s, c, task))
		return 0;
	tick_reset(s);
	tick_find_process(s, c, task);
	if (!tick_begin_native(ctx, s, c, task)) {
		native_finish(ctx, s, c);
		return 0;
	}
	if (!s->process.map_gen) {
		tick_no_tables(s);
		native_finish(ctx, s, c);
		return 0;
	}
	TAIL_CALL(ctx, s, TAIL_NATIVE);
	emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
	return 0;
}

/* start, walk, look-up, verification (3.11 makes two elements of a frame: twice), capture, record */
#define AFTER_NATIVE 7

SEC("perf_event")
int native_more(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	if (native_walk(s) == NATIVE_MORE) {
		if (s->tail_calls < MAX_TAIL_CALLS - AFTER_NATIVE)
			TAIL_CALL(ctx, s, TAIL_NATIVE);
		s->record.native_end = WIRE_FAULT_NATIVE_DEPTH;
	}
	native_finish(ctx, s, c);
	return 0;
}

static __always_inline void py_finish(void *ctx, struct scratch *s, struct wire_counters *c)
{
	if (s->record.python_end)
		count_fault(c, s->record.python_end);
	c->python_frames += s->python_count;
	if (s->seen_code)
		s->record.tick.flags |= WIRE_TICK_PYTHON;
	TAIL_CALL(ctx, s, TAIL_EMIT);
	emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
}

SEC("perf_event")
int py_start(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (!s || !c)
		return 0;
	struct wire_python_config *p = py_config(s);
	s->verify_at = s->elements;
	int fault = p ? py_begin(s, p, task_get(task, thread.fsbase)) : WIRE_FAULT_PY_NO_STATE;
	s->record.python_end = fault;
	if (!fault && s->task_address)
		labels_task(s, p, c);
	s->epoch = mix(s->process.proc, s->stamp ? s->stamp : s->samples) + s->code_cache_salt;
	if (!fault && p && p->chain == WIRE_PY_CHAIN_COPIES)
		TAIL_CALL(ctx, s, TAIL_PY_COPIES);
	else if (!fault)
		TAIL_CALL(ctx, s, p && p->chain == WIRE_PY_CHAIN_OBJECTS ? TAIL_PY_OBJECTS : TAIL_PY_WALK);
	py_finish(ctx, s, c);
	return 0;
}

/* Tail calls are left for another walk and then for all that follows: look-up, verification of every
 * frame, capture, record. `more`: elements that another walk makes. */
static __always_inline int py_room(struct scratch *s, u32 more)
{
	u32 elements = s->python_count + more;
	u32 verifications = (elements + VERIFIED_PER_PROGRAM - 1) / VERIFIED_PER_PROGRAM;

	return s->tail_calls + 1 + 3 + verifications <= MAX_TAIL_CALLS;
}

SEC("perf_event")
int py_more(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	struct wire_python_config *p = py_config(s);
	if (p && py_walk(s, p, 0) == PY_STEP) {
		if (py_room(s, 2 * PYTHON_FRAMES_PER_PROGRAM))
			TAIL_CALL(ctx, s, TAIL_PY_WALK);
		s->record.python_end = WIRE_FAULT_PY_DEPTH;
	}
	py_finish(ctx, s, c);
	return 0;
}

/* The same for CPython <= 3.10. */
SEC("perf_event")
int py_objects_more(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	struct wire_python_config *p = py_config(s);
	if (p && object_walk(s, p) == PY_STEP) {
		if (py_room(s, OBJECTS_PER_PROGRAM))
			TAIL_CALL(ctx, s, TAIL_PY_OBJECTS);
		s->record.python_end = WIRE_FAULT_PY_DEPTH;
	}
	py_finish(ctx, s, c);
	return 0;
}

/* The same for free-threaded builds from 3.14 on. */
SEC("perf_event")
int py_copies_more(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	struct wire_python_config *p = py_config(s);
	if (p && py_walk(s, p, 1) == PY_STEP) {
		if (py_room(s, 2 * PYTHON_FRAMES_PER_PROGRAM))
			TAIL_CALL(ctx, s, TAIL_PY_COPIES);
		s->record.python_end = WIRE_FAULT_PY_DEPTH;
	}
	py_finish(ctx, s, c);
	return 0;
}

static __always_inline void identity_time(struct scratch *s, struct wire_counters *c, int begin)
{
	if (!cfg_time_identity)
		return;
	if (begin)
		s->started_ns = bpf_ktime_get_ns();
	else
		c->identity_ns += bpf_ktime_get_ns() - s->started_ns;
}

SEC("perf_event")
int py_verify(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	identity_time(s, c, 1);
	s->file_name = 0;
	int done = verify_frames(s);
	identity_time(s, c, 0);
	if (!done) {
		TAIL_CALL(ctx, s, TAIL_PY_VERIFY);
		s->uncaptured = 1; /* the rest keeps its addresses, userspace sees it as unreadable */
		c->faults[WIRE_FAULT_PY_DEPTH]++;
	}
	s->verified = 1;
	if (s->new_codes)
		TAIL_CALL(ctx, s, TAIL_PY_CAPTURE);
	TAIL_CALL(ctx, s, TAIL_EMIT);
	emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
	return 0;
}

SEC("perf_event")
int py_capture(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	identity_time(s, c, 1);
	int done = capture_codes(s, c);
	identity_time(s, c, 0);
	if (!done) {
		if (s->tail_calls < MAX_TAIL_CALLS - 1)
			TAIL_CALL(ctx, s, TAIL_PY_CAPTURE);
		s->uncaptured = 1;
		s->code_cache_salt++; /* the next sample looks at all of them again */
		c->faults[WIRE_FAULT_PY_CAPTURE_CAP]++;
	}
	TAIL_CALL(ctx, s, TAIL_EMIT);
	emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
	return 0;
}

SEC("perf_event")
int emit_record(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	if (emit(s, c) == EMIT_VERIFY) {
		TAIL_CALL(ctx, s, TAIL_PY_VERIFY);
		emit_outcome(c, WIRE_OUT_LOST_PROGRAM);
	}
	return 0;
}
