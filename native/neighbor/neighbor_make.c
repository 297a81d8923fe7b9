// SPDX-License-Identifier: Apache-2.0

// Making and freeing the table, and taking over the rows that the previous forwarder left.
#include "neighbor/neighbor.h"
#include "neighbor/neighbor_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Takes over the rows of the previous forwarder, except what it was in the middle of.
static void adopt_rows(struct neighbor_table *table)
{
	for (uint32_t i = table->row_count; i-- > 0;) {
		struct egret_neighbor_row *row = &table->rows[i];
		int is_sound = row->address != 0 && row->port < EGRET_PORT_MAX &&
			row->state == NEIGHBOR_REACHABLE &&
			neighbor_row_find(table, row->port, row->address) == EGRET_NONE;
		if (is_sound) {
			neighbor_row_link(table, i);
		} else {
			memset(row, 0, sizeof *row);
			table->free_rows[table->free_row_count++] = i;
		}
	}
}

struct neighbor_table *neighbor_table_make(struct arena *arena)
{
	struct neighbor_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	const struct arena_header *header = arena->header;
	uint32_t chain_count = 64;
	while (chain_count < header->limits.neighbors * 2ull)
		chain_count *= 2;
	table->rows = arena_at(arena, header->at_neighbors);
	table->row_count = header->limits.neighbors;
	table->chain_mask = chain_count - 1;
	memcpy(table->key, header->hash_key, sizeof table->key);
	table->netlink.fd = -1;
	table->chains = malloc(chain_count * sizeof *table->chains);
	table->neighbors = calloc(table->row_count + 1, sizeof *table->neighbors);
	table->free_rows = calloc(table->row_count + 1, sizeof *table->free_rows);
	if (!neighbor_hold_make(table) || !table->chains || !table->neighbors ||
		!table->free_rows) {
		neighbor_table_free(table);
		return NULL;
	}
	memset(table->chains, 0xff, chain_count * sizeof *table->chains); // EGRET_NONE
	adopt_rows(table);
	return table;
}

void neighbor_table_free(struct neighbor_table *table)
{
	if (!table)
		return;
	if (table->netlink.fd >= 0)
		close(table->netlink.fd);
	free(table->chains);
	free(table->neighbors);
	free(table->free_rows);
	neighbor_hold_free(table);
	free(table);
}
