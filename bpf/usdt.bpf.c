/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * USDT probes of CPython, on request: which threads collect garbage or import a module now. A probe
 * is hit by the thread that its entry belongs to; the sampler only reads.
 */
#include "maps.bpf.h"
#include "task.bpf.h"

static __always_inline void usdt_enter(enum usdt_what what)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct usdt_thread *known = bpf_map_lookup_elem(&usdt_threads, &tid);
	struct usdt_thread mine = {
		.thread = task_thread_generation((struct task_struct *)bpf_get_current_task()),
	};

	if (known && known->thread == mine.thread)
		mine = *known;
	mine.depth[what]++;
	bpf_map_update_elem(&usdt_threads, &tid, &mine, BPF_ANY);
}

static __always_inline void usdt_leave(enum usdt_what what)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct usdt_thread *known = bpf_map_lookup_elem(&usdt_threads, &tid);

	if (!known || !known->depth[what])
		return; /* began before the probes were attached */
	known->depth[what]--;
	if (!known->depth[USDT_GC] && !known->depth[USDT_IMPORT])
		bpf_map_delete_elem(&usdt_threads, &tid);
}

SEC("?uprobe")
int usdt_gc_start(void *ctx)
{
	usdt_enter(USDT_GC);
	return 0;
}

SEC("?uprobe")
int usdt_gc_done(void *ctx)
{
	usdt_leave(USDT_GC);
	return 0;
}

SEC("?uprobe")
int usdt_import_start(void *ctx)
{
	usdt_enter(USDT_IMPORT);
	return 0;
}

SEC("?uprobe")
int usdt_import_done(void *ctx)
{
	usdt_leave(USDT_IMPORT);
	return 0;
}
