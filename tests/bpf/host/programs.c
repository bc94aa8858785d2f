/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The BPF programs, unchanged, and what the kernel does around them: the task, tail calls. */
#include <setjmp.h>

#include "bpf/all.bpf.c"

#define KERNEL_STACK_BYTES 16384
#define PT_REGS_BYTES (21 * sizeof(uint64_t))

static _Alignas(16) uint8_t kernel_stack[KERNEL_STACK_BYTES];
static struct kernfs_node task_kernfs = {.id = 4242};
static struct cgroup task_cgroup = {.kn = &task_kernfs};
static struct css_set task_cgroups = {.dfl_cgrp = &task_cgroup};

struct fake_task {
  struct task_struct task;
  struct mm_struct mm;
  struct pid pid;
  struct signal_struct signal;
};
static struct fake_task running;

static jmp_buf tail_exit;
static uint32_t tail_target;
static uint32_t tail_count;

static int (*const kTails[TAIL_COUNT])(struct bpf_perf_event_data*) = {
    [TAIL_NATIVE] = native_more,  [TAIL_PY_START] = py_start,     [TAIL_PY_WALK] = py_more,
    [TAIL_PY_VERIFY] = py_verify, [TAIL_PY_CAPTURE] = py_capture, [TAIL_EMIT] = emit_record,
    [TAIL_PY_OBJECTS] = py_objects_more,
    [TAIL_PY_COPIES] = py_copies_more,
};

uint64_t bpf_get_current_pid_tgid(void) {
  return (uint64_t)(uint32_t)running.task.tgid << 32 | (uint32_t)running.task.pid;
}

void* bpf_get_current_task(void) {
  return &running.task;
}

void* bpf_get_current_task_btf(void) {
  return &running.task;
}

void* bpf_task_pt_regs(void* of) {
  (void)of;
  return kernel_stack + KERNEL_STACK_BYTES - PT_REGS_BYTES;
}

void bpf_tail_call(void* ctx, const void* map, uint32_t index) {
  (void)ctx;
  if (map != &tails || index >= TAIL_COUNT || tail_count >= HOST_MAX_TAIL_CALLS) return;
  tail_count++;
  tail_target = index;
  longjmp(tail_exit, 1);
}

/* A thread is its own group leader here: all that is read of a leader is equal for its threads. */
static struct task_struct* fill(struct fake_task* to, const struct host_task* from) {
  memset(to, 0, sizeof(*to));
  to->mm.start_stack = from->stack_top;
  to->pid.numbers[0].nr = (int)from->tid + HOST_NAMESPACE_SHIFT;
  to->signal.live.counter = from->live_threads;
  to->task = (struct task_struct){
      .pid = (int)from->tid,
      .tgid = (int)from->tgid,
      .flags = from->kernel_thread ? PF_KTHREAD : 0,
      .stack = kernel_stack,
      .comm = "host_test",
      .start_boottime = from->start_ns,
      .self_exec_id = from->exec_id,
      .group_leader = &to->task,
      .real_parent = &to->task,
      .thread_pid = &to->pid,
      .mm = from->kernel_thread ? 0 : &to->mm,
      .cgroups = &task_cgroups,
      .signal = &to->signal,
      .se = {.sum_exec_runtime = from->run_ns},
      .thread = {.fsbase = from->fs_base},
  };
  return &to->task;
}

void host_set_task(const struct host_task* from) {
  fill(&running, from);
}

uint64_t host_generation(void) {
  return task_generation(&running.task);
}

uint64_t host_generation_of(const struct host_task* task) {
  struct fake_task made;

  return task_generation(fill(&made, task));
}

/* Calls a raw tracepoint program with up to three arguments. */
static void trace(int (*program)(struct bpf_raw_tracepoint_args*), uint64_t a, uint64_t b,
                  uint64_t c) {
  uint64_t args[] = {a, b, c};

  program((struct bpf_raw_tracepoint_args*)args);
}

