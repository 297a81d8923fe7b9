// SPDX-License-Identifier: Apache-2.0

// The prefixes of one network's FIB, as its writer remembers them: which group each one has.
//
// The FIB itself forgets a prefix whose entries are all covered by longer ones; a withdraw must know
// it again. Open addressing with linear probing, 8 bytes a prefix, private to egretd. The hash is cut
// into shards that grow by doubling and shrink by halving, each on its own, so that no single step moves
// a whole full table; 1 M prefixes take 16 MiB. Keyed, because neighbors choose the prefixes.
#pragma once

#include <stdint.h>

enum { PREFIX_SHARD_BITS = 6, PREFIX_SHARDS = 1 << PREFIX_SHARD_BITS };

struct prefix_shard {
	struct prefix_entry *entries; // NULL: no prefix yet
	uint32_t capacity; // a power of two, or 0
	uint32_t count;
};

struct prefix_table {
	struct prefix_shard shards[PREFIX_SHARDS]; // by the first bits of the hash
	uint32_t count_of_length[33];
	uint64_t key;
};

// Makes room for one more prefix, this one. 0 when there is no memory.
int prefix_table_reserve(struct prefix_table *table, uint32_t prefix, uint32_t length);
// The group of a prefix, 0 when it is absent.
uint32_t prefix_table_get(const struct prefix_table *table, uint32_t prefix, uint32_t length);
// Sets the group (not 0) of a prefix; after prefix_table_reserve.
void prefix_table_set(struct prefix_table *table, uint32_t prefix, uint32_t length, uint32_t group);
void prefix_table_remove(struct prefix_table *table, uint32_t prefix, uint32_t length);
// The longest prefix that covers this one and is shorter: its group, 0 when there is none.
uint32_t prefix_table_cover(
	const struct prefix_table *table, uint32_t prefix, uint32_t length, uint32_t *cover_length);
// Forgets all prefixes and gives the memory back; the key stays.
void prefix_table_clear(struct prefix_table *table);
