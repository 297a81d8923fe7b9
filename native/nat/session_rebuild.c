// SPDX-License-Identifier: Apache-2.0

// The private half of the session table, made from the records: at every start of a forwarder, which
// may find the records of one that was killed between any two stores.
//
// What is rebuilt: hash indexes, port bitmaps and pool rows, free lists, counts of clients and remotes, timers.
// A session whose binding is not live, or a binding whose port is not its own, is emptied. A binding
// that lost its last session just before the crash enters the quarantine that its record names.
//
// The cost grows with the sessions, not with the limits: records past the mark of used ones are not
// read, and the private tables are zeros that cost nothing before they are written (lib/pages.h).
#include "nat/session.h"

#include "lib/pages.h"
#include "nat/session_private.h"
#include "nat/session_share.h"

#include <stdlib.h>

enum {
	TIMER_SPREAD_TICKS = 64,
	PREFETCH_AHEAD = 16, // records, so that their cache misses overlap
	FEW = 16, // of the limit, one in so many sessions: their pages are taken one by one
};

// Lowers the marks to what is in use, so that a peak of long ago costs nothing.
static void trim(struct session_table *table)
{
	uint32_t used = *table->sessions_used;
	while (used > 0 && !session_record_is_live(&table->sessions[used - 1]))
		used--;
	*table->sessions_used = used;
	used = *table->bindings_used;
	while (used > 0 && table->bindings[used - 1].state == BINDING_EMPTY)
		used--;
	*table->bindings_used = used;
}

static void rebuild_bindings(struct session_table *table, const struct arena *arena)
{
	for (uint32_t at = *table->bindings_used; at-- > 0;) {
		struct binding_record *b = &table->bindings[at];
		struct binding_link *link = &table->binding_links[at];
		if (at >= PREFETCH_AHEAD)
			binding_prefetch(table, at - PREFETCH_AHEAD);
		*link = (struct binding_link){.first_session = EGRET_NONE};
		int is_valid = (b->state == BINDING_LIVE || b->state == BINDING_QUARANTINED) &&
			b->address_slot < EGRET_ADDRESS_MAX && b->outside_addr != 0 &&
			arena->slots->addresses[b->address_slot] == b->outside_addr;
		enum port_pool_kind kind = port_pool_kind(b->protocol);
		if (is_valid &&
			port_pool_take_exact(
				table->pools, b->address_slot, kind, b->outside_port) == 0) {
			if (binding_index_add(table, at) == 0)
				continue;
			port_pool_give(table->pools, b->address_slot, kind, b->outside_port, 0);
		}
		__atomic_store_n(&b->state, BINDING_EMPTY, __ATOMIC_RELEASE);
		link->first_session = table->free_binding;
		table->free_binding = at;
	}
}

static int session_is_sound(
	const struct session_table *table, const struct session_record *s, uint32_t network_max)
{
	if (s->binding >= table->binding_max || s->network >= network_max ||
		s->phase >= EGRET_SESSION_STATE_COUNT)
		return 0;
	const struct binding_record *b = &table->bindings[s->binding];
	return b->state == BINDING_LIVE && b->inside_addr == s->inside_addr &&
		b->inside_port == s->inside_port && b->outside_addr == s->outside_addr &&
		b->outside_port == s->outside_port && b->protocol == s->protocol;
}

// The index lines of a record some way ahead.
static void prefetch_session(const struct session_table *table, uint32_t at)
{
	if (at < PREFETCH_AHEAD)
		return;
	const struct session_record *s = &table->sessions[at - PREFETCH_AHEAD];
	if (!session_record_is_live(s))
		return;
	const struct index *index = &table->session_index;
	index_prefetch_insert(index, index_hash(index, session_key(s, SESSION_OUTBOUND)));
	index_prefetch_insert(index, index_hash(index, session_key(s, SESSION_INBOUND)));
	if (s->binding < table->binding_max) {
		__builtin_prefetch(&table->bindings[s->binding]);
		__builtin_prefetch(&table->binding_links[s->binding]);
	}
}

static void rebuild_sessions(
	struct session_table *table, const struct arena *arena, uint32_t now_tick)
{
	for (uint32_t at = *table->sessions_used; at-- > 0;) {
		struct session_record *s = &table->sessions[at];
		prefetch_session(table, at);
		if (session_record_is_live(s)) {
			if (session_is_sound(table, s, arena->header->limits.networks) &&
				session_attach(table, at) == 0) {
				// The plan of its timeout is not known here: looked at again soon.
				timer_set(
					&table->timers, at, now_tick + 1 + at % TIMER_SPREAD_TICKS);
				table->counters[EGRET_WORKER_COUNTER_SESSIONS_REBUILT]++;
				continue;
			}
			__atomic_store_n(&s->state, s->state + 1, __ATOMIC_RELEASE);
		}
		table->session_links[at].next = table->free_session;
		table->free_session = at;
	}
}

