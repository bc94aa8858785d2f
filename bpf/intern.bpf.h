/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: what a code object is. Its identity is content (names' cached hashes, first line, flags,
 * line table), never the address alone: an exec() loop reuses addresses. Unknown objects are
 * captured into the ring before the stack that uses them.
 */
#ifndef PYEBPF_INTERN_BPF_H
#define PYEBPF_INTERN_BPF_H

#include "python_legacy.bpf.h"

#define CODE_HEAD_BYTES 96      /* co_flags ... co_linetable in all supported versions */
#define TEXT_STATE_BYTES 0x11u  /* of a byte string: one byte a character, as in ASCII */
#define LINETABLE_ID_BYTES 64   /* of the line table that go into the identity */
#define RECHECK_WORDS (CODE_HEAD_BYTES / 8 + 2 + 2 + LINETABLE_ID_BYTES / 8)

/* Hash over a str: length and cached hash, or its first bytes where nobody has hashed it yet. */
static __always_inline u64 code_text_hash(struct scratch *s, struct wire_python_config *p, u64 hash,
					  u64 text, u64 code)
{
	u64 *words = (u64 *)(s->py + PY_WORDS); /* length, hash; then data */

	words[0] = words[1] = words[2] = words[3] = words[4] = words[5] = 0;
	if (bpf_probe_read_user(words, 16, (void *)(text + p->str_length)))
		s->code_salt = code;
	if (words[1] == ~0ull &&
	    bpf_probe_read_user(words + 2, 32, (void *)(text + p->str_ascii_data)))
		s->code_salt = code;
	UNROLL
	for (int i = 0; i < 6; i++)
		hash = mix(hash, words[i]);
	return hash;
}

/* Hash over size and beginning of a line table. */
static __always_inline u64 code_table_hash(struct scratch *s, struct wire_python_config *p, u64 hash,
					   u64 table, u64 code)
{
	u64 *words = (u64 *)(s->py + PY_WORDS);

	UNROLL
	for (int i = 0; i <= LINETABLE_ID_BYTES / 8; i++)
		words[i] = 0;
	if (bpf_probe_read_user(words, 8, (void *)(table + p->bytes_size)))
		s->code_salt = code;
	u64 bytes = *(volatile u64 *)words;
	bytes = bytes > LINETABLE_ID_BYTES ? LINETABLE_ID_BYTES : bytes;
	if (bytes && bpf_probe_read_user(words + 1, bytes, (void *)(table + p->bytes_data)))
		s->code_salt = code;
	UNROLL
	for (int i = 0; i <= LINETABLE_ID_BYTES / 8; i++)
		hash = mix(hash, words[i]);
	return hash;
}

/* Content identity of a code object; 0 if it could not be read. With names that are not resident
 * the address is part of it, so that no two such objects are one. */
static __always_inline u64 code_identity(struct scratch *s, struct wire_python_config *p, u64 code)
{
	u8 *head = s->py + PY_CODE;

	if (bpf_probe_read_user(head, CODE_HEAD_BYTES, (void *)(code + p->code_flags)))
		return 0;
	u64 low = p->code_flags;
	u64 flags = py_load(head, 0, 0x78), lines = py_load(head, p->code_first_line - low, 0x7c);
	u64 hash = mix((u32)flags, (u32)lines);
	s->code_salt = 0;
	hash = code_text_hash(s, p, hash, py_load(head, p->code_qualname - low, 0x78), code);
	hash = code_text_hash(s, p, hash, py_load(head, p->code_filename - low, 0x78), code);
	hash = code_table_hash(s, p, hash, py_load(head, p->code_linetable - low, 0x78), code);
	return mix(hash, *(volatile u64 *)&s->code_salt) | 1;
}

static __always_inline struct code_cache_entry *code_cache_slot(struct scratch *s, u64 code)
{
	u64 slot = ((code * 0x9E3779B97F4A7C15ull) >> 56) << 6;
	struct code_cache_entry *e = s->code_cache;

	ADD_MASKED(e, slot, (CODE_CACHE_ENTRIES - 1) << 6);
	return e;
}

