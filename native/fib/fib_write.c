// SPDX-License-Identifier: Apache-2.0

#include "fib/fib_write.h"

#include <assert.h>
#include <string.h>

// How long fib_write_reclaim waits for a worker in the middle of a batch.
enum { RECLAIM_SPINS = 4096 };
// Entries below a root that one call changes, about: a default route over a full table meets some
// fifteen million, which takes too long for one step of egretd.
enum { STEP_ENTRIES = 1 << 21 };

// What to write over which entries: announcing replaces leaves of prefixes as long or shorter,
// withdrawing exactly those that the prefix itself has written.
struct change {
	uint32_t leaf;
	uint32_t length; // of the prefix that changes
	int is_withdraw;
};

static uint32_t leaf_make(uint32_t group, uint32_t length)
{
	return group << FIB_LENGTH_BITS | length;
}

static int entry_is_ply(uint32_t entry)
{
	return entry >> FIB_PLY_BIT;
}

static uint32_t entry_ply(uint32_t entry)
{
	return entry & ~(1u << FIB_PLY_BIT);
}

static uint32_t *ply_entries(const struct fib_writer *writer, uint32_t ply)
{
	return writer->plies + (uint64_t)ply * FIB_PLY_ENTRIES;
}

static uint32_t *root_of(const struct fib_writer *writer, uint16_t network)
{
	return writer->roots + (uint64_t)network * FIB_ROOT_ENTRIES;
}

