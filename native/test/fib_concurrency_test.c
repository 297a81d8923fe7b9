// SPDX-License-Identifier: Apache-2.0

// Readers and a writer at once: an address that always has a route never gets another one, or none,
// while plies above, below and next to its prefix are added, removed and used again.
//
// Worth running under ThreadSanitizer too.
#include "arena/epoch.h"
#include "arena_fixture.h"
#include "fib/fib.h"
#include "lib/clock.h"
#include "tap.h"

#include <pthread.h>

static uint32_t mask_of(uint32_t length)
{
	return length ? UINT32_MAX << (32 - length) : 0;
}

static int apply_one(struct arena *arena, uint32_t prefix, uint32_t length, uint32_t group)
{
	struct egret_fib_delta delta = {prefix, length, group};
	return egret_fib_apply(arena, 0, &delta, 1);
}

// Both get on with it, however the processors are shared.
enum { STABLE_GROUP = 2, CHURN_GROUP = 3, ROUNDS_MIN = 5000, LOOKUPS_MIN = 20000 };
static const uint32_t stable_address = 0x0a0102ff, stable_prefix = 0x0a010200; // /24

struct reader {
	struct arena *arena;
	uint64_t lookups, wrong;
	int must_end;
};

static void *read_on(void *argument)
{
	struct reader *reader = argument;
	struct fib_view view;
	epoch_online(reader->arena, 0, clock_now_ns());
	while (!__atomic_load_n(&reader->must_end, __ATOMIC_RELAXED)) {
		epoch_enter(reader->arena, 0);
		fib_view_take(reader->arena, &view);
		for (int i = 0; i < 64; i++)
			reader->wrong += fib_lookup(&view, 0, stable_address) != STABLE_GROUP;
		__atomic_fetch_add(&reader->lookups, 64, __ATOMIC_RELAXED);
		epoch_leave(reader->arena, 0, clock_now_ns());
	}
	epoch_offline(reader->arena, 0);
	return NULL;
}

int main(void)
{
	struct egret_limits limits = fixture_limits;
	limits.plies = 8; // so that plies come back at once
	struct arena *arena = fixture_arena(&limits);
	egret_arena_begin_generation(arena);
	egret_arena_commit_generation(arena);
	apply_one(arena, stable_prefix, 24, STABLE_GROUP);
	struct reader reader = {.arena = arena};
	pthread_t thread;
	pthread_create(&thread, NULL, read_on, &reader);
	uint64_t state = 99, refused = 0;
	for (uint32_t round = 0; round < ROUNDS_MIN ||
		__atomic_load_n(&reader.lookups, __ATOMIC_RELAXED) < LOOKUPS_MIN;
		round++) {
		// More specific ones next to the address, less specific ones around it, others elsewhere
		// that take the plies; never one that should win.
		uint32_t pick = fixture_random(&state) % 3, length, prefix;
		if (pick == 0) {
			length = 26 + fixture_random(&state) % 7;
			prefix = stable_prefix;
		} else if (pick == 1) {
			length = fixture_random(&state) % 24;
			prefix = stable_address;
		} else {
			length = 17 + fixture_random(&state) % 16;
			prefix = 0x14000000 + (fixture_random(&state) % 4 << 16);
		}
		uint32_t group = fixture_random(&state) % 2 ? CHURN_GROUP : EGRET_GROUP_NONE;
		refused += apply_one(arena, prefix & mask_of(length), length, group) != 1;
		if (fixture_random(&state) % 4 == 0)
			egret_fib_reclaim(arena);
	}
	__atomic_store_n(&reader.must_end, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tap_ok(reader.lookups > 0 && reader.wrong == 0,
		"while a writer ran, %llu of %llu lookups were wrong",
		(unsigned long long)reader.wrong, (unsigned long long)reader.lookups);
	printf("# %llu deltas found no ply\n", (unsigned long long)refused);
	egret_arena_close(arena);
	return tap_done();
}
