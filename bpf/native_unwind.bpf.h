/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: native frames from unwind rows. Walks outward from scratch->{pc,sp,bp}, appends elements
 * of struct wire_native and hashes every return address. Frame pointers are tried only in mappings
 * that have no rows (JIT code, stripped of CFI).
 */
#ifndef PYEBPF_NATIVE_UNWIND_BPF_H
#define PYEBPF_NATIVE_UNWIND_BPF_H

#include "maps.bpf.h"

enum native_verdict {
	NATIVE_MORE, /* frames left, program budget used up */
	NATIVE_DONE,
};

#define MAPPING_STEPS 13 /* log2(WIRE_MAX_MAPPINGS) + 1 */
#define ROW_STEPS 9      /* at most 255 rows in a page, and the carry-in row */
#define FP_MAX_FRAME_BYTES (1024 * 1024)

/* Rules the tables cannot hold: a mapping without rows, and no mapping at all. */
#define RULE_FRAME_POINTER 0xfffffffeu
#define NATIVE_AT_ROOT 0x100u /* no fault: rbp is 0 in the outermost frame (psABI); 0 in its low byte */
#define RULE_UNREAD 0xfffffffdu
#define RULE_NO_MAPPING WIRE_RULE_MISSING

static __always_inline struct wire_mapping *native_find_mapping(struct scratch *s, u64 pc)
{
	u32 slot = s->last_mapping;
	struct wire_mapping *m = bpf_map_lookup_elem(&mappings, &slot);

	if (m && slot - s->process.map_first < s->process.map_count && pc >= m->start && pc < m->end)
		return m;

	/* Last mapping whose start <= pc, by halving. Branch-free, here and below: at a branch the
	 * verifier would walk both sides of every step. */
	u32 low = s->process.map_first, count = s->process.map_count;
	NO_UNROLL
	for (int i = 0; i < MAPPING_STEPS; i++) {
		if (count <= 1)
			break;
		u32 half = count >> 1, middle = low + half;
		m = bpf_map_lookup_elem(&mappings, &middle);
		if (!m)
			return 0;
		s64 after = (s64)(pc - m->start) >> 63; /* 0: starts at or below pc, -1: above */
		FORGET(after);
		low += half & ~after;
		count = ((count - half) & ~after) | (half & after);
		FORGET(low);
		FORGET(count);
	}
	low = THROUGH(s->last_mapping, low);
	m = bpf_map_lookup_elem(&mappings, &low);
	if (!m || !s->process.map_count || pc < m->start || pc >= m->end)
		return 0;
	return m;
}

/* A row's 16 bits -> a rule in full. */
static __always_inline u32 native_expand_rule(u32 rule16)
{
	if ((rule16 & 3) < 2)
		return (rule16 & 3) | (rule16 >> 12) << 4 | (rule16 >> 2 & 0x3ff) << 10;
	u32 zero = 0;
	struct wire_dict *dict = bpf_map_lookup_elem(&dictionary, &zero);
	return dict ? dict->u[rule16 >> 2 & (WIRE_DICT_RULES - 1)] : WIRE_RULE_NONE;
}

/* A function of its own, so that the verifier looks at the searches once and not for every frame. */
__noinline u32 native_find_rule(u64 pc)
{
	struct scratch *s = this_scratch();
	if (!s)
		return RULE_NO_MAPPING;
	struct wire_mapping *m = native_find_mapping(s, pc);
	if (!m)
		return RULE_NO_MAPPING;
	if (m->kind != WIRE_MAP_ROWS)
		return m->kind == WIRE_MAP_UNREAD ? RULE_UNREAD : RULE_FRAME_POINTER;

	u32 offset = pc - m->bias, entry = m->index_first + (offset >> WIRE_PAGE_BITS);
	u32 chunk = entry / WIRE_ROW_CHUNK;
	struct wire_chunk *c = bpf_map_lookup_elem(&row_index, &chunk);
	if (!c)
		return WIRE_RULE_NONE;
	entry = c->u[entry & (WIRE_ROW_CHUNK - 1)];
	u32 first = entry >> 8;
	u64 count = entry & 255, low = first;
	c = chunk_of_row(first);
	if (!c || !count)
		return WIRE_RULE_NONE;

	u64 low16 = offset & 0xffff;
	NO_UNROLL
	for (int i = 0; i < ROW_STEPS; i++) {
		u64 half = count >> 1, middle = low + half;
		s64 some = (s64)-count >> 63; /* -1 as long as rows are left, else 0: no early exit */
		s64 after = low16 - (c->u[middle & (WIRE_ROW_CHUNK - 1)] >> 16);
		after >>= 63; /* 0: the row starts at or before pc, -1: behind it */
		FORGET(after);
		FORGET(some);
		low += (half + 1) & ~after & some;
		count = (((count - half - 1) & ~after) | (half & after)) & some;
		FORGET(low);
		FORGET(count);
	}
	if (low == first)
		return WIRE_RULE_NONE;
	low--;
	return native_expand_rule(c->u[low & (WIRE_ROW_CHUNK - 1)] & 0xffff);
}

