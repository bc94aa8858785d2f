/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 3: CPython up to 3.10. Its frames are objects on the heap, read one by one; each is an
 * activation of the eval loop of its own. Code objects have no qualified name: what leads to the class
 * of a method is captured with them.
 */
#ifndef PYEBPF_PYTHON_LEGACY_BPF_H
#define PYEBPF_PYTHON_LEGACY_BPF_H

#include "python_unwind.bpf.h"

#define OBJECT_FRAME_BYTES 128 /* of PyFrameObject, which has over 350: f_lasti is the last we read */
#define OBJECT_TYPE 8          /* PyObject.ob_type */
#define OBJECT_TUPLE_ITEM 24   /* PyTupleObject.ob_item */
#define OBJECT_CELL_REF 16     /* PyCellObject.ob_ref */
#define OBJECT_TYPE_NAME 24    /* PyTypeObject.tp_name */
#define OBJECT_TYPE_FLAGS 168  /* PyTypeObject.tp_flags */
#define OBJECT_IS_TYPE (1ull << 31)
#define OBJECT_CELLS 8         /* cells that are searched for an argument */

/* Where the frame object of an element is remembered. */
static __always_inline u64 *object_frame_slot(struct scratch *s, u32 element)
{
	u64 offset = (u64)element << 3;
	u64 *slot = s->frames;

	ADD_MASKED(slot, offset, (PY_FRAME_OBJECTS - 1) << 3);
	return slot;
}

static __always_inline u64 object_frame_at(struct scratch *s, u32 element)
{
	return *object_frame_slot(s, element);
}

static __always_inline struct element *new_code_frame(struct scratch *s, u64 n)
{
	struct element *e = s->new_frame;

	ADD_INDEX16(e, n, MAX_NEW_CODES);
	return e;
}

/* One frame, like py_step(). */
static __always_inline int object_step(struct scratch *s, struct wire_python_config *p, u64 *hash)
{
	u64 frame = s->frame;
	if (!frame)
		return PY_ROOT;
	if (bpf_probe_read_user(s->py, OBJECT_FRAME_BYTES, (void *)frame)) {
		s->record.python_end = WIRE_FAULT_PY_FRAME_FAULT;
		return PY_STOP;
	}
	u32 n = s->elements;
	FORGET(n);
	if (s->python_count >= WIRE_MAX_PYTHON_FRAMES - 1 || n >= MAX_ELEMENTS - 2) {
		s->record.python_end = WIRE_FAULT_PY_DEPTH;
		return PY_STOP;
	}
	u64 code = py_load(s->py, p->frame_code, 0x78);
	s32 lasti = (u32)py_load(s->py, p->frame_ip, 0x7c) << (p->lasti_shift & 1);
	lasti += lasti >> 31; /* not begun is -1 there, which is WIRE_PY_ENTRY here */
	u64 keyed = (u32)lasti;
	*object_frame_slot(s, n) = frame;
	s->elements = n + 1;
	s->python_count++;
	py_put(s, n, code, (u32)lasti | (u64)WIRE_PY_ACTIVATION << 32);
	if (!s->seen_code) {
		s->record.tick.leaf_lasti = lasti;
		s->seen_code = 1;
		keyed = 0; /* the leaf's position travels in the tick */
	}
	*hash = mix(*hash, code + (keyed << 48) + keyed);
	s->frame = py_load(s->py, p->frame_previous, 0x78);
	return PY_STEP;
}

/* Returns PY_STEP if the budget was used up with frames left. */
static __always_inline int object_walk(struct scratch *s, struct wire_python_config *p)
{
	u64 hash = s->hash;
	int state = PY_STEP;

	NO_UNROLL
	for (int i = 0; i < OBJECTS_PER_PROGRAM; i++) {
		state = object_step(s, p, &hash);
		if (state != PY_STEP)
			break;
	}
	s->hash = hash;
	return state;
}

enum argument_kind { ARGUMENT_OTHER, ARGUMENT_SELF, ARGUMENT_CLS };