static void settle_bindings(struct session_table *table)
{
	for (uint32_t at = 0; at < *table->bindings_used; at++) {
		struct binding_record *b = &table->bindings[at];
		if (b->state == BINDING_EMPTY)
			continue;
		enum port_pool_kind kind = port_pool_kind(b->protocol);
		if (b->state == BINDING_LIVE) {
			table->counters[EGRET_WORKER_COUNTER_BINDINGS]++;
			if (table->binding_links[at].session_count > 0)
				continue;
			if (b->until_tick == 0) {
				binding_free(table, at);
				continue;
			}
			table->counters[EGRET_WORKER_COUNTER_BINDINGS]--;
			__atomic_store_n(&b->state, BINDING_QUARANTINED, __ATOMIC_RELEASE);
		}
		port_pool_quarantine(table->pools, b->address_slot, kind);
		timer_set(&table->timers, table->session_max + at, b->until_tick);
	}
}

static uint64_t session_links_bytes(const struct session_table *table)
{
	return (uint64_t)table->session_max * sizeof *table->session_links;
}

static uint64_t binding_links_bytes(const struct session_table *table)
{
	return (uint64_t)table->binding_max * sizeof *table->binding_links;
}

static uint64_t clients_bytes(const struct session_table *table)
{
	return (uint64_t)table->session_max * sizeof *table->clients;
}

static uint64_t remotes_bytes(const struct session_table *table)
{
	return (uint64_t)table->session_max * sizeof *table->remotes;
}

struct session_table *session_table_make(struct arena *arena, uint64_t *counters, uint32_t now_tick)
{
	struct session_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	struct arena_header *header = arena->header;
	table->sessions = arena_rows(arena, ARENA_SESSIONS);
	table->bindings = arena_rows(arena, ARENA_BINDINGS);
	table->sessions_used = &header->preamble.lists[ARENA_SESSIONS].used;
	table->bindings_used = &header->preamble.lists[ARENA_BINDINGS].used;
	table->session_max = header->limits.sessions;
	table->binding_max = header->limits.bindings;
	table->counters = counters;
	table->free_session = table->free_binding = EGRET_NONE;
	table->free_client = table->free_remote = EGRET_NONE;
	table->sweep_next = UINT32_MAX;
	table->session_links = pages_make(session_links_bytes(table));
	table->binding_links = pages_make(binding_links_bytes(table));
	table->clients = pages_make(clients_bytes(table));
	table->remotes = pages_make(remotes_bytes(table));
	table->pools = port_pools_make(arena);
	if (!table->session_links || !table->binding_links || !table->clients || !table->remotes ||
		!table->pools ||
		session_shares_make(&table->shares, (uint16_t)header->limits.networks) < 0 ||
		index_make(&table->session_index, table->session_max * 2, header->hash_key) < 0 ||
		index_make(&table->binding_index, table->binding_max * 2, header->hash_key) < 0 ||
		index_make(&table->client_index, table->session_max, header->hash_key) < 0 ||
		index_make(&table->remote_index, table->session_max, header->hash_key) < 0 ||
		timer_make(&table->timers, table->session_max + table->binding_max, now_tick) < 0) {
		session_table_free(table);
		return NULL;
	}
	counters[EGRET_WORKER_COUNTER_SESSIONS] = 0;
	counters[EGRET_WORKER_COUNTER_BINDINGS] = 0;
	counters[EGRET_WORKER_COUNTER_SESSIONS_REBUILT] = 0;
	trim(table);
	if (*table->sessions_used > table->session_max / FEW)
		index_will_fill(&table->session_index);
	if (*table->bindings_used > table->binding_max / FEW)
		index_will_fill(&table->binding_index);
	rebuild_bindings(table, arena);
	rebuild_sessions(table, arena, now_tick);
	settle_bindings(table);
	return table;
}

void session_table_free(struct session_table *table)
{
	if (!table)
		return;
	index_free(&table->session_index);
	index_free(&table->binding_index);
	index_free(&table->client_index);
	index_free(&table->remote_index);
	session_shares_free(&table->shares);
	timer_free(&table->timers);
	port_pools_free(table->pools);
	pages_free(table->session_links, session_links_bytes(table));
	pages_free(table->binding_links, binding_links_bytes(table));
	pages_free(table->clients, clients_bytes(table));
	pages_free(table->remotes, remotes_bytes(table));
	free(table);
}