static __always_inline u32 native_rule(struct scratch *s, u64 pc)
{
	u32 slot = (pc * 0x9E3779B97F4A7C15ull) >> 54;
	struct rule_cache_entry *e = &s->rule_cache[slot & (RULE_CACHE_ENTRIES - 1)];

	if (e->pc == pc && e->map_gen == s->process.map_gen)
		return e->rule;
	u32 rule = native_find_rule(pc);
	if (rule < RULE_UNREAD) {
		e->pc = pc;
		e->map_gen = s->process.map_gen;
		e->rule = rule;
	}
	return rule;
}

/* Fills the stack window from `low` on; returns 0 if at least 8 bytes were read. The base is
 * read back from the map so that what the verifier knows of it does not multiply states. */
__noinline int native_refill(u64 low)
{
	struct scratch *s = this_scratch();
	if (!s)
		return -1;
	s->window_base = low;
	u64 bytes = NATIVE_WINDOW_BYTES, base = *(volatile u64 *)&s->window_base;

	if (base < s->window_top && base + bytes > s->window_top)
		bytes = (s->window_top - base) & ~7ull;
	if (bytes > NATIVE_WINDOW_BYTES)
		bytes = NATIVE_WINDOW_BYTES;
	if (bytes && !bpf_probe_read_user(s->window, bytes, (void *)base)) {
		s->window_bytes = bytes;
		return 0;
	}
	/* The next page may be missing: take what is left of this one. */
	bytes = (4096 - (base & 4095)) & ~7ull;
	if (bytes > NATIVE_WINDOW_BYTES)
		bytes = NATIVE_WINDOW_BYTES;
	if (bytes && !bpf_probe_read_user(s->window, bytes, (void *)base)) {
		s->window_bytes = bytes;
		return 0;
	}
	s->window_bytes = 0;
	return -1;
}

static __always_inline u64 native_window_at(struct scratch *s, u64 offset)
{
	return s->window[offset >> 3 & (NATIVE_WINDOW_BYTES / 8 - 1)];
}

static __always_inline void native_put(struct scratch *s, u32 n, u64 pc, u64 cfa)
{
	struct element *e = s->element;
	u64 index = n;

	ADD_INDEX16(e, index, MAX_ELEMENTS);
	e->a = pc;
	e->b = cfa;
}

/* Brings s->bp up to date: a saved rbp is read only when a rule needs it. */
static __always_inline int native_restore_bp(struct scratch *s)
{
	u64 from = *(volatile u64 *)&s->bp_address;

	if (!from)
		return 0;
	s->bp_address = 0;
	u64 at = from - *(volatile u64 *)&s->window_base;
	if (at < s->window_bytes) {
		s->bp = native_window_at(s, at);
		return 0;
	}
	return bpf_probe_read_user(&s->bp, 8, (void *)from);
}

/* Registers of the interrupted code, from the ucontext that sp points at. uc_mcontext.gregs[]
 * starts at 40: RBP is 10, RSP 15, RIP 16. */
static __always_inline int native_signal(struct scratch *s, u64 sp)
{
	u64 context = sp + 40;

	s->bp_address = 0;
	s->window_bytes = 0;
	return bpf_probe_read_user(&s->pc, 8, (void *)(context + 16 * 8)) ||
	       bpf_probe_read_user(&s->bp, 8, (void *)(context + 10 * 8)) ||
	       bpf_probe_read_user(&s->sp, 8, (void *)(context + 15 * 8));
}

static __always_inline s64 native_rule_offset(u32 rule)
{
	return ((s64)((u64)rule << 32) >> 42) * 8;
}

