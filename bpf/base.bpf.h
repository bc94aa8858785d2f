/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layer 1: helpers of the compiler and the verifier, tunables set before load, counting.
 * Also compiled by gcc for tests/bpf/host, where the helpers are fakes.
 */
#ifndef PYEBPF_BASE_BPF_H
#define PYEBPF_BASE_BPF_H

#include "wire.h"

#ifdef __bpf__
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#else
#include "fake_bpf.h" /* tests/bpf/host */
#endif

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define NATIVE_FRAMES_PER_PROGRAM 128
#define PYTHON_FRAMES_PER_PROGRAM 128
#define OBJECTS_PER_PROGRAM 256 /* frames of CPython <= 3.10 */
#define VERIFIED_PER_PROGRAM 512
/* The kernel allows 33 tail calls a tick. A full native part leaves seven: start, walk, look-up,
 * verification (two), capture, record. */
#define MAX_TAIL_CALLS 33
#define MAX_NEW_CODES 64     /* code objects captured by one sample */
#define CODES_PER_PROGRAM 64
#define MAX_ELEMENTS 4096    /* of 16 bytes: kernel, native and Python frames of one stack */
#define CODES_PER_SECOND 4000 /* captured for one process */
#define PIECES_PER_SECOND 100 /* of stacks, sent by one CPU */

/* ---- tunables, written by userspace before load ---- */
const volatile __u32 cfg_only_targets = 0;    /* sample only the processes in `targets` */
const volatile __u32 cfg_follow_children = 0; /* children of `targets` are targets, too */
const volatile __u32 cfg_cgroup_v1 = 0;       /* cgroup ids from the cpuacct hierarchy, not v2's */
const volatile __u32 cfg_task_pt_regs = 0;    /* bpf_task_pt_regs() exists (5.15) */
const volatile __u32 cfg_stack_bytes = 16384; /* THREAD_SIZE */
const volatile __u32 cfg_time_identity = 0;   /* measure identity_ns */
const volatile __u32 cfg_account = 1;         /* charge CPU time at context switches */

#ifdef __bpf__
/* The verifier forgets what it knows about x: states merge. */
#define FORGET(x) asm volatile("" : "+r"(x))
/* Mask and add in one asm block: 5.10 loses the bounds of a scalar that is spilled in between. */
#define ADD_MASKED(ptr, off, mask) \
	asm volatile("%0 &= %2\n\t%1 += %0" : "+r"(off), "+r"(ptr) : "i"(mask))
/* ptr += 16 * (n modulo limit), limit a power of two; n is destroyed. Without a branch: a branch
 * would leave the verifier with two ranges of n. */
#define ADD_INDEX16(ptr, n, limit) \
	asm volatile("%0 <<= 4\n\t%0 &= %2\n\t%1 += %0" \
		     : "+r"(n), "+r"(ptr) \
		     : "i"(((limit) - 1) << 4))
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#define UNROLL _Pragma("unroll")
#else
#define FORGET(x) ((void)0)
#define ADD_MASKED(ptr, off, mask) ((off) &= (mask), (ptr) = (void *)((char *)(ptr) + (off)))
#define ADD_INDEX16(ptr, n, limit) \
	((n) = ((u64)(n) << 4) & (((limit) - 1) << 4), (ptr) = (void *)((char *)(ptr) + (n)))
#define NO_UNROLL
#define UNROLL
#endif

/* Values that several paths produce go through map memory: there the verifier forgets which path
 * it took, so that a loop is checked once per iteration and not once per path. */
#define THROUGH(slot, value) ((slot) = (value), *(volatile typeof(slot) *)&(slot))

static __always_inline u64 mix(u64 hash, u64 value)
{
	hash ^= value;
	hash *= 0x9E3779B97F4A7C15ull;
	return hash ^ (hash >> 32);
}

static __always_inline void count_fault(struct wire_counters *c, u32 fault)
{
	FORGET(fault);
	fault &= WIRE_FAULT_SLOTS - 1;
	c->faults[fault]++;
}

#endif
