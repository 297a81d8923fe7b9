// SPDX-License-Identifier: Apache-2.0

// Sessions and bindings: creation, removal, finding. See session.h; rebuilding from records stands in
// session_rebuild.c, TCP and time in session_timer.c.
#include "nat/session.h"

#include "nat/session_client.h"
#include "nat/session_private.h"
#include "nat/session_remote.h"
#include "nat/session_share.h"

#include <string.h>

void (*session_store_hook)(int mark);

// -- Bindings -------------------------------------------------------------------------------------

static struct index_key binding_inside_key(
	uint8_t protocol, uint32_t inside_addr, uint16_t inside_port, uint32_t outside_addr)
{
	return (struct index_key){(uint64_t)inside_addr << 32 | outside_addr,
		(uint64_t)inside_port << 48 | (uint32_t)protocol << 8};
}

static struct index_key binding_outside_key(
	uint8_t protocol, uint32_t outside_addr, uint16_t outside_port)
{
	return (struct index_key){
		outside_addr, (uint64_t)outside_port << 48 | (uint32_t)protocol << 8 | 1};
}

void binding_prefetch(const struct session_table *table, uint32_t binding)
{
	const struct binding_record *b = &table->bindings[binding];
	const struct index *index = &table->binding_index;
	index_prefetch_insert(index,
		index_hash(
			index, binding_outside_key(b->protocol, b->outside_addr, b->outside_port)));
	if (b->is_shared)
		index_prefetch_insert(index,
			index_hash(index,
				binding_inside_key(b->protocol, b->inside_addr, b->inside_port,
					b->outside_addr)));
}

int binding_index_add(struct session_table *table, uint32_t binding)
{
	const struct binding_record *b = &table->bindings[binding];
	struct index *index = &table->binding_index;
	uint64_t outside = index_hash(
		index, binding_outside_key(b->protocol, b->outside_addr, b->outside_port));
	if (index_insert(index, outside, binding) < 0)
		return -1;
	if (!b->is_shared)
		return 0;
	uint64_t inside = index_hash(index,
		binding_inside_key(b->protocol, b->inside_addr, b->inside_port, b->outside_addr));
	if (index_insert(index, inside, binding) < 0) {
		index_remove(index, outside, binding);
		return -1;
	}
	return 0;
}

static void binding_index_remove(struct session_table *table, uint32_t binding)
{
	const struct binding_record *b = &table->bindings[binding];
	struct index *index = &table->binding_index;
	index_remove(index,
		index_hash(
			index, binding_outside_key(b->protocol, b->outside_addr, b->outside_port)),
		binding);
	if (b->is_shared)
		index_remove(index,
			index_hash(index,
				binding_inside_key(b->protocol, b->inside_addr, b->inside_port,
					b->outside_addr)),
			binding);
}

uint32_t binding_find_outside(const struct session_table *table, uint8_t protocol,
	uint32_t outside_addr, uint16_t outside_port)
{
	uint64_t hash = index_hash(
		&table->binding_index, binding_outside_key(protocol, outside_addr, outside_port));
	uint32_t cursor = 0, at;
	while ((at = index_next(&table->binding_index, hash, &cursor)) != EGRET_NONE) {
		const struct binding_record *b = &table->bindings[at];
		if (b->outside_addr == outside_addr && b->outside_port == outside_port &&
			b->protocol == protocol && b->state == BINDING_LIVE)
			return at;
	}
	return EGRET_NONE;
}

// The shared binding of an inside endpoint, live or in quarantine.
static uint32_t binding_find_inside(
	const struct session_table *table, const struct session_request *request)
{
	uint64_t hash = index_hash(&table->binding_index,
		binding_inside_key(request->protocol, request->inside_addr, request->inside_port,
			request->outside_addr));
	uint32_t cursor = 0, at;
	while ((at = index_next(&table->binding_index, hash, &cursor)) != EGRET_NONE) {
		const struct binding_record *b = &table->bindings[at];
		if (b->inside_addr == request->inside_addr &&
			b->inside_port == request->inside_port &&
			b->outside_addr == request->outside_addr &&
			b->protocol == request->protocol && b->is_shared)
			return at;
	}
	return EGRET_NONE;
}

// A free record: one that was used before, or the first that never was; EGRET_NONE: all are in use.
static uint32_t free_record(uint32_t free_head, uint32_t used, uint32_t max)
{
	if (free_head != EGRET_NONE)
		return free_head;
	return used < max ? used : EGRET_NONE;
}

// Takes the record that free_record found. `next` is the one after it in the free list.
static void take_record(uint32_t *free_head, uint32_t *used, uint32_t at, uint32_t next)
{
	if (*free_head == at)
		*free_head = next;
	else
		*used = at + 1;
}

