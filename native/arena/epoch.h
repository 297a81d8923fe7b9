// SPDX-License-Identifier: Apache-2.0

// Quiet points: when may egretd reuse what it has unlinked, given that workers may still read it?
//
//   worker:  epoch_enter ─▶ plan_view_take, fib_view_take ─▶ the batch ─▶ epoch_leave
//   egretd:  unlink with a release store ─▶ epoch_mark ─▶ … epoch_has_passed ─▶ reuse
//
// A worker's epoch is odd while it may hold a view and even while it holds none. What was unlinked
// before epoch_mark cannot be seen any more once every worker was seen quiet, or moved on, since.
// A worker announces itself offline before it sleeps. A worker of a dead forwarder counts as quiet: its
// heartbeat is old, and the lock that epoch_claim takes is free, since the kernel released it.
//
// Views are used only between epoch_enter and epoch_leave; plan_seen and generation_seen are stored
// between them too.
#pragma once

#include "arena/arena.h"

#include <stdint.h>

#define EPOCH_SILENCE_NS 2000000000ull

// What the epochs were when something was unlinked.
struct epoch_mark {
	uint32_t epochs[EGRET_WORKER_MAX];
};

// Forwarder: says that this process runs the arena's workers, until it dies. 0, or -SYSTEM
// (EAGAIN when another process does).
int epoch_claim(struct arena *arena);
// The same, after waiting for at most this long: one that was just killed may still hold it.
int epoch_claim_wait(struct arena *arena, uint64_t wait_ns);
// egretd: 1 when a process holds the claim.
int epoch_is_claimed(const struct arena *arena);

// Worker: it takes packets from now on.
static inline void epoch_online(struct arena *arena, uint32_t worker, uint64_t now_ns)
{
	__atomic_store_n(&arena->header->workers[worker].heartbeat_ns, now_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&arena->header->workers[worker].is_online, 1, __ATOMIC_SEQ_CST);
}

// Worker: it sleeps and holds no view.
static inline void epoch_offline(struct arena *arena, uint32_t worker)
{
	__atomic_store_n(&arena->header->workers[worker].is_online, 0, __ATOMIC_RELEASE);
}

// Worker: views may be taken from now on. Also right after another process died inside a batch.
static inline void epoch_enter(struct arena *arena, uint32_t worker)
{
	uint32_t epoch = __atomic_load_n(&arena->header->workers[worker].epoch, __ATOMIC_RELAXED);
	// A full barrier: the views are loaded after the writer can see the odd epoch.
	__atomic_exchange_n(&arena->header->workers[worker].epoch, (epoch | 1) + (epoch & 1) * 2,
		__ATOMIC_SEQ_CST);
}

// Worker: no view is held any more. Tells plan_acknowledged which plan was in force.
static inline void epoch_leave(struct arena *arena, uint32_t worker, uint64_t now_ns)
{
	uint32_t epoch = __atomic_load_n(&arena->header->workers[worker].epoch, __ATOMIC_RELAXED);
	__atomic_store_n(&arena->header->workers[worker].heartbeat_ns, now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&arena->header->workers[worker].epoch, (epoch | 1) + 1, __ATOMIC_RELEASE);
}

// egretd: what was unlinked before this call counts as passed when epoch_has_passed says so.
void epoch_mark(const struct arena *arena, struct epoch_mark *mark);
// 1 when no worker can hold a view that it took before the mark.
int epoch_has_passed(const struct arena *arena, const struct epoch_mark *mark);
// The same, after waiting for at most this long. Spins first, then sleeps in steps.
int epoch_wait(const struct arena *arena, const struct epoch_mark *mark, uint64_t wait_ns);
