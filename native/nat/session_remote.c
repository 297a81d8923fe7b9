// SPDX-License-Identifier: Apache-2.0

// Remotes of a binding. See session_remote.h.
#include "nat/session_remote.h"

#include <netinet/in.h>

static uint64_t remote_hash(const struct session_table *table, const struct session_remote *remote)
{
	return index_hash(&table->remote_index,
		(struct index_key){
			(uint64_t)remote->binding << 32 | remote->address, remote->network});
}

static uint32_t remote_find(
	const struct session_table *table, const struct session_remote *wanted, uint64_t hash)
{
	uint32_t cursor = 0, at;
	while ((at = index_next(&table->remote_index, hash, &cursor)) != EGRET_NONE) {
		const struct session_remote *found = &table->remotes[at];
		if (found->binding == wanted->binding && found->address == wanted->address &&
			found->network == wanted->network)
			return at;
	}
	return EGRET_NONE;
}

int binding_has_remote(
	const struct session_table *table, uint32_t binding, uint16_t network, uint32_t remote_addr)
{
	const struct session_remote wanted = {
		.binding = binding, .address = remote_addr, .network = network};
	return remote_find(table, &wanted, remote_hash(table, &wanted)) != EGRET_NONE;
}

// Counts a session to its binding and remote address. Returns the row, EGRET_NONE when the index is full:
// there are as many rows as sessions, so one is free.
static uint32_t remote_hold(struct session_table *table, uint32_t session)
{
	const struct session_record *s = &table->sessions[session];
	const struct session_remote wanted = {
		.binding = s->binding, .address = s->remote_addr, .network = s->network};
	uint64_t hash = remote_hash(table, &wanted);
	uint32_t at = remote_find(table, &wanted, hash);
	if (at == EGRET_NONE) {
		int is_fresh = table->free_remote == EGRET_NONE;
		at = is_fresh ? table->remotes_used : table->free_remote;
		if (at == table->session_max || index_insert(&table->remote_index, hash, at) < 0)
			return EGRET_NONE;
		if (is_fresh)
			table->remotes_used++;
		else
			table->free_remote = table->remotes[at].next_free;
		table->remotes[at] = wanted;
	}
	table->remotes[at].session_count++;
	return at;
}

void session_remote_release(struct session_table *table, uint32_t at)
{
	struct session_remote *remote = &table->remotes[at];
	if (--remote->session_count > 0)
		return;
	index_remove(&table->remote_index, remote_hash(table, remote), at);
	remote->next_free = table->free_remote;
	table->free_remote = at;
}

void session_remote_settle(struct session_table *table, uint32_t session)
{
	const struct session_record *s = &table->sessions[session];
	uint32_t *remote = &table->session_links[session].remote;
	int is_kept = table->keeps_remotes && s->protocol != IPPROTO_ICMP &&
		table->bindings[s->binding].is_shared;
	if (is_kept && *remote == EGRET_NONE) {
		*remote = remote_hold(table, session);
	} else if (!is_kept && *remote != EGRET_NONE) {
		session_remote_release(table, *remote);
		*remote = EGRET_NONE;
	}
}
