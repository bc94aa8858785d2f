/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Between the BPF programs compiled as plain C (programs.c) and the kernel that C++ makes up for
 * them (fake_kernel.cpp). One thread, one CPU.
 */
#ifndef PYEBPF_HOST_API_H
#define PYEBPF_HOST_API_H

#include <stdint.h>

#include "bpf/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HOST_MAX_TAIL_CALLS 33 /* MAX_TAIL_CALL_CNT of all kernels */

#define HOST_NAMESPACE_SHIFT 1000 /* an id in its own PID namespace = id + this */

/* The running task as the programs see it. */
struct host_task {
  uint32_t tgid;
  uint32_t tid;
  uint64_t start_ns;
  uint64_t exec_id;
  uint64_t fs_base;
  uint64_t stack_top;
  uint64_t run_ns;   /* se.sum_exec_runtime */
  int live_threads;  /* of its process, itself not counted once it exits */
  int kernel_thread; /* no mm */
};

struct host_regs {
  uint64_t pc, sp, bp;
};

enum host_map_kind { HOST_ARRAY, HOST_HASH, HOST_LRU };

struct host_map {
  const char* name;
  const void* map; /* what programs hand to the helpers */
  enum host_map_kind kind;
  uint32_t key_bytes, value_bytes, entries;
};

/* programs.c */
const struct host_map* host_maps(uint32_t* count);
uint32_t host_scratch_bytes(void);
void host_set_task(const struct host_task* task);
uint64_t host_generation(void); /* of the task's process */
uint64_t host_generation_of(const struct host_task* task);
/* One sampler tick. `kernel_pc` != 0: interrupted in the kernel, `user` is in the task's pt_regs.
 */
void host_tick(const struct host_regs* user, uint64_t kernel_pc, uint64_t period_ns);
uint32_t host_tail_calls(void); /* of the last tick */
/* Tracepoints, and the accounting tick of the running task. */
void host_switch(const struct host_task* prev, const struct host_task* next);
void host_account_tick(const struct host_task* running);
void host_fork(const struct host_task* parent, const struct host_task* child);
void host_exec(const struct host_task* task);
void host_exit(const struct host_task* task);
/* USDT probes that the task hits. */
void host_import_start(const struct host_task* task);
void host_import_done(const struct host_task* task);
void host_gc_start(const struct host_task* task);
void host_gc_done(const struct host_task* task);
/* What the sampler would tell of the task: wire_tick.flags. */
uint32_t host_usdt_flags(const struct host_task* task);

/* fake_kernel.cpp: what the helpers do. 0 or a negative errno. */
void* fake_map_lookup(const void* map, const void* key);
long fake_map_update(const void* map, const void* key, const void* value, uint64_t flags);
long fake_map_delete(const void* map, const void* key);
long fake_read_user(void* to, uint32_t bytes, uint64_t from);
long fake_read_user_str(void* to, uint32_t bytes, uint64_t from);
long fake_ring_output(const void* map, const void* data, uint64_t bytes);
long fake_kernel_stack(void* to, uint32_t bytes);
uint64_t fake_time_ns(void);

#ifdef __cplusplus
}
#endif

#endif
