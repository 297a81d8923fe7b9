// The FIB's layout in a generation, its readers' view, and the calls of egretd. Writing of entries
// is in fib_write.c.
#include "fib/fib.h"
#include "egret.h"
#include "fib/fib_write.h"

#include <stddef.h>
#include <stdlib.h>
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

static uint32_t group_max(const struct egret_limits *limits)
{
	return limits->groups + EGRET_GROUP_FIRST;
}

static uint64_t at_plies(const struct egret_limits *limits)
{
	return at_groups(limits) + round_up((uint64_t)group_max(limits) * sizeof(struct fib_group));
}

uint64_t fib_half_bytes(const struct egret_limits *limits)
{
	return at_plies(limits) + (uint64_t)limits->plies * FIB_PLY_ENTRIES * sizeof(uint32_t);
}

static void half_view(const struct arena *arena, uint32_t half, struct fib_view *view)
{
	const struct egret_limits *limits = &arena->header->limits;
	uint64_t at = arena->header->at_generations[half];
	const struct fib_half *header = arena_at(arena, at);
	view->roots = arena_at(arena, at + HALF_HEADER_BYTES);
	view->versions = arena_at(arena, at + at_versions(limits));
	view->groups = arena_at(arena, at + at_groups(limits));
	view->plies = arena_at(arena, at + at_plies(limits));
	view->ply_max = limits->plies;
	view->group_max = group_max(limits);
	view->generation_number = __atomic_load_n(&header->number, __ATOMIC_RELAXED);
}

void fib_view_take(const struct arena *arena, struct fib_view *view)
{
	uint32_t half = __atomic_load_n(&arena->header->generation, __ATOMIC_ACQUIRE);
	half_view(arena, half > 1 ? 0 : half, view);
	if (half > 1)
		view->generation_number = 0;
}

void fib_half_number(struct arena *arena, uint32_t half, uint32_t number)
{
	struct fib_half *header = arena_at(arena, arena->header->at_generations[half]);
	__atomic_store_n(&header->number, number, __ATOMIC_RELAXED);
}

// Adjacencies are read and written as one word.
typedef uint64_t __attribute__((may_alias)) adjacency_word;
_Static_assert(sizeof(struct egret_adjacency) == sizeof(adjacency_word), "one store writes a path");
_Static_assert(offsetof(struct fib_group, paths) % sizeof(adjacency_word) == 0 &&
		sizeof(struct fib_group) % sizeof(adjacency_word) == 0,
	"paths are aligned");

static adjacency_word *word_of(const struct egret_adjacency *path)
{
	return (adjacency_word *)path;
}

uint32_t fib_group_read(const struct fib_view *view, uint32_t group,
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX])
{
	if (view->generation_number == 0 || group >= view->group_max)
		return 0;
	const struct fib_group *row = &view->groups[group];
	uint32_t count = __atomic_load_n(&row->count, __ATOMIC_ACQUIRE);
	if (count > EGRET_GROUP_PATHS_MAX)
		return 0; // nobody writes so many
	for (uint32_t i = 0; i < count; i++) {
		adjacency_word word = __atomic_load_n(word_of(&row->paths[i]), __ATOMIC_RELAXED);
		memcpy(&paths[i], &word, sizeof word);
	}
	return count;
}

// -- What egretd calls ----------------------------------------------------------------------------

int fib_writer_begin(struct arena *arena, uint32_t half)
{
	const struct egret_limits *limits = &arena->header->limits;
	fib_writer_free(arena);
	struct fib_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return -EGRET_STATUS_NO_SPACE;
	writer->arena = arena;
	writer->network_max = limits->networks;
	writer->ply_max = limits->plies;
	writer->group_max = group_max(limits);
	writer->tables = calloc(limits->networks, sizeof *writer->tables);
	writer->resume_at = calloc(limits->networks, sizeof *writer->resume_at);
	writer->ply_next = calloc((size_t)limits->plies + 1, sizeof *writer->ply_next);
	writer->ply_specific = calloc((size_t)limits->plies + 1, sizeof *writer->ply_specific);
	writer->ply_deeper = calloc((size_t)limits->plies + 1, sizeof *writer->ply_deeper);
	arena->fib_writer = writer;
	if (!writer->tables || !writer->resume_at || !writer->ply_next || !writer->ply_specific ||
		!writer->ply_deeper) {
		fib_writer_free(arena);
		return -EGRET_STATUS_NO_SPACE;
	}
	for (uint32_t i = 0; i < limits->networks; i++)
		writer->tables[i].key = arena->header->hash_key[0] ^ arena->header->hash_key[1];
	fib_half_number(arena, half, 0);
	struct fib_view view;
	half_view(arena, half, &view);
	writer->roots = (uint32_t *)view.roots;
	writer->plies = (uint32_t *)view.plies;
	writer->groups = (struct fib_group *)view.groups;
	writer->versions = (uint32_t *)view.versions;
	writer->free_head = writer->limbo_head = writer->waiting_head = FIB_PLY_NONE;
	// Versions go on ascending; plies are filled when they are taken.
	memset(writer->roots, 0,
		(uint64_t)limits->networks * FIB_ROOT_ENTRIES * sizeof *writer->roots);
	for (uint32_t i = 0; i < writer->group_max; i++)
		writer->groups[i].count = 0;
	arena->writing = half;
	return 0;
}