/* Hash over what tells whether the object at an address is still the one that the cache knows: its
 * head with all its pointers, its names' cached hashes and the piece of its line table that is part of
 * the identity. Three reads and not six. 0 = has to be looked at in full. */
static __always_inline u64 code_recheck(struct scratch *s, struct wire_python_config *p,
					struct code_cache_entry *e)
{
	u64 *words = (u64 *)(s->py + PY_WORDS);
	u64 low = p->code_flags, code = e->code;
	u8 *head = s->py + PY_WORDS;

	if (bpf_probe_read_user(words, CODE_HEAD_BYTES, (void *)(code + low)))
		return 0;
	u64 name = py_load(head, p->code_qualname - low, 0x78);
	u64 file = py_load(head, p->code_filename - low, 0x78);
	u64 table = py_load(head, p->code_linetable - low, 0x78);
	u64 *text = words + CODE_HEAD_BYTES / 8;
	if (bpf_probe_read_user(text, 16, (void *)(name + p->str_length)))
		return 0;
	if (file != s->file_name) { /* most of a stack is from a few files */
		s->file_name = 0;
		if (bpf_probe_read_user(s->file_text, 16, (void *)(file + p->str_length)))
			return 0;
		s->file_name = file;
	}
	if (text[1] == ~0ull || s->file_text[1] == ~0ull)
		return 0;
	UNROLL
	for (int i = 2; i < RECHECK_WORDS - CODE_HEAD_BYTES / 8; i++)
		text[i] = 0;
	u32 bytes = e->table_bytes;
	FORGET(bytes);
	bytes &= 0x7f;
	if (bpf_probe_read_user(text + 2, bytes, (void *)(table + p->bytes_size)))
		return 0;
	u64 even = s->file_text[0] + s->recheck_seed, odd = s->file_text[1];
	UNROLL
	for (int i = 0; i < RECHECK_WORDS; i += 2) {
		even = even * 0x9E3779B97F4A7C15ull + words[i];
		odd = odd * 0xC2B2AE3D27D4EB4Full + words[i + 1];
	}
	return mix(even, odd) | 1;
}

/* What code_recheck() will read of the line table that identity was just made of. */
static __always_inline void code_remember(struct scratch *s, struct wire_python_config *p,
					  struct code_cache_entry *e)
{
	u64 table_bytes = *(volatile u64 *)(s->py + PY_WORDS); /* see code_table_hash() */
	u64 head = p->bytes_data - p->bytes_size;

	e->recheck = 0;
	if (s->stamp || s->code_salt || head > 16)
		return;
	if (table_bytes > LINETABLE_ID_BYTES)
		table_bytes = LINETABLE_ID_BYTES;
	e->table_bytes = head + table_bytes;
	e->recheck = code_recheck(s, p, e);
}

/* Identity of a code object that the cache doesn't vouch for; 0 if it could not be read. A function
 * of its own, so that the verifier looks at it once and not for every frame. */
__noinline u64 code_lookup(u64 code)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return 0;
	struct wire_python_config *p = py_config(s);
	if (!p)
		return 0;
	struct code_cache_entry *e = code_cache_slot(s, code);
	c->identity_checks++;
	if (e->code == code && e->recheck && code_recheck(s, p, e) == e->recheck) {
		e->epoch = s->epoch;
		return e->id;
	}
	u64 id = code_identity(s, p, code);
	if (!id) {
		c->faults[WIRE_FAULT_PY_CODE_FAULT]++;
		s->uncaptured = 1;
		return 0;
	}
	struct code_key key = {.proc = s->process.proc, .id = id};
	e->code = 0;
	if (!bpf_map_lookup_elem(&codes, &key)) {
		u64 n = s->new_codes;
		if (n >= MAX_NEW_CODES) {
			c->faults[WIRE_FAULT_PY_CAPTURE_CAP]++;
			s->uncaptured = 1;
			return id;
		}
		struct new_code *nc = s->new_code;
		ADD_INDEX16(nc, n, MAX_NEW_CODES);
		nc->code = code;
		nc->id = id;
		new_code_frame(s, s->new_codes)->a = object_frame_at(s, s->verify_at - 1);
		s->new_codes++;
	}
	e->code = code;
	e->epoch = s->epoch;
	e->id = id;
	code_remember(s, p, e);
	return id;
}

