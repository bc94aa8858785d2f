/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* All programs in one object, so that they share maps and tunables; builds to one skeleton. */
#include "oncpu.bpf.c"
#include "sched.bpf.c"
#include "process.bpf.c"
#include "usdt.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
