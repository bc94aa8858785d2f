/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Stands in for bpf_helpers.h and bpf_core_read.h when the programs are compiled by gcc. Kernel
 * structs are those of kernel_types.h, as plain memory.
 */
#ifndef PYEBPF_FAKE_BPF_H
#define PYEBPF_FAKE_BPF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "bpf/kernel_types.h"
#pragma GCC diagnostic pop

#include "tests/bpf/host/host_api.h"

#define SEC(name)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value)* name

#define bpf_map_lookup_elem(map, key) fake_map_lookup(map, key)
#define bpf_map_update_elem(map, key, value, flags) fake_map_update(map, key, value, flags)
#define bpf_map_delete_elem(map, key) fake_map_delete(map, key)
#define bpf_probe_read_user(to, bytes, from) fake_read_user(to, bytes, (uintptr_t)(from))
#define bpf_probe_read_user_str(to, bytes, from) fake_read_user_str(to, bytes, (uintptr_t)(from))
#define bpf_ringbuf_output(map, data, bytes, flags) \
  ((void)(flags), fake_ring_output(map, data, bytes))
#define bpf_get_stack(ctx, to, bytes, flags) ((void)(ctx), fake_kernel_stack(to, bytes))
#define bpf_ktime_get_ns() fake_time_ns()
#define bpf_get_smp_processor_id() 0u
#define bpf_seq_write(seq, data, bytes) ((void)(seq), fake_ring_output(0, data, bytes))

/* programs.c */
uint64_t bpf_get_current_pid_tgid(void);
void* bpf_get_current_task(void);
void* bpf_get_current_task_btf(void);
void* bpf_task_pt_regs(void* task);
void bpf_tail_call(void* ctx, const void* map, uint32_t index);

/* Kernel memory is ours; only what stems from a null pointer faults. */
static inline long bpf_probe_read_kernel(void* to, uint32_t bytes, const void* from) {
  if ((uintptr_t)from < 4096) {
    memset(to, 0, bytes);
    return -14;
  }
  memcpy(to, from, bytes);
  return 0;
}

#define FAKE_READ(from, member)                                                  \
  ({                                                                             \
    typeof(from) from_ = (from);                                                 \
    typeof(from_->member) value_;                                                \
    bpf_probe_read_kernel(&value_, sizeof(value_),                               \
                          from_ ? (const void*)&from_->member : (const void*)0); \
    value_;                                                                      \
  })
#define FAKE_READ_1(from, a) FAKE_READ(from, a)
#define FAKE_READ_2(from, a, b) FAKE_READ(FAKE_READ(from, a), b)
#define FAKE_READ_3(from, a, b, c) FAKE_READ(FAKE_READ_2(from, a, b), c)
#define FAKE_READ_4(from, a, b, c, d) FAKE_READ(FAKE_READ_3(from, a, b, c), d)
#define FAKE_PICK(a, b, c, d, name, ...) name
#define BPF_CORE_READ(from, ...)                                                \
  FAKE_PICK(__VA_ARGS__, FAKE_READ_4, FAKE_READ_3, FAKE_READ_2, FAKE_READ_1, 0) \
  (from, __VA_ARGS__)

#define bpf_core_field_exists(field) 1
#define bpf_core_enum_value(type, value) (value)
#define bpf_core_type_size(type) sizeof(type)
/* The array members that programs take the offset of, told apart by type. */
#define bpf_core_field_offset(field) \
  _Generic((field), \
		struct upid *: offsetof(struct pid, numbers), \
		char *: offsetof(struct task_struct, comm), \
		struct cgroup_subsys_state **: offsetof(struct css_set, subsys))

#endif
