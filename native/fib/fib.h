// SPDX-License-Identifier: Apache-2.0

// Longest-prefix match, one table per network, in 16-8-8 strides.
//
// An entry is a leaf (group and the length of the prefix that wrote it) or the number of a ply of
// 256 entries. The first level has 65,536 entries per network, so a lookup takes one to three reads.
// The writer (egretd) publishes every entry with one release store; readers never see half a change.
// A ply is freed only when its entries all say what one leaf can say, and reused after every worker
// passed a quiet point.
#pragma once

#include "arena/arena.h"

#include <stddef.h>
#include <stdint.h>

// Entry: bit 31 set: ply number in bits 0..30. Otherwise: prefix length in bits 0..5, group in 6..30.
enum { FIB_PLY_BIT = 31, FIB_LENGTH_BITS = 6, FIB_ROOT_ENTRIES = 65536, FIB_PLY_ENTRIES = 256 };
enum { FIB_GROUP_MAX = 1 << 25 }; // groups are numbered below this

struct fib_group {
	uint32_t count; // 0: not in use
	uint32_t reserved[3];
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX]; // each written by one store
};

// What a reader needs, taken once per batch (fib_view_take).
struct fib_view {
	const uint32_t *roots; // [limits.networks][FIB_ROOT_ENTRIES]
	const uint32_t *plies;
	const struct fib_group *groups;
	const uint32_t *versions; // [limits.networks][EGRET_VERSION_CHUNKS]
	uint32_t ply_max, group_max; // plies and groups are numbered below these
	uint32_t generation_number; // 0: no generation forwards yet, every lookup says NONE
};

// Takes the current generation, with acquire.
void fib_view_take(const struct arena *arena, struct fib_view *view);

// The entry of a ply, no route when there is no such ply: an earlier egretd wrote the number.
static inline uint32_t fib_ply_entry(const struct fib_view *view, uint32_t ply, uint32_t index)
{
	if (ply >= view->ply_max)
		return 0;
	return __atomic_load_n(
		&view->plies[(uint64_t)ply * FIB_PLY_ENTRIES + index], __ATOMIC_ACQUIRE);
}

// Longest-prefix match: the leaf (fib_leaf_group, fib_leaf_length), 0 when there is no route.
// Hot path: no allocation; at most three dependent reads.
static inline uint32_t fib_leaf(const struct fib_view *view, uint16_t network, uint32_t address)
{
	if (view->generation_number == 0)
		return 0;
	const uint32_t *root = view->roots + (uint64_t)network * FIB_ROOT_ENTRIES;
	uint32_t entry = __atomic_load_n(&root[address >> 16], __ATOMIC_ACQUIRE);
	if (entry >> FIB_PLY_BIT) {
		entry = fib_ply_entry(view, entry & 0x7fffffffu, address >> 8 & 0xff);
		if (entry >> FIB_PLY_BIT)
			entry = fib_ply_entry(view, entry & 0x7fffffffu, address & 0xff);
	}
	return entry;
}

static inline uint32_t fib_leaf_group(uint32_t leaf)
{
	return leaf >> FIB_LENGTH_BITS;
}

static inline uint8_t fib_leaf_length(uint32_t leaf)
{
	return leaf & ((1u << FIB_LENGTH_BITS) - 1);
}

// Longest-prefix match: the group, EGRET_GROUP_NONE when there is no route.
static inline uint32_t fib_lookup(const struct fib_view *view, uint16_t network, uint32_t address)
{
	return fib_leaf_group(fib_leaf(view, network, address));
}

// The prefix length that the same lookup matched; meaningless when it found no route.
static inline uint8_t fib_lookup_length(
	const struct fib_view *view, uint16_t network, uint32_t address)
{
	return fib_leaf_length(fib_leaf(view, network, address));
}

// Copies the members of a group, which may change meanwhile: each is old or new, none is half.
// Returns how many; 0 for a group that has none.
uint32_t fib_group_read(const struct fib_view *view, uint32_t group,
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX]);

// 1 when a member of the group leaves by this port, and with `is_direct` without a next hop.
int fib_group_leads(const struct fib_view *view, uint32_t group, uint16_t port, int is_direct);

// Version of the chunk that holds an address. Read before the lookup whose result is cached.
static inline uint32_t fib_version(const struct fib_view *view, uint16_t network, uint32_t address)
{
	return __atomic_load_n(
		&view->versions[(uint32_t)network * EGRET_VERSION_CHUNKS + (address >> 22)],
		__ATOMIC_ACQUIRE);
}

// -- For the FIB's writer, and for tables.c -------------------------------------------------------

// Adjacencies are read and written as one word.
typedef uint64_t __attribute__((may_alias)) fib_adjacency_word;
_Static_assert(
	sizeof(struct egret_adjacency) == sizeof(fib_adjacency_word), "one store writes a path");
_Static_assert(offsetof(struct fib_group, paths) % sizeof(fib_adjacency_word) == 0 &&
		sizeof(struct fib_group) % sizeof(fib_adjacency_word) == 0,
	"paths are aligned");

static inline fib_adjacency_word *fib_adjacency_word_of(const struct egret_adjacency *path)
{
	return (fib_adjacency_word *)path;
}

// Bytes of one generation. The limits are in range.
uint64_t fib_half_bytes(const struct egret_limits *limits);
// Groups are numbered below this.
uint32_t fib_group_max(const struct egret_limits *limits);
// Where the tables of one generation lie, whether it forwards or not.
void fib_half_view(const struct arena *arena, uint32_t half, struct fib_view *view);
// Numbers a generation; 0: it must not be read.
void fib_half_number(struct arena *arena, uint32_t half, uint32_t number);
