/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Everything both sides see: ring records, map values, limits and the one list of fault reasons.
 * Compiled by clang for BPF, by gcc as C for the host tests and by g++ for userspace.
 * Every struct has a fixed size and no implicit padding.
 */
#ifndef PYEBPF_WIRE_H
#define PYEBPF_WIRE_H

#ifdef __bpf__
#include "kernel_types.h"
#else
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define WIRE_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " changed its size")
#else
#define WIRE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#endif

/* ---- limits ---------------------------------------------------------------------------------- */
#define WIRE_MAX_KERNEL_FRAMES 127  /* kernel default of kernel.perf_event_max_stack */
#define WIRE_MAX_NATIVE_FRAMES 2176 /* 17 programs of 128 frames */
#define WIRE_MAX_PIECE_BYTES 16384  /* of a user stack whose unwind goes on in userspace */
#define WIRE_MAX_PYTHON_FRAMES 1536 /* entry frames included */
#define WIRE_MAX_MAPPINGS 4096      /* executable mappings of one process */
#define WIRE_MAX_NAME_BYTES 512     /* qualname bytes captured (raw, kind 1/2/4 per character) */
#define WIRE_MAX_PATH_BYTES 768     /* file name bytes captured */
#define WIRE_MAX_LINETABLE_BYTES 1024
#define WIRE_MAX_OWNER_BYTES 256    /* of a class's name */
#define WIRE_MAX_TASK_BYTES 96      /* asyncio task name bytes captured */
#define WIRE_MAX_STATE_BYTES 2047   /* of a thread state, and of an interpreter state, that are read */
#define WIRE_COMM_LEN 16
#define WIRE_ROW_CHUNK 1024   /* 4-byte rows in one chunk (4 KiB) */
#define WIRE_BANK_CHUNKS 1024 /* chunks in one array of rows */
#define WIRE_ROW_BANKS 16     /* 24 bits of an index entry */
#define WIRE_PAGE_BITS 9     /* the row index has one entry per 512 bytes of text */
#define WIRE_DICT_RULES 4096 /* unwind rules that do not fit in 16 bits, shared by all files */

/* ---- why something is missing ------------------------------------------------------------------
 * X(NAME, "label", "help"). One per-CPU slot in BPF and one label value of
 * pyebpf_prof_faults_total{reason=...} each. "outcome" entries are the fate of one tick: each tick
 * counts exactly one of them, so that their sum is the number of kernel ticks.
 */
#define WIRE_OUTCOMES(X) \
	X(TICK, "tick", "known stack, sent as a tick record") \
	X(STACK, "stack", "new stack, sent with its frames") \
	X(IDLE, "idle", "the CPU was idle") \
	X(FILTERED, "filtered", "process not asked for") \
	X(LOST_TICK, "lost_tick", "ring full, tick record lost") \
	X(LOST_STACK, "lost_stack", "ring full, stack record lost") \
	X(LOST_PROGRAM, "lost_program", "tail call or scratch look-up failed in the kernel")

#define WIRE_FAULTS(X) \
	X(PROC_UNKNOWN, "process_unknown", "no tables yet for the process") \
	X(PROC_STALE, "process_stale", "tables were of an older image of the process") \
	X(NATIVE_NO_MAPPING, "native_no_mapping", "program counter outside every known mapping") \
	X(NATIVE_NO_RULE, "native_no_rule", "no unwind rule for the program counter") \
	X(NATIVE_RULE, "native_rule", "unwind rule of a kind that is not supported") \
	X(NATIVE_UNREAD, "native_unread", "unwind rules of the file are still being read") \
	X(NATIVE_FAULT, "native_fault", "stack page not resident") \
	X(NATIVE_CFA, "native_cfa", "frame address did not grow") \
	X(NATIVE_DEPTH, "native_depth", "more native frames than the limit") \
	X(NATIVE_REGS, "native_regs", "user registers not readable from kernel mode") \
	X(PY_NO_STATE, "python_no_state", "thread without a Python thread state") \
	X(PY_STATE_FAULT, "python_state_fault", "thread state not readable") \
	X(PY_STATE_OTHER, "python_state_other", "thread state of another thread") \
	X(PY_FRAME_FAULT, "python_frame_fault", "frame page not resident") \
	X(PY_DEPTH, "python_depth", "more Python frames than the limit") \
	X(PY_CODE_FAULT, "python_code_fault", "code object not readable") \
	X(PY_CAPTURE_CAP, "python_capture_cap", "more new code objects than one sample may capture") \
	X(PY_CAPTURE_RATE, "python_capture_rate", "process over its rate of new code objects") \
	X(PY_CAPTURE_FAULT, "python_capture_fault", "name or line table page not resident") \
	X(LOST_CODE, "lost_code", "ring full, code object record lost") \
	X(PY_TASK_FAULT, "python_task_fault", "name of the running asyncio task not readable") \
	X(LOST_TASK, "lost_task", "ring full, name of an asyncio task lost") \
	X(LOST_PROC, "lost_process", "event ring full, process event lost") \
	X(PROC_TABLE_FULL, "process_table_full", "kernel process table full") \
	X(STACKS_FULL, "stacks_full", "stack sent without being interned") \
	X(CPU_TABLE_FULL, "cpu_table_full", "CPU time of a thread charged to no one, table full")

