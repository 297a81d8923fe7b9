// SPDX-License-Identifier: Apache-2.0

// Takes plans from egretd: checks, derives in private memory, then writes the buffer that no worker
// reads and makes it current with one release store.
#include "arena/epoch.h"
#include "egret.h"
#include "plan/plan.h"
#include "plan/plan_buffer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// How long a publish waits for workers that still read the plan before the current one.
#define PUBLISH_WAIT_NS 100000000ull

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static uint32_t encoded_bytes(const struct egret_plan *plan)
{
	struct plan_lists lists;
	plan_lists_find(plan, &lists);
	return (uint32_t)((const uint8_t *)(lists.clients + plan->client_count) -
		(const uint8_t *)plan);
}

// 1 when no worker can still read a plan older than the current one, after waiting for it.
static int other_buffer_is_free(struct arena *arena)
{
	const struct arena_header *header = arena->header;
	int is_seen = 1;
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++)
		is_seen = is_seen &&
			__atomic_load_n(&header->workers[i].plan_seen, __ATOMIC_ACQUIRE) ==
				header->plan_number;
	if (is_seen)
		return 1;
	struct epoch_mark mark;
	epoch_mark(arena, &mark);
	return epoch_wait(arena, &mark, PUBLISH_WAIT_NS);
}

// Builds the whole buffer in private memory.
static int image_make(
	const struct arena *arena, const void *encoded, uint32_t bytes, struct plan_derived **image)
{
	const struct egret_limits *limits = &arena->header->limits;
	if (!encoded || bytes < sizeof(struct egret_plan) || bytes > plan_encoded_bytes_max(limits))
		return -EGRET_STATUS_BAD_ARGUMENT;
	uint8_t *base = aligned_alloc(64, round_up(plan_buffer_at_plan(limits) + bytes));
	if (!base)
		return -EGRET_STATUS_NO_SPACE;
	struct plan_derived *derived = (struct plan_derived *)base;
	struct egret_plan *plan = (struct egret_plan *)(base + plan_buffer_at_plan(limits));
	memcpy(plan, encoded, bytes);
	derived->at_starts = plan_buffer_at_starts();
	derived->at_owners = plan_buffer_at_owners(limits);
	derived->at_plan = plan_buffer_at_plan(limits);
	int status = plan_is_valid(plan, bytes, limits)
		? plan_derive(plan, derived, (uint32_t *)(base + plan_buffer_at_starts()),
			  (uint32_t *)(base + plan_buffer_at_owners(limits)))
		: -EGRET_STATUS_BAD_ARGUMENT;
	if (status < 0) {
		free(base);
		return status;
	}
	*image = derived;
	return 0;
}

// 1 when what stands in the arena is equal to a derived image. Their numbers are not compared: the image
// has none yet.
static int is_derived(const struct plan_derived *found, const struct plan_derived *image)
{
	enum {
		FROM = offsetof(struct plan_derived, interval_count),
		BYTES = offsetof(struct plan_derived, interval_at) + sizeof image->interval_at -
			FROM,
	};
	const uint8_t *is = (const uint8_t *)found, *must_be = (const uint8_t *)image;
	size_t intervals = image->interval_count * sizeof(uint32_t);
	return found->number != 0 && memcmp(is + FROM, must_be + FROM, BYTES) == 0 &&
		memcmp(is + image->at_starts, must_be + image->at_starts, intervals) == 0 &&
		memcmp(is + image->at_owners, must_be + image->at_owners, intervals) == 0;
}

static int buffer_check(const struct arena *arena, uint32_t half)
{
	const struct egret_limits *limits = &arena->header->limits;
	const struct plan_derived *found = arena_at(arena, arena->header->at_plans[half]);
	const struct egret_plan *plan = (const void *)((const uint8_t *)found +
		plan_buffer_at_plan(limits));
	// Counts first: encoded_bytes of anything else may lie outside.
	if (plan->port_count > EGRET_PORT_MAX || plan->local_count > PLAN_LOCAL_MAX ||
		plan->address_count > EGRET_ADDRESS_MAX || plan->rule_count > limits->rules ||
		plan->rule_address_count > limits->rule_addresses ||
		plan->client_count > limits->clients)
		return -EGRET_STATUS_BAD_ARENA;
	struct plan_derived *image;
	int status = image_make(arena, plan, encoded_bytes(plan), &image);
	if (status < 0)
		return status == -EGRET_STATUS_BAD_ARGUMENT ? -EGRET_STATUS_BAD_ARENA : status;
	int is_sound = is_derived(found, image);
	free(image);
	return is_sound ? 0 : -EGRET_STATUS_BAD_ARENA;
}

int plan_buffer_check(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	for (;;) {
		uint32_t number = __atomic_load_n(&header->plan_number, __ATOMIC_ACQUIRE);
		uint32_t half = __atomic_load_n(&header->plan, __ATOMIC_ACQUIRE);
		int status = half > 1 ? 0 : buffer_check(arena, half);
		// egretd may have published meanwhile, and now write into what was current.
		if (status == 0 ||
			number == __atomic_load_n(&header->plan_number, __ATOMIC_ACQUIRE))
			return status;
	}
}

int64_t egret_plan_publish(void *handle, const void *encoded, uint32_t bytes)
{
	struct arena *arena = handle;
	struct arena_header *header = arena->header;
	const struct egret_limits *limits = &header->limits;
	struct plan_derived *image;
	int status = image_make(arena, encoded, bytes, &image);
	if (status < 0)
		return status;
	if (!other_buffer_is_free(arena)) {
		free(image);
		return -EGRET_STATUS_TIMEOUT;
	}
	// 0 says "none", so a wrapped number skips it.
	uint32_t number = header->plan_number + 1 ? header->plan_number + 1 : 1;
	uint32_t half = header->plan == 0;
	uint8_t *buffer = arena_at(arena, header->at_plans[half]);
	uint64_t intervals = (uint64_t)image->interval_count * sizeof(uint32_t);
	image->number = number;
	memcpy(buffer, image, sizeof *image);
	memcpy(buffer + image->at_starts, (uint8_t *)image + image->at_starts, intervals);
	memcpy(buffer + image->at_owners, (uint8_t *)image + image->at_owners, intervals);
	memcpy(buffer + plan_buffer_at_plan(limits), (uint8_t *)image + plan_buffer_at_plan(limits),
		bytes);
	free(image);
	__atomic_store_n(&header->plan_number, number, __ATOMIC_RELAXED);
	__atomic_store_n(&header->plan, half, __ATOMIC_RELEASE);
	return number;
}

// 1 when number a is older than b, also across a wrap.
static int is_older(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

int64_t egret_plan_acknowledged(void *handle)
{
	const struct arena_header *header = ((struct arena *)handle)->header;
	uint32_t oldest_online = 0, newest = 0, online = 0;
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++) {
		uint32_t seen = __atomic_load_n(&header->workers[i].plan_seen, __ATOMIC_ACQUIRE);
		if (is_older(newest, seen))
			newest = seen;
		if (!__atomic_load_n(&header->workers[i].is_online, __ATOMIC_ACQUIRE))
			continue;
		if (online++ == 0 || is_older(seen, oldest_online))
			oldest_online = seen;
	}
	return online > 0 ? oldest_online : newest;
}