void fib_writer_free(struct arena *arena)
{
	struct fib_writer *writer = arena->fib_writer;
	if (!writer)
		return;
	for (uint32_t i = 0; writer->tables && i < writer->network_max; i++)
		prefix_table_clear(&writer->tables[i]);
	free(writer->tables);
	free(writer->resume_at);
	free(writer->ply_next);
	free(writer->ply_specific);
	free(writer->ply_deeper);
	free(writer);
	arena->fib_writer = NULL;
	arena->writing = UINT32_MAX;
}

int egret_fib_set_group(
	void *handle, uint32_t group, const struct egret_adjacency *paths, uint32_t n)
{
	struct fib_writer *writer = ((struct arena *)handle)->fib_writer;
	if (!writer || group < EGRET_GROUP_FIRST || group >= writer->group_max ||
		n > EGRET_GROUP_PATHS_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	for (uint32_t i = 0; i < n; i++)
		if (paths[i].port >= EGRET_PORT_MAX)
			return -EGRET_STATUS_BAD_ARGUMENT;
	struct fib_group *row = &writer->groups[group];
	// Members are in place before the count says so, and stay when it shrinks.
	if (n < row->count)
		__atomic_store_n(&row->count, n, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < n; i++) {
		adjacency_word word;
		memcpy(&word, &paths[i], sizeof word);
		__atomic_store_n(word_of(&row->paths[i]), word, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&row->count, n, __ATOMIC_RELEASE);
	writer->is_dirty = 1;
	return 0;
}

static int delta_is_valid(const struct fib_writer *writer, const struct egret_fib_delta *delta)
{
	if (delta->prefix_length > 32 || delta->group >= writer->group_max)
		return 0;
	uint32_t host_bits = delta->prefix_length == 32 ? 0 : UINT32_MAX >> delta->prefix_length;
	return (delta->prefix & host_bits) == 0;
}

int egret_fib_apply(
	void *handle, uint16_t network, const struct egret_fib_delta *deltas, uint32_t n)
{
	struct fib_writer *writer = ((struct arena *)handle)->fib_writer;
	if (!writer || network >= writer->network_max || n > INT32_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	writer->status = EGRET_STATUS_OK;
	fib_write_begin_step(writer);
	uint32_t applied = 0;
	for (; applied < n && !fib_write_must_pause(writer); applied++) {
		const struct egret_fib_delta *delta = &deltas[applied];
		if (!delta_is_valid(writer, delta)) {
			writer->status = EGRET_STATUS_BAD_ARGUMENT;
			break;
		}
		if (delta->group == EGRET_GROUP_NONE)
			fib_write_withdraw(writer, network, delta->prefix, delta->prefix_length);
		else if (!fib_write_announce(writer, network, delta)) {
			writer->status = EGRET_STATUS_NO_SPACE;
			break;
		}
		if (fib_write_is_unfinished(writer, network))
			break;
	}
	fib_write_bump(writer, network);
	return (int)applied;
}

int egret_fib_last_status(void *handle)
{
	const struct fib_writer *writer = ((struct arena *)handle)->fib_writer;
	return writer ? -(int)writer->status : -EGRET_STATUS_BAD_ARGUMENT;
}

int egret_fib_clear(void *handle, uint16_t network)
{
	struct fib_writer *writer = ((struct arena *)handle)->fib_writer;
	if (!writer || network >= writer->network_max)
		return -EGRET_STATUS_BAD_ARGUMENT;
	fib_write_clear(writer, network);
	return 0;
}

int egret_fib_reclaim(void *handle)
{
	struct fib_writer *writer = ((struct arena *)handle)->fib_writer;
	return writer ? fib_write_reclaim(writer) : -EGRET_STATUS_BAD_ARGUMENT;
}

uint32_t egret_fib_lookup(void *handle, uint16_t network, uint32_t address)
{
	const struct arena *arena = handle;
	struct fib_view view;
	if (network >= arena->header->limits.networks)
		return EGRET_GROUP_NONE;
	if (arena->writing > 1) {
		fib_view_take(arena, &view);
	} else {
		half_view(arena, arena->writing, &view);
		view.generation_number = 1;
	}
	return fib_lookup(&view, network, address);
}

void egret_fib_usage(void *handle, uint32_t *plies_used, uint32_t *plies_max)
{
	const struct arena *arena = handle;
	*plies_used = arena->fib_writer ? arena->fib_writer->ply_used : 0;
	*plies_max = arena->header->limits.plies;
}
