/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 2: every map, once. Sizes marked "resized" are set by userspace before load.
 * Who writes what: hash and LRU maps have writers of one kind only, see bpf/README.md.
 */
#ifndef PYEBPF_MAPS_BPF_H
#define PYEBPF_MAPS_BPF_H

#include "base.bpf.h"

struct element {
	u64 a;
	u64 b;
};

struct rule_cache_entry {
	u64 pc;
	u32 map_gen;
	u32 rule;
};
#define RULE_CACHE_ENTRIES 1024

struct code_cache_entry {
	u64 code;
	u64 epoch;
	u64 id;
	u64 recheck;     /* see code_recheck(), 0 = none */
	u64 table_bytes; /* of the line table's object that go into it */
	u64 pad[3];      /* 64 bytes: a slot is found by a shift */
};
#define CODE_CACHE_ENTRIES 256

struct new_code {
	u64 code;
	u64 id;
};

#define TASKS_SEEN 64 /* names of asyncio tasks that a CPU remembers to have sent, a power of two */

#define NATIVE_WINDOW_BYTES 4096
#define PY_WINDOW_BYTES 4096
#define PY_SINGLE 4352 /* where single frames are read to, behind the window */
#define PY_CODE 4608   /* where code objects are read to */
#define PY_WORDS 5120  /* what goes into a code object's identity */
#define PY_BUFFER_BYTES (8192 + 256)
#define CAPTURE_BYTES 4096
#define PY_FRAME_OBJECTS 2048 /* a power of two above WIRE_MAX_PYTHON_FRAMES */

/* State of the sample in hand, one per CPU. Only the sampler's programs touch it. */
struct scratch {
	/* native unwinder */
	u64 pc, sp, bp;
	u64 look;        /* address whose rule applies: pc, or pc - 1 for a return address */
	u64 bp_address;  /* where the caller's rbp is saved, 0 = bp is it */
	u64 window_base, window_top;
	u32 window_bytes;
	u64 cfa;         /* of the frame in hand */
	u32 rule;
	u32 saved;       /* distance of its saved rbp below the CFA / 8, 0 = not saved */
	u32 native_limit; /* element index where native frames end */
	u32 last_mapping;
	u32 elements;    /* in use */
	u64 hash;
	struct wire_process process;
	/* Python unwinder */
	u64 frame;       /* next frame to visit */
	u64 chunk, chunk_bytes;
	u64 window_low, window_max; /* py window: address of byte 0, last usable frame offset */
	u64 offset;
	u64 listed_interp, listed_thread; /* see py_listed_state() */
	u64 cframe;
	u64 cframe_outer;
	u64 stamp;       /* code-object counter, 0 = unknown: verify every time */
	u64 epoch;       /* validity of the code cache */
	u64 identity;
	u64 code_id;
	u64 code_salt;   /* the object's address if part of it could not be read, else 0 */
	u64 recheck_seed; /* of the process, and of what userspace still knows */
	u64 file_name, file_text[2]; /* read last in this sample: address, length and hash */
	u64 samples;
	u64 piece_second; /* pieces of stack were sent in it */
	u64 pieces;
	u64 code_cache_salt; /* changed to empty the code cache */
	u32 python_count, verify_at;
	u32 window_want;
	u32 tail_calls;  /* made in this tick */
	u32 new_codes;
	u32 capture_at;  /* next of new_code[] */
	u32 uncaptured;
	u32 verified;
	u32 seen_code;
	u32 saw_entry;   /* the innermost activation's link was checked */
	u64 begin_hash;  /* before the first Python frame */
	u64 started_ns;
	struct new_code new_code[MAX_NEW_CODES];
	struct element new_frame[MAX_NEW_CODES]; /* <= 3.10: .a the frame object that runs new_code[] */
	u64 frames[PY_FRAME_OBJECTS]; /* <= 3.10: the frame object of each Python element */
	/* labels */
	u64 task_address; /* running asyncio task, 0 = none */
	u32 is_current;   /* the state came from current_address: it holds the GIL */
	u32 gil;          /* enum wire_gil */
	u32 interp_read;  /* the interpreter state is in py[] */
	u32 pad;
	u64 task_seen[TASKS_SEEN];
	struct wire_task task; /* read by 128 bytes of text at most: what follows is larger */
	/* record: head and elements are sent as one piece */
	struct wire_stack record;
	struct element element[MAX_ELEMENTS + 16];
	/* buffers */
	u64 window[NATIVE_WINDOW_BYTES / 8];
	struct rule_cache_entry rule_cache[RULE_CACHE_ENTRIES];
	struct code_cache_entry code_cache[CODE_CACHE_ENTRIES];
	u8 py[PY_BUFFER_BYTES];
	u8 capture[CAPTURE_BYTES + 2048];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* resized: possible CPUs */
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* resized: possible CPUs */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct wire_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* resized */
	__type(key, u32);
	__type(value, struct wire_process);
} procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
} targets SEC(".maps");