/* Replaces code addresses by identities, frame by frame. Returns 1 when all are done. */
static __always_inline int verify_frames(struct scratch *s)
{
	u64 identity = s->identity;

	NO_UNROLL
	for (int i = 0; i < VERIFIED_PER_PROGRAM; i++) {
		u32 at = s->verify_at;
		FORGET(at);
		if (at >= s->elements || at >= MAX_ELEMENTS) {
			s->identity = identity;
			return 1;
		}
		s->verify_at = at + 1;
		struct element *e = s->element;
		u64 index = at;
		ADD_INDEX16(e, index, MAX_ELEMENTS);
		if ((u32)e->b == WIRE_PY_ENTRY)
			continue;
		if (e->b >> PY_COPY_SHIFT)
			e->b = py_copy_lasti(e->a, e->b);
		struct code_cache_entry *known = code_cache_slot(s, e->a);
		u64 id = known->code == e->a && known->epoch == s->epoch ? known->id : code_lookup(e->a);
		id = THROUGH(s->code_id, id);
		if (id)
			e->a = id;
		else
			e->b |= (u64)WIRE_PY_NO_CODE << 32;
		identity = mix(identity, id);
	}
	s->identity = identity;
	return s->verify_at >= s->elements;
}

/* Appends a str's characters at s->capture[at]; returns how many bytes. */
static __always_inline u32 capture_text(struct scratch *s, struct wire_python_config *p, u32 at,
					u64 text, u32 limit, struct wire_text *out)
{
	u64 length = 0;
	u32 state = TEXT_STATE_BYTES << (p->str_kind_shift & 31);

	out->bytes = 0;
	out->kind = 1;
	out->flags = WIRE_TEXT_FAULT;
	out->length = 0;
	if (bpf_probe_read_user(&length, 8, (void *)(text + p->str_length)) ||
	    (p->str_state != 0xffff &&
	     bpf_probe_read_user(&state, 4, (void *)(text + p->str_state))))
		return 0;
	state >>= p->str_kind_shift & 31;
	u64 bytes = length * (state & 7);
	out->kind = state & 7;
	out->length = length;
	out->flags = p->str_state == 0xffff ? WIRE_TEXT_BYTES : 0;
	if (bytes > limit) {
		bytes = limit;
		out->flags |= WIRE_TEXT_CUT;
	}
	u32 n = bytes;
	FORGET(n);
	n &= 0x3ff;
	u8 *to = s->capture;
	u64 offset = at;
	ADD_MASKED(to, offset, 0xfff);
	u64 data = text + (state >> 4 & 1 ? p->str_ascii_data : p->str_compact_data);
	if (n && bpf_probe_read_user(to, n, (void *)data)) {
		out->flags |= WIRE_TEXT_FAULT;
		return 0;
	}
	out->bytes = n;
	return n;
}

static __always_inline u32 capture_table(struct scratch *s, struct wire_python_config *p, u32 at,
					 u64 table, struct wire_code *out)
{
	u64 size = 0;

	out->linetable_bytes = 0;
	out->linetable_size = 0;
	if (bpf_probe_read_user(&size, 8, (void *)(table + p->bytes_size))) {
		out->flags = WIRE_CODE_FAULT;
		return 0;
	}
	out->linetable_size = size > 0xffffffffu ? 0xffffffffu : size;
	if (size > WIRE_MAX_LINETABLE_BYTES)
		size = WIRE_MAX_LINETABLE_BYTES;
	u32 n = size;
	FORGET(n);
	n &= 0x7ff;
	u8 *to = s->capture;
	u64 offset = at;
	ADD_MASKED(to, offset, 0xfff);
	if (n && bpf_probe_read_user(to, n, (void *)(table + p->bytes_data))) {
		out->flags = WIRE_CODE_FAULT;
		return 0;
	}
	out->linetable_bytes = n;
	return n;
}