/* What the first argument of a code object is called. */
static __always_inline int object_argument_kind(struct scratch *s, struct wire_python_config *p, u64 code)
{
	u64 *words = (u64 *)(s->py + PY_WORDS);
	u64 names = 0, name = 0;
	u32 count = 0;

	words[0] = words[1] = 0;
	if (bpf_probe_read_user(&count, 4, (void *)(code + p->code_argcount)) || !count ||
	    bpf_probe_read_user(&names, 8, (void *)(code + p->code_varnames)) ||
	    bpf_probe_read_user(&name, 8, (void *)(names + OBJECT_TUPLE_ITEM)) ||
	    bpf_probe_read_user(words, 8, (void *)(name + p->str_length)) ||
	    bpf_probe_read_user(words + 1, 4, (void *)(name + p->str_ascii_data)))
		return ARGUMENT_OTHER;
	u64 length = words[0];
	u32 text = words[1];
	if (length == 4 && text == 0x666c6573) /* "self" */
		return ARGUMENT_SELF;
	return length == 3 && (text & 0xffffff) == 0x736c63 /* "cls" */ ? ARGUMENT_CLS : ARGUMENT_OTHER;
}

/* The first argument where a closure uses it: in a cell, its own slot is empty. 0 = not found. */
static __always_inline u64 object_argument_in_cell(struct scratch *s, struct wire_python_config *p,
						   u64 code, u64 locals)
{
	u64 map = 0, cell = 0, argument = 0;
	u32 count = 0;

	if (p->code_cell2arg == 0xffff ||
	    bpf_probe_read_user(&map, 8, (void *)(code + p->code_cell2arg)) || !map ||
	    bpf_probe_read_user(&count, 4, (void *)(code + p->code_nlocals)))
		return 0;
	NO_UNROLL
	for (u32 i = 0; i < OBJECT_CELLS; i++) {
		u8 index = 1; /* of the argument that the cell holds; its first byte tells */
		if (bpf_probe_read_user(&index, 1, (void *)(map + i * p->cell2arg_bytes)))
			return 0;
		if (index)
			continue;
		if (bpf_probe_read_user(&cell, 8, (void *)(locals + 8 * ((u64)count + i))) ||
		    bpf_probe_read_user(&argument, 8, (void *)(cell + OBJECT_CELL_REF)))
			return 0;
		return argument;
	}
	return 0;
}

/* What tells the class that a method belongs to: its first argument, that one's type and the class's
 * name, which is put at s->capture[at]. Returns the bytes of the name. */
__noinline u32 capture_owner(u64 code, u64 frame, u32 at)
{
	struct scratch *s = this_scratch();
	struct wire_python_config *p = s ? py_config(s) : 0;

	if (!p)
		return 0;
	struct wire_code *out = (struct wire_code *)s->capture;
	int kind = object_argument_kind(s, p, code);
	if (kind == ARGUMENT_OTHER)
		return 0;
	out->flags |= WIRE_CODE_METHOD;
	u64 argument = 0, type = 0, flags = 0, name = 0;
	if (bpf_probe_read_user(&argument, 8, (void *)(frame + p->frame_locals)))
		return 0;
	if (!argument)
		argument = object_argument_in_cell(s, p, code, frame + p->frame_locals);
	if (!argument || bpf_probe_read_user(&type, 8, (void *)(argument + OBJECT_TYPE)))
		return 0;
	out->argument = argument;
	out->argument_type = type;
	if (kind == ARGUMENT_CLS && !bpf_probe_read_user(&flags, 8, (void *)(type + OBJECT_TYPE_FLAGS)) &&
	    flags & OBJECT_IS_TYPE)
		type = argument;
	if (bpf_probe_read_user(&name, 8, (void *)(type + OBJECT_TYPE_NAME)))
		return 0;
	u8 *to = s->capture;
	u64 offset = at;
	ADD_MASKED(to, offset, 0xfff);
	s64 bytes = bpf_probe_read_user_str(to, WIRE_MAX_OWNER_BYTES, (void *)name);
	if (bytes <= 1 || bytes > WIRE_MAX_OWNER_BYTES)
		return 0;
	out->owner_bytes = bytes - 1;
	return bytes - 1;
}

#endif
