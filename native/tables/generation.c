// SPDX-License-Identifier: Apache-2.0

// Generations of the FIB: egretd writes one while the other forwards, and then they change places.
#include "arena/arena.h"
#include "arena/epoch.h"
#include "egret.h"
#include "fib/fib_apply.h"
#include "fib/fib_write.h"

// How long begin_generation waits for readers of the generation that stopped forwarding.
#define BEGIN_WAIT_NS 100000000ull

// 1 when no worker can still read the half that was current before the last commit, after waiting for
// it. One that has read the current half holds no other, even if it hangs in the middle of a batch.
static int other_half_is_free(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	int is_seen = header->generation != EGRET_NONE;
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++)
		is_seen = is_seen &&
			__atomic_load_n(&header->workers[i].generation_seen, __ATOMIC_ACQUIRE) ==
				header->generation_number;
	if (is_seen)
		return 1;
	struct epoch_mark mark;
	epoch_mark(arena, &mark);
	return epoch_wait(arena, &mark, BEGIN_WAIT_NS);
}

int egret_arena_begin_generation(void *handle)
{
	struct arena_handle *owner = handle;
	struct arena *arena = &owner->arena;
	uint32_t current = arena->header->generation;
	uint32_t half = current == EGRET_NONE ? 0 : 1 - current;
	if (!other_half_is_free(arena))
		return -EGRET_STATUS_TIMEOUT;
	return fib_writer_begin(owner, half);
}

int egret_arena_commit_generation(void *handle)
{
	struct arena_handle *owner = handle;
	struct arena_header *header = owner->arena.header;
	if (!owner->writer)
		return -EGRET_STATUS_BAD_ARGUMENT;
	uint32_t half = owner->writer->half;
	if (header->generation == half)
		return 0;
	// 0 says "none", so a wrapped number skips it.
	uint32_t number = header->generation_number + 1 ? header->generation_number + 1 : 1;
	fib_half_number(&owner->arena, half, number);
	__atomic_store_n(&header->generation_number, number, __ATOMIC_RELAXED);
	__atomic_store_n(&header->generation, half, __ATOMIC_RELEASE);
	return 0;
}

int egret_arena_has_generation(void *handle)
{
	const struct arena_handle *owner = handle;
	uint32_t current = owner->arena.header->generation;
	return current != EGRET_NONE && (!owner->writer || current != owner->writer->half);
}
