// SPDX-License-Identifier: Apache-2.0

// The FIB's layout in a generation, and its readers' view. egretd's side is fib_apply.c.
#include "fib/fib.h"

#include <string.h>

enum { HALF_HEADER_BYTES = 64, CACHE_LINE = 64 };

// A generation begins with its number; roots, versions, groups and plies follow.
struct fib_half {
	uint32_t number; // 0: not to be read
};

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static uint64_t at_versions(const struct egret_limits *limits)
{
	return HALF_HEADER_BYTES + (uint64_t)limits->networks * FIB_ROOT_ENTRIES * sizeof(uint32_t);
}

static uint64_t at_groups(const struct egret_limits *limits)
{
	return at_versions(limits) +
		(uint64_t)limits->networks * EGRET_VERSION_CHUNKS * sizeof(uint32_t);
}

uint32_t fib_group_max(const struct egret_limits *limits)
{
	return limits->groups + EGRET_GROUP_FIRST;
}

static uint64_t at_plies(const struct egret_limits *limits)
{
	return at_groups(limits) +
		round_up((uint64_t)fib_group_max(limits) * sizeof(struct fib_group));
}

uint64_t fib_half_bytes(const struct egret_limits *limits)
{
	return at_plies(limits) + (uint64_t)limits->plies * FIB_PLY_ENTRIES * sizeof(uint32_t);
}

void fib_half_view(const struct arena *arena, uint32_t half, struct fib_view *view)
{
	const struct egret_limits *limits = &arena->header->limits;
	uint64_t at = arena->header->at_generations[half];
	const struct fib_half *header = arena_at(arena, at);
	view->roots = arena_at(arena, at + HALF_HEADER_BYTES);
	view->versions = arena_at(arena, at + at_versions(limits));
	view->groups = arena_at(arena, at + at_groups(limits));
	view->plies = arena_at(arena, at + at_plies(limits));
	view->ply_max = limits->plies;
	view->group_max = fib_group_max(limits);
	view->generation_number = __atomic_load_n(&header->number, __ATOMIC_RELAXED);
}

void fib_view_take(const struct arena *arena, struct fib_view *view)
{
	uint32_t half = __atomic_load_n(&arena->header->generation, __ATOMIC_ACQUIRE);
	fib_half_view(arena, half > 1 ? 0 : half, view);
	if (half > 1)
		view->generation_number = 0;
}

void fib_half_number(struct arena *arena, uint32_t half, uint32_t number)
{
	struct fib_half *header = arena_at(arena, arena->header->at_generations[half]);
	__atomic_store_n(&header->number, number, __ATOMIC_RELAXED);
}

uint32_t fib_group_read(const struct fib_view *view, uint32_t group,
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX])
{
	if (view->generation_number == 0 || group >= view->group_max)
		return 0;
	const struct fib_group *row = &view->groups[group];
	uint32_t count = __atomic_load_n(&row->count, __ATOMIC_ACQUIRE);
	if (count > EGRET_GROUP_PATHS_MAX)
		return 0; // no writer makes so many
	for (uint32_t i = 0; i < count; i++) {
		fib_adjacency_word word = __atomic_load_n(
			fib_adjacency_word_of(&row->paths[i]), __ATOMIC_RELAXED);
		memcpy(&paths[i], &word, sizeof word);
	}
	return count;
}

int fib_group_leads(const struct fib_view *view, uint32_t group, uint16_t port, int is_direct)
{
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	if (group < EGRET_GROUP_FIRST)
		return 0;
	uint32_t count = fib_group_read(view, group, paths);
	for (uint32_t i = 0; i < count; i++)
		if (paths[i].port == port && (!is_direct || paths[i].next_hop == 0))
			return 1;
	return 0;
}