enum wire_outcome {
#define X(name, label, help) WIRE_OUT_##name,
	WIRE_OUTCOMES(X)
#undef X
	WIRE_OUT_COUNT
};

enum wire_fault {
	WIRE_FAULT_NONE,
#define X(name, label, help) WIRE_FAULT_##name,
	WIRE_FAULTS(X)
#undef X
	WIRE_FAULT_COUNT
};
#define WIRE_FAULT_SLOTS 32 /* power of two, at least WIRE_FAULT_COUNT: the kernel masks with it */

/* ---- ring records ------------------------------------------------------------------------------ */
enum wire_type {
	WIRE_TYPE_TICK = 1,
	WIRE_TYPE_STACK = 2,
	WIRE_TYPE_CODE = 3,
	WIRE_TYPE_PROC = 4,
	WIRE_TYPE_TASK = 5,
};

/* wire_tick.flags */
#define WIRE_TICK_KERNEL 1u /* leaf_ip is a kernel address */
#define WIRE_TICK_PYTHON 2u /* leaf_lasti is valid */
#define WIRE_TICK_GIL_SHIFT 2 /* three bits: enum wire_gil */
#define WIRE_TICK_GC_SHIFT 5  /* two bits: enum wire_gc */
#define WIRE_TICK_INTERPRETER 0x80u /* the upper 16 bits are the interpreter's id, 0xffff = that or more */
#define WIRE_TICK_USDT_GC_SHIFT 9      /* two bits: enum wire_gc, by the probes of USDT, for this thread */
#define WIRE_TICK_USDT_IMPORT_SHIFT 11 /* two bits: enum wire_gc, whether it imports a module */
#define WIRE_TICK_TASK 0x100u       /* an asyncio task runs: 8 bytes follow, the id of its name */
#define WIRE_TICK_INTERPRETER_SHIFT 16

enum wire_gil {
	WIRE_GIL_UNKNOWN,  /* not a Python thread, or its state could not be read */
	WIRE_GIL_HELD,
	WIRE_GIL_RELEASED, /* runs without it: released, or still to get it */
	WIRE_GIL_WANTED,   /* asked for it and has not got it; only 3.15 on says so */
	WIRE_GIL_FREE,     /* runs Python without a GIL: free-threaded */
};

/* Whether the thread itself is in the cyclic garbage collector. */
enum wire_gc {
	WIRE_GC_UNKNOWN,
	WIRE_GC_IDLE,
	WIRE_GC_RUNNING,
};

/* A sample of a stack userspace already has. Also the head of the full record. What differs between
 * samples of one stack travels here: position, GIL, GC, interpreter, and behind it the task. */
struct wire_tick {
	__u16 type; /* enum wire_type, first in every record */
	__u16 cpu;
	__u32 flags;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 stack_key;
	__u64 proc; /* process generation: tgid, start time and exec id, hashed */
	__u32 tgid;
	__u32 tid;
	__u64 leaf_ip;     /* innermost PC, kernel or user; not part of the key */
	__u32 leaf_lasti;  /* bytecode offset of the innermost Python frame; not part of the key */
	__u32 map_gen;     /* generation of the mapping table that was used, 0 = none */
	__u64 weight_ns;   /* sampling period this sample stands for */
};
WIRE_ASSERT_SIZE(struct wire_tick, 64);