/* CFA = *(rbp + offset); rbp itself is at [rbp] if k is 63. */
static __always_inline u32 native_deref_cfa(struct scratch *s, u64 slot, u32 k)
{
	if (bpf_probe_read_user(&s->cfa, 8, (void *)slot))
		return WIRE_FAULT_NATIVE_FAULT;
	if (k == 63) {
		s->saved = 0;
		if (bpf_probe_read_user(&s->bp, 8, (void *)*(volatile u64 *)&s->bp))
			return WIRE_FAULT_NATIVE_FAULT;
	}
	return 0;
}

/* Bytes that the frame at pc has on the stack if all that is left of it is `add rsp, N; ret`, else 0.
 * So are CPython's perf trampolines up to 3.13 (Python/asm_trampoline.S), which keep no frame pointer. */
static __always_inline u64 native_epilogue_bytes(u64 pc)
{
	u64 code = 0;

	if (bpf_probe_read_user(&code, 5, (void *)pc) || (code & 0xff80ffffffull) != 0xc300c48348ull)
		return 0;
	return code >> 24 & 0x7f;
}

/* s->cfa of a frame whose rule is not rsp-based. Returns 0, or the fault that ends the walk;
 * s->saved may change. */
__noinline u32 native_other_cfa(u32 rule, u64 pc, u64 sp)
{
	struct scratch *s = this_scratch();
	u32 base = rule & 15;

	if (!s)
		return WIRE_FAULT_NATIVE_RULE;

	if (rule == RULE_NO_MAPPING)
		return WIRE_FAULT_NATIVE_NO_MAPPING;
	if (rule == RULE_UNREAD)
		return WIRE_FAULT_NATIVE_UNREAD;
	if (base == WIRE_RULE_NONE)
		return WIRE_FAULT_NATIVE_NO_RULE;
	if (base == WIRE_RULE_PLT) {
		s->cfa = sp + 8 + ((pc & 15) >= (rule >> 10 & 31) ? 8 : 0);
		return 0;
	}
	if (rule != RULE_FRAME_POINTER && base != WIRE_RULE_RBP && base != WIRE_RULE_RBP_DEREF)
		return WIRE_FAULT_NATIVE_RULE;
	if (rule == RULE_FRAME_POINTER) {
		u64 bytes = native_epilogue_bytes(pc);

		if (bytes) {
			s->cfa = sp + bytes + 8;
			s->saved = 0;
			return 0;
		}
	}
	if (native_restore_bp(s))
		return WIRE_FAULT_NATIVE_FAULT;
	u64 bp = *(volatile u64 *)&s->bp;
	if (rule == RULE_FRAME_POINTER) {
		if (!bp)
			return NATIVE_AT_ROOT;
		if (bp < sp || bp - sp > FP_MAX_FRAME_BYTES || bp & 7)
			return WIRE_FAULT_NATIVE_NO_RULE;
		s->cfa = bp + 16;
		s->saved = 2;
		return 0;
	}
	s->cfa = bp + native_rule_offset(rule);
	return base == WIRE_RULE_RBP_DEREF ? native_deref_cfa(s, s->cfa, rule >> 4 & 63) : 0;
}

/* Return address at cfa - 8, 0 at the root or on a fault (then native_end is set). `low` is the
 * lowest stack slot the frame needs, so that one refill serves both. */
static __always_inline u64 native_return_address(struct scratch *s, u64 cfa, u64 low)
{
	u64 at = cfa - 8 - *(volatile u64 *)&s->window_base;

	if (at >= s->window_bytes) {
		if (native_refill(low)) {
			s->record.native_end = WIRE_FAULT_NATIVE_FAULT;
			return 0;
		}
	}
	at = cfa - 8 - *(volatile u64 *)&s->window_base;
	if (at >= s->window_bytes) {
		s->record.native_end = WIRE_FAULT_NATIVE_FAULT;
		return 0;
	}
	return native_window_at(s, at);
}

/* Up to NATIVE_FRAMES_PER_PROGRAM frames; the reason for an early end goes to record.native_end.
 * `look` is the address whose rule applies: pc for the leaf and below a signal frame, else pc - 1. */