/* 0 if the process may capture another code object in this second. */
static __always_inline int capture_over_rate(struct scratch *s)
{
	u32 slot = (s->process.proc * 0x9E3779B97F4A7C15ull) >> 54;
	struct capture_rate *rate = bpf_map_lookup_elem(&capture_rates, &slot);
	u64 second = s->record.tick.time_ns >> 30;

	if (!rate)
		return 0;
	if (rate->second != second) {
		rate->second = second;
		rate->count = 0;
	}
	return rate->count++ >= CODES_PER_SECOND;
}

/* Sends one code object. Returns 0 once the ring has it, or the fault. A function of its own, like
 * code_lookup(). */
__noinline u32 capture_code(u64 code, u64 id, u64 frame)
{
	struct scratch *s = this_scratch();
	struct wire_counters *c = this_counters();

	if (!s || !c)
		return WIRE_FAULT_PY_CAPTURE_FAULT;
	struct wire_python_config *p = py_config(s);
	if (!p)
		return WIRE_FAULT_PY_CAPTURE_FAULT;
	u8 *head = s->py + PY_CODE;
	struct wire_code *out = (struct wire_code *)s->capture;

	if (bpf_probe_read_user(head, CODE_HEAD_BYTES, (void *)(code + p->code_flags)))
		return WIRE_FAULT_PY_CAPTURE_FAULT;
	u64 low = p->code_flags;
	out->type = WIRE_TYPE_CODE;
	out->cpu = 0;
	out->flags = 0;
	out->time_ns = s->record.tick.time_ns;
	out->proc = s->process.proc;
	out->id = id;
	out->address = code;
	out->tgid = s->record.tick.tgid;
	out->first_line = py_load(head, p->code_first_line - low, 0x7c);
	out->version_slot = p->version;
	out->owner_bytes = 0;
	out->argument = out->argument_type = 0;
	u64 name = py_load(head, p->code_qualname - low, 0x78);
	u64 file = py_load(head, p->code_filename - low, 0x78);
	u64 table = py_load(head, p->code_linetable - low, 0x78);
	u32 at = sizeof(*out);
	at += capture_text(s, p, at, name, WIRE_MAX_NAME_BYTES, &out->qualname);
	at += capture_text(s, p, at, file, WIRE_MAX_PATH_BYTES, &out->filename);
	at += capture_table(s, p, at, table, out);
	if ((out->qualname.flags | out->filename.flags) & WIRE_TEXT_FAULT || out->flags)
		c->faults[WIRE_FAULT_PY_CAPTURE_FAULT]++;
	if (p->chain == WIRE_PY_CHAIN_OBJECTS)
		at += capture_owner(code, frame, at);
	FORGET(at);
	at &= 0xfff;
	if (bpf_ringbuf_output(&samples, s->capture, at, BPF_RB_NO_WAKEUP))
		return WIRE_FAULT_LOST_CODE;
	c->code_records++;
	return 0;
}

/* Returns 1 when all are done. */
static __always_inline int capture_codes(struct scratch *s, struct wire_counters *c)
{
	u32 one = 1;

	NO_UNROLL
	for (u32 i = 0; i < CODES_PER_PROGRAM; i++) {
		u64 at = *(volatile u32 *)&s->capture_at;
		if (at >= s->new_codes)
			break;
		s->capture_at = at + 1;
		u64 this = at;
		struct new_code *nc = s->new_code;
		ADD_INDEX16(nc, at, MAX_NEW_CODES);
		u64 code = nc->code;
		struct code_key key = {.proc = s->process.proc, .id = nc->id};
		if (bpf_map_lookup_elem(&codes, &key))
			continue; /* twice in one stack */
		u32 fault = capture_over_rate(s) ? WIRE_FAULT_PY_CAPTURE_RATE :
						   capture_code(code, key.id, new_code_frame(s, this)->a);
		if (fault) {
			count_fault(c, fault);
			s->uncaptured = 1;
			code_cache_slot(s, code)->code = 0; /* the next sample tries again */
			continue;
		}
		bpf_map_update_elem(&codes, &key, &one, BPF_ANY);
	}
	return s->capture_at >= s->new_codes;
}

#endif