/* One native frame. [cfa of the frame below, cfa) is its stack range. */
struct wire_native {
	__u64 pc;  /* leaf: the PC; others: return address (look up pc - 1 unless after_signal) */
	__u64 cfa; /* canonical frame address, 0 if the unwind ended here; bit 0: pc is exact, do not subtract 1 */
};
WIRE_ASSERT_SIZE(struct wire_native, 16);

#define WIRE_PY_ENTRY 0xffffffffu /* wire_python.lasti of an entry frame */

/* One element of the Python chain: a code frame or a C-stack entry frame. */
struct wire_python {
	__u64 id;    /* code identity, or for an entry frame its address on the C stack */
	__u32 lasti; /* bytecode offset in bytes; may be negative before the first instruction */
	__u32 flags; /* WIRE_PY_NO_CODE, WIRE_PY_ACTIVATION; bits 16 up: the kernel's own */
};
#define WIRE_PY_NO_POSITION 0x7ffffffeu /* lasti that could not be read: no line has it */
#define WIRE_PY_NO_CODE 1u    /* the code object could not be read, id is its address */
#define WIRE_PY_ACTIVATION 2u /* <= 3.10: the frame is an activation of the eval loop of its own */
WIRE_ASSERT_SIZE(struct wire_python, 16);

/* wire_stack.flags */
#define WIRE_STACK_UNINTERNED 1u /* the kernel did not keep the key: it will be sent again */

/*
 * A new stack: this head, then kernel[n_kernel] (u64, leaf first, padded to an even count),
 * native[n_native] and python[n_python], innermost first, and the piece of stack.
 */
struct wire_stack {
	struct wire_tick tick;
	__u64 task; /* directly behind the tick: see WIRE_TICK_TASK; 0 = not readable */
	char comm[WIRE_COMM_LEN];
	__u16 n_kernel;
	__u16 n_native;
	__u16 n_python;
	__u8 native_end; /* enum wire_fault: why the native part was cut, 0 = reached the root */
	__u8 python_end; /* enum wire_fault: why the Python part was cut, 0 = reached the root */
	__u64 cgroup_id;
	__u32 flags;
	__u32 piece_bytes; /* behind the Python part: user stack from piece_sp on, 0 = none was sent */
	__u64 sp;       /* user stack pointer of the leaf */
	__u64 bytes;    /* whole record */
	__u64 piece_sp; /* registers of the last native frame, for who goes on with the unwind */
	__u64 piece_bp;
};
WIRE_ASSERT_SIZE(struct wire_stack, 144);

/* A string object as CPython stores it. */
struct wire_text {
	__u16 bytes; /* captured */
	__u8 kind;   /* bytes per character: 1 (Latin-1 or ASCII), 2, 4 */
	__u8 flags;  /* WIRE_TEXT_* */
	__u32 length; /* characters in the object */
};
#define WIRE_TEXT_CUT 1u   /* longer than the limit */
#define WIRE_TEXT_FAULT 2u /* page not resident */
#define WIRE_TEXT_BYTES 4u /* not characters but bytes: UTF-8 by custom (2.7) */
WIRE_ASSERT_SIZE(struct wire_text, 8);

/* A code object at first sight: this head, then qualname, filename, line table and owner bytes. */
struct wire_code {
	__u16 type;
	__u16 cpu;
	__u32 flags; /* WIRE_CODE_* */
	__u64 time_ns;
	__u64 proc;
	__u64 id;   /* content identity used by wire_python.id */
	__u64 address; /* of the object, for userspace to read what was not captured */
	__u32 tgid;
	__u32 first_line;
	struct wire_text qualname; /* <= 3.10: co_name */
	struct wire_text filename;
	__u32 linetable_bytes; /* captured */
	__u32 linetable_size;  /* of the object */
	__u32 version_slot;    /* CPython version, major << 8 | minor: the line table's format */
	__u32 owner_bytes;     /* captured of the class's name */
	/* <= 3.10, of the first argument if it is called self or cls: what the class that owns the method is
	 * found by. 0 = no such argument, or gone. */
	__u64 argument;
	__u64 argument_type;
};
#define WIRE_CODE_FAULT 1u
#define WIRE_CODE_METHOD 2u /* the first argument is called self or cls */
WIRE_ASSERT_SIZE(struct wire_code, 96);