static void store(uint32_t *entry, uint32_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

// 1 when an entry cannot stand in the level above, whose prefixes have at most `base` bits.
static int is_specific(uint32_t entry, uint32_t base)
{
	return entry_is_ply(entry) || fib_leaf_length(entry) > base;
}

// -- Plies ----------------------------------------------------------------------------------------

static void list_push(struct fib_writer *writer, uint32_t *head, uint32_t ply)
{
	writer->ply_next[ply] = *head;
	*head = ply;
}

static uint32_t unclaimed_by(const struct fib_writer *writer, uint16_t network)
{
	uint32_t taken = writer->taken[network], reserved = writer->reserved[network];
	return taken < reserved ? reserved - taken : 0;
}

// Those that a network may take: the rest of its share, and what is reserved for none.
static uint32_t plies_free(const struct fib_writer *writer, uint16_t network)
{
	uint32_t free = writer->ply_max - writer->ply_used;
	uint64_t of_others = writer->unclaimed - unclaimed_by(writer, network);
	return of_others < free ? free - (uint32_t)of_others : 0;
}

void fib_write_reserve(struct fib_writer *writer, uint16_t network, uint32_t plies)
{
	writer->unclaimed -= unclaimed_by(writer, network);
	writer->reserved[network] = plies;
	writer->unclaimed += unclaimed_by(writer, network);
}

// A network takes a ply or gives one back.
static void count_taken(struct fib_writer *writer, uint16_t network, int change)
{
	writer->unclaimed -= unclaimed_by(writer, network);
	writer->taken[network] += (uint32_t)change;
	writer->unclaimed += unclaimed_by(writer, network);
	writer->ply_used += (uint32_t)change;
}

// Takes a ply and fills it with a leaf. One is free.
static uint32_t ply_take(struct fib_writer *writer, uint16_t network, uint32_t leaf)
{
	uint32_t ply = writer->free_head;
	if (ply != EGRET_NONE)
		writer->free_head = writer->ply_next[ply];
	else
		ply = writer->ply_fresh++;
	assert(ply < writer->ply_max);
	count_taken(writer, network, 1);
	writer->ply_network[ply] = network;
	writer->ply_specific[ply] = 0;
	writer->ply_deeper[ply] = 0;
	uint32_t *entries = ply_entries(writer, ply);
	for (uint32_t i = 0; i < FIB_PLY_ENTRIES; i++)
		__atomic_store_n(&entries[i], leaf, __ATOMIC_RELAXED);
	return ply;
}

static void ply_unlinked(struct fib_writer *writer, uint32_t ply)
{
	list_push(writer, &writer->limbo_head, ply);
}

static void waiting_free(struct fib_writer *writer)
{
	while (writer->waiting_head != EGRET_NONE) {
		uint32_t ply = writer->waiting_head;
		writer->waiting_head = writer->ply_next[ply];
		list_push(writer, &writer->free_head, ply);
		count_taken(writer, writer->ply_network[ply], -1);
	}
	writer->is_waiting = 0;
}

static int mark_has_passed(const struct fib_writer *writer)
{
	for (int i = 0; i < RECLAIM_SPINS; i++)
		if (epoch_has_passed(writer->arena, &writer->mark))
			return 1;
	return 0;
}

int fib_write_reclaim(struct fib_writer *writer)
{
	if (writer->is_waiting) {
		if (!mark_has_passed(writer))
			return 0;
		waiting_free(writer);
	}
	if (!writer->is_dirty)
		return 1;
	writer->waiting_head = writer->limbo_head;
	writer->limbo_head = EGRET_NONE;
	writer->is_dirty = 0;
	writer->is_waiting = 1;
	epoch_mark(writer->arena, &writer->mark);
	if (!mark_has_passed(writer))
		return 0;
	waiting_free(writer);
	return 1;
}

// -- Versions -------------------------------------------------------------------------------------

static void touch(struct fib_writer *writer, uint32_t prefix, uint32_t length)
{
	enum { CHUNK_BITS = 10 };
	uint32_t first = prefix >> (32 - CHUNK_BITS);
	uint32_t count = length >= CHUNK_BITS ? 1 : 1u << (CHUNK_BITS - length);
	for (uint32_t i = first; i < first + count; i++)
		writer->touched[i / 64] |= 1ull << i % 64;
	writer->is_dirty = 1;
}

void fib_write_bump(struct fib_writer *writer, uint16_t network)
{
	uint32_t *versions = writer->versions + (uint32_t)network * EGRET_VERSION_CHUNKS;
	for (uint32_t word = 0; word < EGRET_VERSION_CHUNKS / 64; word++) {
		for (; writer->touched[word]; writer->touched[word] &= writer->touched[word] - 1) {
			uint32_t chunk = word * 64 +
				(uint32_t)__builtin_ctzll(writer->touched[word]);
			store(&versions[chunk], versions[chunk] + 1);
		}
	}
}

// -- Entries --------------------------------------------------------------------------------------

// Unlinks the ply of an entry when one leaf says the same.
static void collapse(struct fib_writer *writer, uint32_t *entry)
{
	uint32_t ply = entry_ply(*entry);
	if (writer->ply_specific[ply] > 0)
		return;
	store(entry, ply_entries(writer, ply)[0]);
	ply_unlinked(writer, ply);
}

static int is_replaced(const struct change *change, uint32_t entry)
{
	uint32_t length = fib_leaf_length(entry);
	return change->is_withdraw ? length == change->length : length <= change->length;
}

// Changes entries first..first+count of the ply, and all that hangs below them. A ply's entries are
// specific when longer than `base`.
static void paint_ply(struct fib_writer *writer, uint32_t ply, uint32_t first, uint32_t count,
	uint32_t base, const struct change *change)
{
	uint32_t *entries = ply_entries(writer, ply);
	uint16_t *specific = &writer->ply_specific[ply];
	writer->entries_left -= count < writer->entries_left ? count : writer->entries_left;
	if (change->length <= base && writer->ply_deeper[ply] == 0) {
		// Nothing becomes specific or ceases to be: how a default route passes over a full
		// table in some tens of milliseconds.
		for (uint32_t i = first; i < first + count; i++)
			if (is_replaced(change, entries[i]))
				store(&entries[i], change->leaf);
		return;
	}
	for (uint32_t i = first; i < first + count; i++) {
		uint32_t *entry = &entries[i], old = *entry;
		if (entry_is_ply(old)) {
			paint_ply(writer, entry_ply(old), 0, FIB_PLY_ENTRIES, base + 8, change);
			collapse(writer, entry);
			writer->ply_deeper[ply] -= !entry_is_ply(*entry);
		} else if (is_replaced(change, old)) {
			store(entry, change->leaf);
		}
		*specific = (uint16_t)(*specific + is_specific(*entry, base) -
			is_specific(old, base));
	}
}

// The same for a root's entries, beginning where the last call stopped.
static void paint_root(struct fib_writer *writer, uint16_t network, uint32_t first, uint32_t count,
	const struct change *change)
{
	uint32_t *root = root_of(writer, network), *resume_at = &writer->resume_at[network];
	uint32_t i = *resume_at ? *resume_at : first;
	assert(i >= first && i < first + count);
	*resume_at = 0;
	for (; i < first + count; i++) {
		if (entry_is_ply(root[i])) {
			if (writer->entries_left == 0) {
				*resume_at = i;
				return;
			}
			paint_ply(writer, entry_ply(root[i]), 0, FIB_PLY_ENTRIES, 16, change);
			collapse(writer, &root[i]);
		} else if (is_replaced(change, root[i])) {
			store(&root[i], change->leaf);
		}
	}
}

// Plies that a prefix needs and that are not there yet.
static uint32_t plies_missing(
	const struct fib_writer *writer, const uint32_t *root, uint32_t prefix, uint32_t length)
{
	if (length <= 16)
		return 0;
	uint32_t entry = root[prefix >> 16];
	if (!entry_is_ply(entry))
		return length <= 24 ? 1 : 2;
	if (length <= 24)
		return 0;
	return !entry_is_ply(ply_entries(writer, entry_ply(entry))[prefix >> 8 & 0xff]);
}

// The ply below an entry; made when the entry is a leaf. Returns 1 when it was made.
static int ply_below(struct fib_writer *writer, uint16_t network, uint32_t *entry)
{
	if (entry_is_ply(*entry))
		return 0;
	store(entry, 1u << FIB_PLY_BIT | ply_take(writer, network, *entry));
	return 1;
}

// Changes everything that a prefix covers, or as much as one call may. Plies suffice.
static void paint(
	struct fib_writer *writer, uint16_t network, uint32_t prefix, const struct change *change)
{
	uint32_t length = change->length;
	if (length <= 16) {
		paint_root(writer, network, prefix >> 16, 1u << (16 - length), change);
		return;
	}
	uint32_t *top = &root_of(writer, network)[prefix >> 16];
	ply_below(writer, network, top);
	uint32_t ply = entry_ply(*top), at = prefix >> 8 & 0xff;
	if (length <= 24) {
		paint_ply(writer, ply, at, 1u << (24 - length), 16, change);
	} else {
		uint32_t *middle = &ply_entries(writer, ply)[at];
		int was_specific = is_specific(*middle, 16);
		if (ply_below(writer, network, middle))
			writer->ply_deeper[ply]++;
		paint_ply(
			writer, entry_ply(*middle), prefix & 0xff, 1u << (32 - length), 24, change);
		collapse(writer, middle);
		writer->ply_deeper[ply] -= !entry_is_ply(*middle);
		writer->ply_specific[ply] = (uint16_t)(writer->ply_specific[ply] +
			is_specific(*middle, 16) - was_specific);
	}
	collapse(writer, top);
}

// Enters a prefix in the table and makes sure of the plies it needs. 0: no room.
static int enter(struct fib_writer *writer, uint16_t network, const struct egret_fib_delta *delta)
{
	struct prefix_table *table = &writer->tables[network];
	uint32_t prefix = delta->prefix, length = delta->prefix_length;
	if (!prefix_table_reserve(table, prefix, length))
		return 0;
	const uint32_t *root = root_of(writer, network);
	if (plies_missing(writer, root, prefix, length) > plies_free(writer, network)) {
		// Sessions that cached a route through these plies must see the change first.
		fib_write_bump(writer, network);
		fib_write_reclaim(writer);
		if (plies_missing(writer, root, prefix, length) > plies_free(writer, network))
			return 0;
	}
	prefix_table_set(table, prefix, length, delta->group);
	return 1;
}

int fib_write_announce(
	struct fib_writer *writer, uint16_t network, const struct egret_fib_delta *delta)
{
	uint32_t prefix = delta->prefix, length = delta->prefix_length;
	if (writer->resume_at[network] == 0) {
		if (prefix_table_get(&writer->tables[network], prefix, length) == delta->group)
			return 1;
		if (!enter(writer, network, delta))
			return 0;
	}
	struct change change = {leaf_make(delta->group, length), length, 0};
	paint(writer, network, prefix, &change);
	touch(writer, prefix, length);
	return 1;
}

void fib_write_withdraw(
	struct fib_writer *writer, uint16_t network, uint32_t prefix, uint32_t length)
{
	struct prefix_table *table = &writer->tables[network];
	if (writer->resume_at[network] == 0) {
		if (!prefix_table_get(table, prefix, length))
			return;
		prefix_table_remove(table, prefix, length);
	}
	uint32_t cover_length;
	uint32_t group = prefix_table_cover(table, prefix, length, &cover_length);
	struct change change = {leaf_make(group, cover_length), length, 1};
	paint(writer, network, prefix, &change);
	touch(writer, prefix, length);
}

void fib_write_begin_step(struct fib_writer *writer)
{
	writer->entries_left = STEP_ENTRIES;
}

int fib_write_must_pause(const struct fib_writer *writer)
{
	return writer->entries_left == 0;
}

int fib_write_is_unfinished(const struct fib_writer *writer, uint16_t network)
{
	return writer->resume_at[network] != 0;
}

void fib_write_clear(struct fib_writer *writer, uint16_t network)
{
	uint32_t *root = root_of(writer, network);
	for (uint32_t i = 0; i < FIB_ROOT_ENTRIES; i++) {
		uint32_t top = root[i];
		if (top == 0)
			continue;
		store(&root[i], 0);
		if (!entry_is_ply(top))
			continue;
		const uint32_t *middle = ply_entries(writer, entry_ply(top));
		uint32_t deeper = writer->ply_deeper[entry_ply(top)];
		for (uint32_t j = 0; deeper > 0; j++) {
			if (!entry_is_ply(middle[j]))
				continue;
			ply_unlinked(writer, entry_ply(middle[j]));
			deeper--;
		}
		ply_unlinked(writer, entry_ply(top));
	}
	prefix_table_clear(&writer->tables[network]);
	writer->resume_at[network] = 0;
	touch(writer, 0, 0);
	fib_write_bump(writer, network);
}
