// SPDX-License-Identifier: Apache-2.0

// The table: a row of the arena and a private record for each neighbor, found by a keyed hash.
//
// Chains of indexes rather than open addressing, because neighbors are added and removed all the time.
// The hash is keyed with the arena's secret, since senders choose which on-link addresses are resolved.
#include "neighbor/neighbor.h"

#include "lib/clock.h"
#include "neighbor/neighbor_table.h"

#include <assert.h>
#include <string.h>

enum { RECLAIM_ROWS = 256 }; // looked at in search of a row that may be reused

static uint32_t chain_of(const struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint64_t x = ((uint64_t)port << 32 | address) ^ table->key[0];
	x = (x ^ x >> 32) * (table->key[1] | 1);
	x = (x ^ x >> 29) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(x >> 32) & table->chain_mask;
}

// Status reads rows without a lock: who it is and its state are one word, its MAC address another.
void neighbor_row_store_state(struct egret_neighbor_row *row, enum neighbor_state state)
{
	if (row->state != state)
		row->since_ns = clock_now_ns();
	__atomic_store_n(&row->state, (uint16_t)state, __ATOMIC_RELEASE);
}

void neighbor_row_link(struct neighbor_table *table, uint32_t index)
{
	struct egret_neighbor_row *row = &table->rows[index];
	uint32_t *chain = &table->chains[chain_of(table, row->port, row->address)];
	table->neighbors[index] = (struct neighbor){.next = *chain, .dump = table->dump};
	*chain = index;
}

static void unlink_row(struct neighbor_table *table, uint32_t index)
{
	struct egret_neighbor_row *row = &table->rows[index];
	uint32_t *at = &table->chains[chain_of(table, row->port, row->address)];
	while (*at != index)
		at = &table->neighbors[*at].next;
	*at = table->neighbors[index].next;
}

uint32_t neighbor_row_find(const struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint32_t index = table->chains[chain_of(table, port, address)];
	while (index != EGRET_NONE &&
		(table->rows[index].address != address || table->rows[index].port != port))
		index = table->neighbors[index].next;
	return index;
}

// Forgets a neighbor for which nothing waits.
static void remove_row(struct neighbor_table *table, uint32_t index)
{
	struct egret_neighbor_row *row = &table->rows[index];
	assert(table->neighbors[index].held_count == 0);
	unlink_row(table, index);
	neighbor_row_store_state(row, NEIGHBOR_UNKNOWN);
	memset(row, 0, sizeof *row);
	table->free_rows[table->free_row_count++] = index;
}

// Removes a neighbor that is not in use: unreachable, and no packet waits for it. A clock hand: it
// continues behind the row that was checked last.
static void reclaim_row(struct neighbor_table *table)
{
	uint32_t limit = table->row_count < RECLAIM_ROWS ? table->row_count : RECLAIM_ROWS;
	for (uint32_t i = 0; i < limit; i++) {
		uint32_t index = table->reclaim_at;
		table->reclaim_at = (table->reclaim_at + 1) % table->row_count;
		if (table->rows[index].address == 0 ||
			table->rows[index].state == NEIGHBOR_REACHABLE ||
			table->neighbors[index].held_count > 0)
			continue;
		remove_row(table, index);
		return;
	}
}

uint32_t neighbor_row_insert(struct neighbor_table *table, uint16_t port, uint32_t address)
{
	if (table->free_row_count == 0)
		reclaim_row(table);
	if (table->free_row_count == 0 || address == 0)
		return EGRET_NONE;
	uint32_t index = table->free_rows[--table->free_row_count];
	struct egret_neighbor_row *row = &table->rows[index];
	row->port = port;
	__atomic_store_n(&row->address, address, __ATOMIC_RELEASE);
	neighbor_row_link(table, index);
	return index;
}

// The row of a neighbor whose MAC address is known, and who is polled if it is time. EGRET_NONE: none.
static uint32_t use_row(struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index == EGRET_NONE || table->rows[index].state != NEIGHBOR_REACHABLE)
		return EGRET_NONE;
	struct neighbor *neighbor = &table->neighbors[index];
	if (table->now_ns >= neighbor->poll_ns && !neighbor->is_polled &&
		table->polled_count < POLLED_MAX) {
		neighbor->is_polled = 1;
		table->polled[table->polled_count++] = index;
	}
	return index;
}

int neighbor_find(struct neighbor_table *table, uint16_t port, uint32_t address, uint8_t mac[6])
{
	uint32_t index = use_row(table, port, address);
	if (index == EGRET_NONE)
		return 0;
	memcpy(mac, table->rows[index].mac, 6);
	return 1;
}

int neighbor_is_answering(struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint32_t index = use_row(table, port, address);
	return index != EGRET_NONE && !table->neighbors[index].is_silent;
}

void neighbor_update(struct neighbor_table *table, uint16_t port, uint32_t address,
	enum neighbor_state state, const uint8_t mac[6])
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index == EGRET_NONE && state == NEIGHBOR_REACHABLE)
		index = neighbor_row_insert(table, port, address);
	if (index == EGRET_NONE)
		return;
	struct egret_neighbor_row *row = &table->rows[index];
	struct neighbor *neighbor = &table->neighbors[index];
	neighbor->dump = table->dump;
	switch (state) {
	case NEIGHBOR_REACHABLE:
		if (memcmp(row->mac, mac, 6) != 0)
			neighbor->is_silent = 0; // that one was not asked yet
		memcpy(row->mac, mac, 6);
		neighbor_row_store_state(row, NEIGHBOR_REACHABLE);
		break;
	case NEIGHBOR_FAILED:
		neighbor->failed_ns = table->now_ns;
		neighbor_row_store_state(row, NEIGHBOR_FAILED);
		break;
	case NEIGHBOR_RESOLVING:
		// It may follow our own verdict that the neighbor failed, which stands for a second.
		if (row->state != NEIGHBOR_FAILED)
			neighbor_row_store_state(row, NEIGHBOR_RESOLVING);
		break;
	case NEIGHBOR_UNKNOWN:
		if (neighbor->held_count == 0)
			remove_row(table, index);
		else
			neighbor_row_store_state(row, NEIGHBOR_RESOLVING);
		break;
	}
}

void neighbor_keep_flags(struct neighbor_table *table, uint16_t port, uint32_t address,
	uint8_t flags, uint8_t flags_ext)
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index == EGRET_NONE && (flags || flags_ext))
		index = neighbor_row_insert(table, port, address);
	if (index == EGRET_NONE)
		return;
	table->neighbors[index].kernel_flags = flags;
	table->neighbors[index].kernel_flags_ext = flags_ext;
}

void neighbor_forget_port(struct neighbor_table *table, uint16_t port)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		if (table->rows[i].address == 0 || table->rows[i].port != port)
			continue;
		if (table->neighbors[i].held_count == 0) {
			remove_row(table, i);
		} else {
			table->neighbors[i].failed_ns = table->now_ns;
			neighbor_row_store_state(&table->rows[i], NEIGHBOR_FAILED);
		}
	}
}

void neighbor_dump_begin(struct neighbor_table *table)
{
	table->dump++;
}

void neighbor_dump_end(struct neighbor_table *table)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		const struct egret_neighbor_row *row = &table->rows[i];
		if (row->address != 0 && row->state == NEIGHBOR_REACHABLE &&
			table->neighbors[i].dump != table->dump)
			neighbor_update(table, row->port, row->address, NEIGHBOR_UNKNOWN, NULL);
	}
}
