// SPDX-License-Identifier: Apache-2.0

#include "fib/prefix_table.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64, LENGTH_BITS = 6 };

// A used entry has a group, which is never 0.
struct prefix_entry {
	uint32_t prefix;
	uint32_t group_length; // group << LENGTH_BITS | length
};

static uint32_t entry_length(const struct prefix_entry *entry)
{
	return entry->group_length & ((1u << LENGTH_BITS) - 1);
}

// The upper bits choose the shard, the lower ones the place in it.
static uint64_t hash_of(const struct prefix_table *table, uint32_t prefix, uint32_t length)
{
	uint64_t hash = ((uint64_t)length << 32 | prefix) ^ table->key;
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	return hash ^ hash >> 32;
}

static struct prefix_shard *shard_of(const struct prefix_table *table, uint64_t hash)
{
	return (struct prefix_shard *)&table->shards[hash >> (64 - PREFIX_SHARD_BITS)];
}

// Where a prefix stands in a shard when nothing is in its way.
static uint32_t home_of(const struct prefix_shard *shard, uint64_t hash)
{
	return (uint32_t)hash & (shard->capacity - 1);
}

// The entry of a prefix, or the empty one where it would stand. The shard has one.
static struct prefix_entry *find(
	const struct prefix_shard *shard, uint64_t hash, uint32_t prefix, uint32_t length)
{
	uint32_t slot = home_of(shard, hash);
	for (;; slot = (slot + 1) & (shard->capacity - 1)) {
		struct prefix_entry *entry = &shard->entries[slot];
		if (entry->group_length == 0 ||
			(entry->prefix == prefix && entry_length(entry) == length))
			return entry;
	}
}

// Moves a shard's entries into room for `capacity`. 0 when there is no memory: it stays as it was.
static int resize(const struct prefix_table *table, struct prefix_shard *shard, uint32_t capacity)
{
	struct prefix_shard resized = *shard;
	resized.capacity = capacity;
	resized.entries = calloc(capacity, sizeof *resized.entries);
	if (!resized.entries)
		return 0;
	for (uint32_t i = 0; i < shard->capacity; i++) {
		const struct prefix_entry *entry = &shard->entries[i];
		if (entry->group_length == 0)
			continue;
		uint32_t length = entry_length(entry);
		uint64_t hash = hash_of(table, entry->prefix, length);
		*find(&resized, hash, entry->prefix, length) = *entry;
	}
	free(shard->entries);
	*shard = resized;
	return 1;
}

int prefix_table_reserve(struct prefix_table *table, uint32_t prefix, uint32_t length)
{
	struct prefix_shard *shard = shard_of(table, hash_of(table, prefix, length));
	if ((uint64_t)(shard->count + 1) * 4 <= (uint64_t)shard->capacity * 3)
		return 1;
	return resize(table, shard, shard->capacity ? shard->capacity * 2 : CAPACITY_MIN);
}

uint32_t prefix_table_get(const struct prefix_table *table, uint32_t prefix, uint32_t length)
{
	if (table->count_of_length[length] == 0)
		return 0;
	uint64_t hash = hash_of(table, prefix, length);
	const struct prefix_shard *shard = shard_of(table, hash);
	if (shard->count == 0)
		return 0;
	return find(shard, hash, prefix, length)->group_length >> LENGTH_BITS;
}

void prefix_table_set(struct prefix_table *table, uint32_t prefix, uint32_t length, uint32_t group)
{
	uint64_t hash = hash_of(table, prefix, length);
	struct prefix_shard *shard = shard_of(table, hash);
	assert(group != 0 && shard->count < shard->capacity);
	struct prefix_entry *entry = find(shard, hash, prefix, length);
	if (entry->group_length == 0) {
		shard->count++;
		table->count_of_length[length]++;
	}
	*entry = (struct prefix_entry){prefix, group << LENGTH_BITS | length};
}

void prefix_table_remove(struct prefix_table *table, uint32_t prefix, uint32_t length)
{
	uint64_t hash = hash_of(table, prefix, length);
	struct prefix_shard *shard = shard_of(table, hash);
	if (shard->count == 0)
		return;
	struct prefix_entry *entry = find(shard, hash, prefix, length);
	if (entry->group_length == 0)
		return;
	shard->count--;
	table->count_of_length[length]--;
	// Moves later entries of the run back, so that no probe meets a gap before its entry.
	uint32_t mask = shard->capacity - 1, gap = (uint32_t)(entry - shard->entries);
	for (uint32_t i = (gap + 1) & mask; shard->entries[i].group_length; i = (i + 1) & mask) {
		const struct prefix_entry *later = &shard->entries[i];
		uint32_t home = home_of(shard, hash_of(table, later->prefix, entry_length(later)));
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		shard->entries[gap] = *later;
		gap = i;
	}
	shard->entries[gap] = (struct prefix_entry){0};
	if (shard->count == 0) {
		free(shard->entries);
		*shard = (struct prefix_shard){0};
	} else if (shard->capacity > CAPACITY_MIN && shard->count < shard->capacity / 8) {
		resize(table, shard, shard->capacity / 2);
	}
}

uint32_t prefix_table_cover(
	const struct prefix_table *table, uint32_t prefix, uint32_t length, uint32_t *cover_length)
{
	for (uint32_t shorter = length; shorter-- > 0;) {
		uint32_t mask = shorter ? UINT32_MAX << (32 - shorter) : 0;
		uint32_t group = prefix_table_get(table, prefix & mask, shorter);
		if (group) {
			*cover_length = shorter;
			return group;
		}
	}
	*cover_length = 0;
	return 0;
}

void prefix_table_clear(struct prefix_table *table)
{
	for (uint32_t i = 0; i < PREFIX_SHARDS; i++)
		free(table->shards[i].entries);
	*table = (struct prefix_table){.key = table->key};
}