static uint32_t binding_create(struct session_table *table, const struct session_request *request,
	uint32_t random, enum egret_drop *drop)
{
	uint32_t at = free_record(table->free_binding, *table->bindings_used, table->binding_max);
	if (at == EGRET_NONE) {
		*drop = EGRET_DROP_SESSIONS_FULL;
		return EGRET_NONE;
	}
	enum port_pool_kind kind = port_pool_kind(request->protocol);
	int32_t port = port_pool_take(table->pools, request->address_slot, kind, random);
	if (port < 0) {
		*drop = EGRET_DROP_NO_PORTS;
		return EGRET_NONE;
	}
	session_store_mark(MARK_PORT_TAKEN);
	struct binding_record *b = &table->bindings[at];
	b->until_tick = 0;
	b->inside_addr = request->inside_addr;
	b->outside_addr = request->outside_addr;
	b->inside_port = request->inside_port;
	b->outside_port = (uint16_t)port;
	b->address_slot = request->address_slot;
	b->protocol = request->protocol;
	b->is_shared = request->is_shared;
	session_store_mark(MARK_BINDING_FIELDS);
	if (binding_index_add(table, at) < 0) {
		port_pool_give(table->pools, request->address_slot, kind, (uint16_t)port, 0);
		*drop = EGRET_DROP_SESSIONS_FULL;
		return EGRET_NONE;
	}
	take_record(&table->free_binding, table->bindings_used, at,
		table->binding_links[at].first_session);
	table->binding_links[at] = (struct binding_link){.first_session = EGRET_NONE};
	table->counters[EGRET_WORKER_COUNTER_BINDINGS]++;
	__atomic_store_n(&b->state, BINDING_LIVE, __ATOMIC_RELEASE);
	session_store_mark(MARK_BINDING_LIVE);
	return at;
}

// The same inside endpoint may have its port again before the quarantine is over.
static void binding_revive(struct session_table *table, uint32_t at)
{
	struct binding_record *b = &table->bindings[at];
	timer_clear(&table->timers, table->session_max + at);
	port_pool_revive(table->pools, b->address_slot, port_pool_kind(b->protocol));
	session_store_mark(MARK_PORT_REVIVED);
	table->counters[EGRET_WORKER_COUNTER_BINDINGS]++;
	__atomic_store_n(&b->state, BINDING_LIVE, __ATOMIC_RELEASE);
	session_store_mark(MARK_BINDING_REVIVED);
}

void binding_free(struct session_table *table, uint32_t at)
{
	struct binding_record *b = &table->bindings[at];
	int was_quarantined = b->state == BINDING_QUARANTINED;
	__atomic_store_n(&b->state, BINDING_EMPTY, __ATOMIC_RELEASE);
	session_store_mark(MARK_BINDING_EMPTY);
	timer_clear(&table->timers, table->session_max + at);
	binding_index_remove(table, at);
	port_pool_give(table->pools, b->address_slot, port_pool_kind(b->protocol), b->outside_port,
		was_quarantined);
	session_store_mark(MARK_PORT_GIVEN);
	if (!was_quarantined)
		table->counters[EGRET_WORKER_COUNTER_BINDINGS]--;
	table->binding_links[at].first_session = table->free_binding;
	table->free_binding = at;
}

// Its last session was removed.
static void binding_quarantine(struct session_table *table, uint32_t at)
{
	struct binding_record *b = &table->bindings[at];
	__atomic_store_n(&b->state, BINDING_QUARANTINED, __ATOMIC_RELEASE);
	session_store_mark(MARK_BINDING_QUARANTINED);
	table->counters[EGRET_WORKER_COUNTER_BINDINGS]--;
	port_pool_quarantine(table->pools, b->address_slot, port_pool_kind(b->protocol));
	session_store_mark(MARK_PORT_QUARANTINED);
	timer_set(&table->timers, table->session_max + at, b->until_tick);
}

// -- Sessions -------------------------------------------------------------------------------------

int session_attach(struct session_table *table, uint32_t at)
{
	const struct session_record *s = &table->sessions[at];
	struct index *index = &table->session_index;
	uint64_t inside = index_hash(index, session_key(s, SESSION_OUTBOUND));
	uint64_t outside = index_hash(index, session_key(s, SESSION_INBOUND));
	if (index_insert(index, inside, at) < 0)
		return -1;
	if (index_insert(index, outside, at) < 0) {
		index_remove(index, inside, at);
		return -1;
	}
	struct session_link *link = &table->session_links[at];
	link->client = session_client_hold(table, s->inside_addr);
	if (link->client == EGRET_NONE) {
		index_remove(index, inside, at);
		index_remove(index, outside, at);
		return -1;
	}
	link->remote = EGRET_NONE;
	session_remote_settle(table, at);
	session_share_attach(table, at);
	struct binding_link *binding = &table->binding_links[s->binding];
	link->previous = EGRET_NONE;
	link->next = binding->first_session;
	if (link->next != EGRET_NONE)
		table->session_links[link->next].previous = at;
	binding->first_session = at;
	binding->session_count++;
	table->counters[EGRET_WORKER_COUNTER_SESSIONS]++;
	return 0;
}