/* The name of an asyncio task, sent before ticks that have its id. It is sent again every 8.6 s, so
 * that userspace may forget it. */
struct wire_task {
	__u16 type;
	__u16 cpu;
	__u32 pad;
	__u64 time_ns;
	__u64 proc;
	__u64 id;     /* hash of what follows: equal names have one id */
	__u64 number; /* never named by anyone: counts tasks; then the name has no characters */
	struct wire_text name;
	__u8 text[WIRE_MAX_TASK_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_task, 144);

enum wire_proc_kind {
	WIRE_PROC_FORK = 1,
	WIRE_PROC_EXEC = 2,
	WIRE_PROC_EXIT = 3,
	WIRE_PROC_SCAN = 4, /* from the task iterator at start-up */
};

/* What happened to a process (thread group); also what the task iterator prints. */
struct wire_proc {
	__u16 type;
	__u16 kind; /* enum wire_proc_kind */
	__u32 tgid;
	__u64 time_ns;
	__u64 proc;        /* generation */
	__u64 start_ns;    /* start of the group leader, CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u64 parent_proc; /* fork: generation of the parent */
	__u32 parent_tgid;
	__u32 ns_tgid;     /* in its own PID namespace */
	__u64 exec_id;
	__u64 stack_top;   /* mm->start_stack */
	__u32 is_kernel_thread;
	__u32 pad;
	char comm[WIRE_COMM_LEN];
};
WIRE_ASSERT_SIZE(struct wire_proc, 96);

/* ---- map values ---------------------------------------------------------------------------------- */
/* targets: tgid -> bits */
#define WIRE_TARGET_SAMPLE 1u
#define WIRE_TARGET_USDT_GC 2u     /* its probes of the collector are attached ... */
#define WIRE_TARGET_USDT_IMPORT 4u /* ... those of imports */

#define WIRE_NO_SLOT 0xffffffffu

/* procs: tgid -> what the unwinders need. Compared with the running task at every sample. */
struct wire_process {
	__u64 proc;      /* generation these tables belong to */
	__u64 stack_top; /* upper bound of the main thread's stack window */
	__u32 map_first; /* range in `mappings`, sorted by start */
	__u32 map_count;
	__u32 map_gen;   /* never reused */
	__u32 python;    /* slot in `pythons`, WIRE_NO_SLOT = not a Python process */
};
WIRE_ASSERT_SIZE(struct wire_process, 32);

/* mappings: one executable mapping. */
struct wire_mapping {
	__u64 start;
	__u64 end;
	__u64 bias;       /* pc - bias = address in the row index's own space (0 = first indexed byte) */
	__u32 index_first; /* first entry in `row_index` */
	__u32 kind;       /* enum wire_mapping_kind */
};
WIRE_ASSERT_SIZE(struct wire_mapping, 32);

enum wire_mapping_kind {
	WIRE_MAP_NONE = 0,   /* no rows: frame pointers are tried */
	WIRE_MAP_ROWS = 1,
	WIRE_MAP_UNREAD = 2, /* its file is being read */
};

/*
 * row_index: one u32 per 512 bytes of text: first row << 8 | row count. The first row of a page is
 * the rule in force at its start. All rows of a page lie in one 4 KiB chunk.
 * rows: one u32 each: low 16 bits of the address << 16 | rule. Addresses inside a page, low 16 bits
 * of (pc - bias).
 * A 16-bit rule: bits 0-1: 0 rsp-based, 1 rbp-based, 2 dictionary (bits 2-15 the index);
 * for 0 and 1: bits 2-11 CFA offset / 8, bits 12-15 distance of the saved rbp below the CFA / 8, 0 = not saved.
 */
struct wire_chunk {
	__u32 u[WIRE_ROW_CHUNK];
};
WIRE_ASSERT_SIZE(struct wire_chunk, 4096);

/* A rule in full, as in the dictionary and the per-CPU rule cache:
 * bits 0-3 base, 4-9 saved rbp distance / 8 (0 = not saved, 63 = at [rbp]), 10-31 signed CFA offset / 8.
 */
enum wire_rule_base {
	WIRE_RULE_RSP = 0,
	WIRE_RULE_RBP = 1,
	WIRE_RULE_RBP_DEREF = 2, /* CFA = *(rbp + offset): realigned stacks */
	WIRE_RULE_PLT = 3,       /* CFA = rsp + 8 + 8 * ((pc & 15) >= threshold); offset field = threshold */
	WIRE_RULE_SIGNAL = 4,    /* rt_sigreturn frame: registers from the ucontext */
	WIRE_RULE_STOP = 5,      /* return address undefined: the root */
	WIRE_RULE_NONE = 6,      /* no information here */
	WIRE_RULE_OTHER = 7,     /* known, but of a kind that is not supported */
};
struct wire_dict {
	__u32 u[WIRE_DICT_RULES];
};
#define WIRE_RULE_MISSING 0xffffffffu

enum wire_py_state {
	WIRE_PY_STATE_KEY_GLIBC = 1, /* pthread key, glibc's two-level table */
	WIRE_PY_STATE_KEY_MUSL = 2,  /* pthread key, musl's flat table */
	WIRE_PY_STATE_TLS = 3,       /* thread-local variable at a constant distance from the thread pointer */
	WIRE_PY_STATE_LIST = 4,      /* 2.7: no key that can be read, the interpreters' lists of threads */
	WIRE_PY_STATE_DTV = 5,       /* thread-local variable of a library, in its block of the dynamic thread vector */
};

/* How frames are linked. */
enum wire_py_chain {
	WIRE_PY_CHAIN_STACK = 0,   /* 3.11 on: structs in the data stack */
	WIRE_PY_CHAIN_OBJECTS = 1, /* <= 3.10: objects on the heap */
	WIRE_PY_CHAIN_COPIES = 2,  /* free-threaded 3.14 on: as 0, threads have bytecode of their own */
};

/* pythons: one interpreter in one address space: its offset table and where its roots are. All
 * offsets in bytes; 0xffff = the member does not exist in this version. */
struct wire_python_config {
	__u64 key_address;     /* Py_tss_t {int initialized, int key} of the GIL-state key; 3.6: the key, negative
				* before it exists; WIRE_PY_STATE_LIST: interp_head; _DTV: u64 number of the module,
				* 0 before it is loaded */
	__u64 current_address; /* <= 3.11: the state that holds the GIL; 0 = none */
	__u64 stamp_address;   /* counter of created code objects, global (3.12); 0 = none */
	__s64 tls_offset;      /* WIRE_PY_STATE_TLS: distance from the thread pointer; _DTV: offset in the block */
	__u32 stamp_offset;    /* the counter's offset in the interpreter state (3.14+); 0 = none */
	__u32 state_kind;      /* enum wire_py_state */
	/* glibc: level1 = offset of pthread.specific, data_size = 16, data_offset = 8 (value in pthread_key_data).
	 * musl: level1 = offset of tsd. WIRE_PY_STATE_DTV: level1 = offset of the vector's address, data_size of an
	 * element, whose first 8 bytes are the block's address. */
	__u16 tsd_level1;
	__u16 tsd_data_size;
	__u16 tsd_data_offset;
	__u16 version;         /* major << 8 | minor */
	/* PyThreadState */
	__u16 ts_interp;
	__u16 ts_frame;        /* current_frame (3.13+), cframe (3.11, 3.12) or frame (<= 3.10) */
	__u16 ts_chunk;        /* datastack_chunk; top and limit follow; <= 3.10: what is read ends 24 after it */
	__u16 ts_thread_id;
	/* _PyCFrame; 0xffff = no cframe */
	__u16 cframe_current;
	__u16 cframe_previous;
	/* _PyInterpreterFrame; <= 3.10: PyFrameObject, whose frame_ip is f_lasti */
	__u16 frame_code;
	__u16 frame_previous;
	__u16 frame_ip;
	__u16 frame_owner;
	__u16 frame_is_entry;  /* 3.11 */
	__u16 owner_entry;     /* owner values >= this are C-stack entry frames; 0xffff = none */
	__u16 code_tag_mask;   /* low bits of the code reference to clear (3.14+: 3) */
	/* PyCodeObject */
	__u16 code_flags;      /* co_flags; <= 3.10 the member 96 bytes before co_zombieframe */
	__u16 code_first_line;
	__u16 code_filename;
	__u16 code_qualname;   /* <= 3.10: co_name */
	__u16 code_linetable;
	__u16 code_bytes;      /* co_code_adaptive */
	/* str and bytes */
	__u16 str_length;
	__u16 str_hash;
	__u16 str_state;       /* 0xffff: a byte string (2.7) */
	__u16 str_kind_shift;
	__u16 str_ascii_data;
	__u16 str_compact_data;
	__u16 bytes_size;
	__u16 bytes_data;
	/* <= 3.10 */
	__u16 chain;           /* enum wire_py_chain */
	__u16 key_plain;       /* 3.6: the key is an int and no Py_tss_t */
	__u16 lasti_shift;     /* 1: f_lasti counts instructions (3.10) */
	__u16 interp_threads;  /* PyInterpreterState.tstate_head; its next is its first member */
	__u16 ts_next;
	__u16 frame_locals;    /* f_localsplus */
	__u16 code_argcount;
	__u16 code_nlocals;
	__u16 code_varnames;
	__u16 code_cell2arg;   /* 0xffff: arguments stay in their slots (2.7) */
	__u16 cell2arg_bytes;  /* of one element */
	/* WIRE_PY_CHAIN_COPIES */
	__u16 frame_copy;      /* s32 tlbc_index: the copy of the bytecode that frame_ip points into */
	__u16 code_copies;     /* co_tlbc: {s64 size, copies[]} */
	/* Labels; 0 = the member does not exist. PyThreadState, all within ts_bytes: */
	__u16 ts_bytes;        /* read of a thread state, at most WIRE_MAX_STATE_BYTES */
	__u16 ts_gil;          /* u32 that says whether it holds the GIL ... */
	__u16 gil_held_mask;   /* ... by these bits; none where current_address says it */
	__u16 ts_gil_wanted;   /* u32, not 0 = waits for the GIL */
	__u16 ts_attached;     /* u32, 1 = may run Python; free-threaded builds only */
	__u16 ts_task;         /* running asyncio task */
	__u16 task_name;       /* in the task object */
	/* PyInterpreterState: one read of interp_bytes at interp_first covers these, relative to it */
	__u16 interp_first;
	__u16 interp_bytes;    /* at most WIRE_MAX_STATE_BYTES, 0 = nothing known of it */
	__u16 interp_id;       /* s64; this and the next are there whenever interp_bytes is not 0 */
	__u16 interp_gc;       /* s32 gc.collecting */
	__u16 interp_stamp;    /* the counter of stamp_offset; 0 = read it on its own */
	__u32 key_plus_one;    /* written by the kernel once the key exists; 0 = not seen yet; WIRE_PY_STATE_DTV: the
				* module's number */
	__u32 pad;
};
WIRE_ASSERT_SIZE(struct wire_python_config, 160);

/* stacks: what the kernel remembers of a stack it has sent. */
struct wire_stack_state {
	__u64 stamp;    /* code-object counter at the last verification */
	__u64 identity; /* hash over the code identities */
};

/* cpu_time_*: CPU time since userspace swapped the tables. */
struct wire_cpu_key {
	__u64 proc;
	__u32 tid;
	__u32 tgid;
};
struct wire_cpu_time {
	__u64 ns;
	__u64 cgroup_id;
	char comm[WIRE_COMM_LEN];
};
WIRE_ASSERT_SIZE(struct wire_cpu_time, 32);

/* Per-CPU counters, one slot per CPU. */
struct wire_counters {
	__u64 outcomes[WIRE_OUT_COUNT];
	__u64 faults[WIRE_FAULT_SLOTS];
	__u64 ticks;            /* kernel ticks: the sum of outcomes */
	__u64 native_frames;
	__u64 python_frames;
	__u64 identity_ns;      /* spent on code identities and capture, when timing is on */
	__u64 identity_checks;
	__u64 code_records;
	__u64 stack_bytes;
	__u64 tick_bytes;
	__u64 cpu_unattributed_ns; /* CPU time that found no room in the table */
	__u64 switches;
};

#endif