/* Threads that are between two USDT probes. */
enum usdt_what { USDT_GC, USDT_IMPORT };
struct usdt_thread {
	u64 thread; /* task_thread_generation() */
	u32 depth[2]; /* by enum usdt_what */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* resized if probes are to be attached */
	__type(key, u32);
	__type(value, struct usdt_thread);
} usdt_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536); /* resized */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct wire_mapping);
} mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512); /* resized */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct wire_chunk);
} row_index SEC(".maps");

#ifdef __bpf__
struct row_bank {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_BANK_CHUNKS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(u32)); /* without BTF types: 5.15 to 6.2 would take no bank made without them */
	__uint(value_size, sizeof(struct wire_chunk));
};

/* Userspace adds banks when rows need them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WIRE_ROW_BANKS);
	__type(key, u32);
	__array(values, struct row_bank);
} rows SEC(".maps");

static __always_inline struct wire_chunk *chunk_of_row(u32 row)
{
	u32 chunk = row / WIRE_ROW_CHUNK, bank = chunk / WIRE_BANK_CHUNKS;
	void *chunks = bpf_map_lookup_elem(&rows, &bank);

	if (!chunks)
		return 0;
	chunk &= WIRE_BANK_CHUNKS - 1;
	return bpf_map_lookup_elem(chunks, &chunk);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2048);
	__type(key, u32);
	__type(value, struct wire_chunk);
} rows SEC(".maps");

static __always_inline struct wire_chunk *chunk_of_row(u32 row)
{
	u32 chunk = row / WIRE_ROW_CHUNK;

	return bpf_map_lookup_elem(&rows, &chunk);
}
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct wire_dict);
} dictionary SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096); /* resized */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct wire_python_config);
} pythons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384); /* resized */
	__type(key, u64);
	__type(value, struct wire_stack_state);
} stacks SEC(".maps");

struct code_key {
	u64 proc;
	u64 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768); /* resized */
	__type(key, struct code_key);
	__type(value, u32);
} codes SEC(".maps");

/* Captures per process and second, hashed by process; collisions only share a limit. */
struct capture_rate {
	u64 second;
	u64 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct capture_rate);
} capture_rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* resized */
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* resized */
} events SEC(".maps");

enum {
	TAIL_NATIVE,
	TAIL_PY_START,
	TAIL_PY_WALK,
	TAIL_PY_VERIFY,
	TAIL_PY_CAPTURE,
	TAIL_EMIT,
	TAIL_PY_OBJECTS,
	TAIL_PY_COPIES,
	TAIL_COUNT
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TAIL_COUNT);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} tails SEC(".maps");

/* CPU time by thread since the last swap; two tables, so that one can be drained in peace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* resized */
	__type(key, struct wire_cpu_key);
	__type(value, struct wire_cpu_time);
} cpu_time_a SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* resized */
	__type(key, struct wire_cpu_key);
	__type(value, struct wire_cpu_time);
} cpu_time_b SEC(".maps");

/* What runs on each CPU since when. */
struct cpu_slot {
	u64 proc;
	u64 cgroup_id;
	u64 sum_ns; /* sum_exec_runtime when it was last charged */
	u32 tid;    /* 0 = idle, or not known yet */
	u32 tgid;
	char comm[WIRE_COMM_LEN];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* resized: possible CPUs */
	__type(key, u32);
	__type(value, struct cpu_slot);
} cpu_slots SEC(".maps");

/* Switched by userspace at run time; slot 0 only. */
struct control {
	u32 cpu_table; /* 0: cpu_time_a is written, 1: cpu_time_b */
	u32 codes_dropped; /* bumped when userspace took keys out of `codes` */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct control);
} controls SEC(".maps");

#define TAIL_CALL(ctx, s, slot) ((s)->tail_calls++, bpf_tail_call(ctx, &tails, slot))

static __always_inline struct scratch *this_scratch(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&scratches, &cpu);
}

static __always_inline struct wire_counters *this_counters(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&counters, &cpu);
}

#endif