static __always_inline int native_walk(struct scratch *s)
{
	u64 pc = s->pc, look = s->look, sp = s->sp, h = s->hash;
	u32 n = s->elements;

	NO_UNROLL
	for (int i = 0; i < NATIVE_FRAMES_PER_PROGRAM; i++) {
		if (n >= s->native_limit) {
			s->record.native_end = WIRE_FAULT_NATIVE_DEPTH;
			goto done;
		}
		u64 exact = look - pc + 1;
		native_put(s, n, pc, exact);
		n++;

		u32 rule = THROUGH(s->rule, native_rule(s, look)), base = rule & 15;
		s->saved = rule >> 4 & 63;
		if (base == WIRE_RULE_RSP) {
			s->cfa = sp + native_rule_offset(rule);
		} else if (base == WIRE_RULE_STOP) {
			goto done;
		} else if (base == WIRE_RULE_SIGNAL) {
			if (native_signal(s, sp)) {
				s->record.native_end = WIRE_FAULT_NATIVE_FAULT;
				goto done;
			}
			look = pc = *(volatile u64 *)&s->pc;
			sp = *(volatile u64 *)&s->sp;
			h = mix(h, pc);
			continue;
		} else {
			u32 fault = native_other_cfa(rule, pc, sp);
			if (fault) {
				s->record.native_end = fault & 0xff;
				goto done;
			}
		}
		u64 cfa = *(volatile u64 *)&s->cfa;
		if (cfa <= sp) {
			s->record.native_end = WIRE_FAULT_NATIVE_CFA;
			goto done;
		}
		u64 saved = *(volatile u32 *)&s->saved;
		if (saved)
			s->bp_address = cfa - 8 * saved;
		u64 ra = native_return_address(s, cfa, saved ? cfa - 8 * saved : cfa - 8);
		if (!s->record.native_end)
			native_put(s, n - 1, pc, (cfa & ~1ull) | exact);
		ra = THROUGH(s->pc, ra);
		if (!ra) /* the root of threads and of hand-written starts, or a fault */
			goto done;
		h = mix(h, ra);
		pc = ra;
		look = ra - 1;
		sp = cfa;
	}
	s->pc = pc;
	s->look = look;
	s->sp = sp;
	s->hash = h;
	s->elements = n;
	return NATIVE_MORE;

done:
	s->sp = sp;
	s->hash = h;
	s->elements = n;
	return NATIVE_DONE;
}

/* Tables that are missing now may be there in a moment: userspace can go on, with the stack as it is.
 * Python frames would lie where the piece is put. */
static __always_inline int native_piece_helps(struct scratch *s)
{
	u32 end = s->record.native_end;

	return s->process.python == WIRE_NO_SLOT &&
	       (end == WIRE_FAULT_PROC_UNKNOWN || end == WIRE_FAULT_PROC_STALE ||
		end == WIRE_FAULT_NATIVE_UNREAD || end == WIRE_FAULT_NATIVE_NO_MAPPING);
}

static __always_inline int native_piece_allowed(struct scratch *s)
{
	u64 second = s->record.tick.time_ns >> 30;

	if (second != s->piece_second) {
		s->piece_second = second;
		s->pieces = 0;
	}
	return s->pieces++ < PIECES_PER_SECOND;
}

/* Copies the user stack from the last frame's sp on behind the elements, to the first page that is
 * not there. */
__noinline int native_piece(void)
{
	struct scratch *s = this_scratch();

	if (!s)
		return 0;
	u64 sp = *(volatile u64 *)&s->sp, n = s->elements, copied = 0;
	if (n >= MAX_ELEMENTS / 2 || sp & 7 || !native_piece_allowed(s) || native_restore_bp(s))
		return 0;
	NO_UNROLL
	for (int i = 0; i <= WIRE_MAX_PIECE_BYTES / 4096; i++) { /* the first and the last in part */
		char *to = (char *)s->element;
		u64 at = (n << 4) + copied, from = sp + copied, bytes = 4096 - (from & 4095);

		if (bytes > WIRE_MAX_PIECE_BYTES - copied)
			bytes = WIRE_MAX_PIECE_BYTES - copied;
		FORGET(bytes);
		bytes &= 2 * 4096 - 1;
		ADD_MASKED(to, at, 0xffff);
		if (bpf_probe_read_user(to, bytes, (void *)from))
			break;
		copied += bytes;
	}
	s->record.piece_sp = sp;
	s->record.piece_bp = s->bp;
	s->record.piece_bytes = copied;
	return 0;
}

#endif