static void session_detach(struct session_table *table, uint32_t at)
{
	const struct session_record *s = &table->sessions[at];
	struct index *index = &table->session_index;
	struct session_link *link = &table->session_links[at];
	struct binding_link *binding = &table->binding_links[s->binding];
	timer_clear(&table->timers, at);
	index_remove(index, index_hash(index, session_key(s, SESSION_OUTBOUND)), at);
	index_remove(index, index_hash(index, session_key(s, SESSION_INBOUND)), at);
	session_client_release(table, link->client);
	session_share_detach(table, at);
	if (link->remote != EGRET_NONE)
		session_remote_release(table, link->remote);
	if (link->previous == EGRET_NONE)
		binding->first_session = link->next;
	else
		table->session_links[link->previous].next = link->next;
	if (link->next != EGRET_NONE)
		table->session_links[link->next].previous = link->previous;
	binding->session_count--;
	link->next = table->free_session;
	table->free_session = at;
	table->counters[EGRET_WORKER_COUNTER_SESSIONS]--;
}

static uint32_t session_add(struct session_table *table, uint32_t binding, uint16_t network,
	uint32_t remote_addr, uint16_t remote_port, uint32_t now_tick, enum egret_drop *drop)
{
	uint32_t at = free_record(table->free_session, *table->sessions_used, table->session_max);
	if (at == EGRET_NONE) {
		*drop = EGRET_DROP_SESSIONS_FULL;
		return EGRET_NONE;
	}
	const struct binding_record *b = &table->bindings[binding];
	struct session_record *s = &table->sessions[at];
	uint32_t state = s->state & ~1u; // one that was never used may hold anything
	*s = (struct session_record){
		.state = state,
		.binding = binding,
		.inside_addr = b->inside_addr,
		.outside_addr = b->outside_addr,
		.remote_addr = remote_addr,
		.inside_port = b->inside_port,
		.outside_port = b->outside_port,
		.remote_port = remote_port,
		.network = network,
		.protocol = b->protocol,
		.last_tick = now_tick,
	};
	session_store_mark(MARK_SESSION_FIELDS);
	uint32_t next_free = table->session_links[at].next;
	if (session_attach(table, at) < 0) {
		*drop = EGRET_DROP_SESSIONS_FULL;
		return EGRET_NONE;
	}
	take_record(&table->free_session, table->sessions_used, at, next_free);
	table->counters[EGRET_WORKER_COUNTER_SESSIONS_CREATED]++;
	session_store_mark(MARK_SESSION_ATTACHED);
	__atomic_store_n(&s->state, state + 1, __ATOMIC_RELEASE);
	session_store_mark(MARK_SESSION_LIVE);
	return at;
}

uint32_t session_create(struct session_table *table, const struct session_request *request,
	uint32_t random, uint32_t now_tick, enum egret_drop *drop)
{
	if (free_record(table->free_session, *table->sessions_used, table->session_max) ==
		EGRET_NONE) {
		*drop = EGRET_DROP_SESSIONS_FULL;
		return EGRET_NONE;
	}
	uint32_t binding = request->is_shared ? binding_find_inside(table, request) : EGRET_NONE;
	if (binding == EGRET_NONE) {
		binding = binding_create(table, request, random, drop);
		if (binding == EGRET_NONE)
			return EGRET_NONE;
	} else if (table->bindings[binding].state == BINDING_QUARANTINED) {
		binding_revive(table, binding);
	}
	uint32_t session = session_add(table, binding, request->network, request->remote_addr,
		request->remote_port, now_tick, drop);
	if (session == EGRET_NONE && table->binding_links[binding].session_count == 0)
		binding_free(table, binding);
	else
		table->bindings[binding].until_tick = 0;
	session_store_mark(MARK_BINDING_SETTLED);
	return session;
}

uint32_t session_create_inbound(struct session_table *table, uint32_t binding, uint16_t network,
	uint32_t remote_addr, uint16_t remote_port, uint32_t now_tick, enum egret_drop *drop)
{
	return session_add(table, binding, network, remote_addr, remote_port, now_tick, drop);
}

void session_remove(
	struct session_table *table, uint32_t session, uint32_t now_tick, uint32_t quarantine_ticks)
{
	struct session_record *s = &table->sessions[session];
	uint32_t binding = s->binding;
	int is_last = table->binding_links[binding].session_count == 1;
	if (is_last && quarantine_ticks > 0) {
		uint32_t until_tick = now_tick + quarantine_ticks;
		table->bindings[binding].until_tick = until_tick ? until_tick : 1;
		session_store_mark(MARK_BINDING_UNTIL);
	}
	__atomic_store_n(&s->state, s->state + 1, __ATOMIC_RELEASE);
	session_store_mark(MARK_SESSION_EMPTY);
	session_detach(table, session);
	session_store_mark(MARK_SESSION_DETACHED);
	if (!is_last)
		return;
	if (quarantine_ticks > 0)
		binding_quarantine(table, binding);
	else
		binding_free(table, binding);
}
