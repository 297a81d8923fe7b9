// The private half of the session table, made from the records: at every start of a forwarder, which
// may find the records of one that was killed between any two stores.
//
// What is rebuilt: hash indexes, port bitmaps and pool rows, free lists, counts of clients, timers.
// A session whose binding is not live, or a binding whose port is not its own, is emptied. A binding
// that lost its last session just before the death goes into the quarantine that was noted in it.
#include "nat/session.h"

#include "nat/session_private.h"

#include <stdlib.h>
#include <string.h>

enum { TIMER_SPREAD_TICKS = 64 };

static void rebuild_bindings(struct session_table *table, const struct arena *arena)
{
	for (uint32_t at = table->binding_max; at-- > 0;) {
		struct binding_record *b = &table->bindings[at];
		struct binding_link *link = &table->binding_links[at];
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

// The index lines of a record some way ahead, so that their misses overlap.
static void prefetch_ahead(const struct session_table *table, uint32_t at)
{
	enum { AHEAD = 16 };
	if (at < AHEAD)
		return;
	const struct session_record *s = &table->sessions[at - AHEAD];
	if (!session_record_is_live(s))
		return;
	const struct index *index = &table->session_index;
	index_prefetch(index, index_hash(index, session_key(s, SESSION_OUTBOUND)));
	index_prefetch(index, index_hash(index, session_key(s, SESSION_INBOUND)));
	if (s->binding < table->binding_max) {
		__builtin_prefetch(&table->bindings[s->binding]);
		__builtin_prefetch(&table->binding_links[s->binding]);
	}
}

static void rebuild_sessions(
	struct session_table *table, const struct arena *arena, uint32_t now_tick)
{
	for (uint32_t at = table->session_max; at-- > 0;) {
		struct session_record *s = &table->sessions[at];
		prefetch_ahead(table, at);
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
	for (uint32_t at = 0; at < table->binding_max; at++) {
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

struct session_table *session_table_make(struct arena *arena, uint64_t *counters, uint32_t now_tick)
{
	struct session_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	const struct arena_header *header = arena->header;
	table->sessions = arena_at(arena, header->at_sessions);
	table->bindings = arena_at(arena, header->at_bindings);
	table->session_max = header->limits.sessions;
	table->binding_max = header->limits.bindings;
	table->counters = counters;
	table->free_session = table->free_binding = table->free_client = EGRET_NONE;
	table->sweep_next = table->session_max;
	table->session_links = calloc(table->session_max, sizeof *table->session_links);
	table->binding_links = calloc(table->binding_max, sizeof *table->binding_links);
	table->clients = calloc(table->session_max, sizeof *table->clients);
	table->pools = port_pools_make(arena);
	if (!table->session_links || !table->binding_links || !table->clients || !table->pools ||
		index_make(&table->session_index, table->session_max * 2, header->hash_key) < 0 ||
		index_make(&table->binding_index, table->binding_max * 2, header->hash_key) < 0 ||
		index_make(&table->client_index, table->session_max, header->hash_key) < 0 ||
		timer_make(&table->timers, table->session_max + table->binding_max, now_tick) < 0) {
		session_table_free(table);
		return NULL;
	}
	for (uint32_t at = table->session_max; at-- > 0;) {
		table->clients[at].next_free = table->free_client;
		table->free_client = at;
	}
	counters[EGRET_WORKER_COUNTER_SESSIONS] = 0;
	counters[EGRET_WORKER_COUNTER_BINDINGS] = 0;
	counters[EGRET_WORKER_COUNTER_SESSIONS_REBUILT] = 0;
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
	timer_free(&table->timers);
	port_pools_free(table->pools);
	free(table->session_links);
	free(table->binding_links);
	free(table->clients);
	free(table);
}