void host_switch(const struct host_task* prev, const struct host_task* next) {
  struct fake_task from, to;

  fill(&from, prev);
  fill(&to, next);
  trace(on_sched_switch, 0, (uintptr_t)&from.task, (uintptr_t)&to.task);
  fill(&running, next);
}

void host_account_tick(const struct host_task* task) {
  struct bpf_perf_event_data ctx = {.sample_period = 0};

  fill(&running, task);
  on_account_tick(&ctx);
}

void host_fork(const struct host_task* parent, const struct host_task* child) {
  struct fake_task from, to;

  fill(&from, parent);
  fill(&to, child);
  trace(on_fork, (uintptr_t)&from.task, (uintptr_t)&to.task, 0);
}

void host_exec(const struct host_task* task) {
  struct fake_task made;

  trace(on_exec, (uintptr_t)fill(&made, task), 0, 0);
}

void host_exit(const struct host_task* task) {
  struct fake_task made;

  trace(on_exit, (uintptr_t)fill(&made, task), 0, 0);
}

void host_import_start(const struct host_task* task) {
  fill(&running, task);
  usdt_import_start(0);
}

void host_import_done(const struct host_task* task) {
  fill(&running, task);
  usdt_import_done(0);
}

void host_gc_start(const struct host_task* task) {
  fill(&running, task);
  usdt_gc_start(0);
}

void host_gc_done(const struct host_task* task) {
  fill(&running, task);
  usdt_gc_done(0);
}

uint32_t host_usdt_flags(const struct host_task* task) {
  struct wire_tick tick = {.tid = task->tid};

  fill(&running, task);
  tick_usdt(&tick, &running.task, WIRE_TARGET_USDT_GC | WIRE_TARGET_USDT_IMPORT);
  return tick.flags;
}

uint32_t host_tail_calls(void) {
  return tail_count;
}

void host_tick(const struct host_regs* user, uint64_t kernel_pc, uint64_t period_ns) {
  static struct bpf_perf_event_data ctx;
  struct pt_regs* saved = bpf_task_pt_regs(&running.task);

  saved->ip = user->pc;
  saved->sp = user->sp;
  saved->bp = user->bp;
  ctx.regs[REG_IP] = kernel_pc ? kernel_pc : user->pc;
  ctx.regs[REG_SP] = user->sp;
  ctx.regs[REG_BP] = user->bp;
  ctx.sample_period = period_ns;
  tail_count = 0;
  if (setjmp(tail_exit) == 0)
    on_cpu_tick(&ctx);
  else
    kTails[tail_target](&ctx);
}

uint32_t host_scratch_bytes(void) {
  return sizeof(struct scratch);
}

#define ARRAY(name, count) \
  { #name, &(name), HOST_ARRAY, sizeof(*(name).key), sizeof(*(name).value), count }
#define HASH(name, kind)                                              \
  {                                                                   \
#name, &(name), kind, sizeof(*(name).key), sizeof(*(name).value), \
        sizeof(*(name).max_entries) / sizeof(int)                     \
  }

const struct host_map* host_maps(uint32_t* count) {
  static const struct host_map maps[] = {
      ARRAY(scratches, 1),         ARRAY(counters, 1),          ARRAY(mappings, 4096),
      ARRAY(row_index, 512),       ARRAY(rows, 2048),           ARRAY(dictionary, 1),
      ARRAY(pythons, 16),          ARRAY(capture_rates, 1024),  ARRAY(cpu_slots, 1),
      ARRAY(controls, 1),          HASH(procs, HOST_HASH),      HASH(targets, HOST_HASH),
      HASH(usdt_threads, HOST_HASH),
      HASH(cpu_time_a, HOST_HASH), HASH(cpu_time_b, HOST_HASH), HASH(stacks, HOST_LRU),
      HASH(codes, HOST_LRU),
  };
  *count = sizeof(maps) / sizeof(maps[0]);
  return maps;
}
