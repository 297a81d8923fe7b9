// SPDX-License-Identifier: Apache-2.0

// Clients of the session table. See session_client.h.
#include "nat/session_client.h"

static uint32_t client_find(const struct session_table *table, uint32_t address, uint64_t hash)
{
	uint32_t cursor = 0, at;
	while ((at = index_next(&table->client_index, hash, &cursor)) != EGRET_NONE)
		if (table->clients[at].address == address)
			return at;
	return EGRET_NONE;
}

static uint64_t client_hash(const struct session_table *table, uint32_t address)
{
	return index_hash(&table->client_index, (struct index_key){address, 0});
}

uint32_t session_client_count(const struct session_table *table, uint32_t inside_addr)
{
	uint32_t at = client_find(table, inside_addr, client_hash(table, inside_addr));
	return at == EGRET_NONE ? 0 : table->clients[at].session_count;
}

uint32_t session_client_hold(struct session_table *table, uint32_t address)
{
	uint64_t hash = client_hash(table, address);
	uint32_t at = client_find(table, address, hash);
	if (at == EGRET_NONE) {
		int is_fresh = table->free_client == EGRET_NONE;
		at = is_fresh ? table->clients_used : table->free_client;
		if (at == table->session_max || index_insert(&table->client_index, hash, at) < 0)
			return EGRET_NONE;
		if (is_fresh)
			table->clients_used++;
		else
			table->free_client = table->clients[at].next_free;
		table->clients[at] = (struct session_client){.address = address};
	}
	table->clients[at].session_count++;
	return at;
}

void session_client_release(struct session_table *table, uint32_t at)
{
	struct session_client *client = &table->clients[at];
	if (--client->session_count > 0)
		return;
	index_remove(&table->client_index, client_hash(table, client->address), at);
	client->next_free = table->free_client;
	table->free_client = at;
}
