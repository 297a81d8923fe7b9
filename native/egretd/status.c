// SPDX-License-Identifier: Apache-2.0

// What status reads from the arena: live views of counters, and copies of rows that others write.
#include "egret.h"
#include "lib/clock.h"
#include "nat/session.h"
#include "plan/decide.h"
#include "wire/header.h"

#include <string.h>

enum { SCAN_MAX = 65536 }; // session records that one call reads: a few milliseconds

const uint64_t *egret_port_counters(void *handle)
{
	return &((struct arena *)handle)->counters->ports[0][0];
}

const uint64_t *egret_drop_counters(void *handle)
{
	return &((struct arena *)handle)->counters->drops[0][0];
}

const uint64_t *egret_worker_counters(void *handle)
{
	return ((struct arena *)handle)->counters->worker;
}

uint64_t egret_forwarder_heartbeat_ns(void *handle)
{
	const struct arena_header *header = ((struct arena *)handle)->header;
	uint64_t oldest_ns = UINT64_MAX;
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++) {
		uint64_t heartbeat_ns = __atomic_load_n(
			&header->workers[i].heartbeat_ns, __ATOMIC_ACQUIRE);
		if (heartbeat_ns < oldest_ns)
			oldest_ns = heartbeat_ns;
	}
	return oldest_ns;
}

// Copies a record that its worker may change meanwhile. 0 when it is not live, or no longer the same.
static int session_copy(const struct session_record *record, struct session_record *copy)
{
	uint32_t state = __atomic_load_n(&record->state, __ATOMIC_ACQUIRE);
	if (state % 2 == 0)
		return 0;
	memcpy(copy, record, sizeof *copy);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&record->state, __ATOMIC_RELAXED) == state;
}

static uint64_t idle_ns(uint32_t last_tick, uint64_t now_ns)
{
	// The tick of its last packet may be a moment ahead of our clock.
	uint32_t ticks = (uint32_t)(now_ns / EGRET_TICK_NS) - last_tick;
	return ticks > INT32_MAX ? 0 : (uint64_t)ticks * EGRET_TICK_NS;
}

int egret_sessions_read(void *handle, uint32_t *cursor, struct egret_session_row *rows, uint32_t n)
{
	const struct arena *arena = handle;
	const struct session_record *records = arena_rows(arena, ARENA_SESSIONS);
	uint32_t max = arena->header->limits.sessions, written = 0;
	uint32_t used = __atomic_load_n(
		&arena->header->preamble.lists[ARENA_SESSIONS].used, __ATOMIC_ACQUIRE);
	if (used > max)
		used = max;
	uint64_t now_ns = clock_now_ns();
	if (!cursor || !rows || n > INT32_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	uint32_t end = used > SCAN_MAX && *cursor < used - SCAN_MAX ? *cursor + SCAN_MAX : used;
	for (; *cursor < end && written < n; (*cursor)++) {
		struct session_record record;
		if (!session_copy(&records[*cursor], &record))
			continue;
		rows[written++] = (struct egret_session_row){
			.idle_ns = idle_ns(record.last_tick, now_ns),
			.inside_addr = record.inside_addr,
			.outside_addr = record.outside_addr,
			.remote_addr = record.remote_addr,
			.inside_port = record.inside_port,
			.outside_port = record.outside_port,
			.remote_port = record.remote_port,
			.network = record.network,
			.protocol = record.protocol,
			.state = record.phase < EGRET_SESSION_STATE_COUNT ? record.phase : 0,
		};
	}
	if (*cursor >= used)
		*cursor = max; // nothing is past the records that were ever used
	return (int)written;
}

int egret_neighbors_read(
	void *handle, uint32_t *cursor, struct egret_neighbor_row *rows, uint32_t n)
{
	const struct arena *arena = handle;
	const struct egret_neighbor_row *known = arena_at(arena, arena->header->at_neighbors);
	uint32_t max = arena->header->limits.neighbors, written = 0;
	uint64_t now_ns = clock_now_ns();
	if (!cursor || !rows || n > INT32_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	for (; *cursor < max && written < n; (*cursor)++) {
		const struct egret_neighbor_row *row = &known[*cursor];
		uint16_t state = __atomic_load_n(&row->state, __ATOMIC_ACQUIRE);
		if (state == 0)
			continue;
		rows[written] = *row;
		rows[written].state = state;
		rows[written].since_ns = row->since_ns == 0 || row->since_ns > now_ns
			? 0
			: now_ns - row->since_ns;
		written++;
	}
	return (int)written;
}

int egret_pool_read(void *handle, uint16_t address_slot, struct egret_pool_row *row)
{
	const struct arena *arena = handle;
	const struct egret_pool_row *pools = arena_at(arena, arena->header->at_pools);
	if (address_slot >= EGRET_ADDRESS_MAX || !row)
		return -EGRET_STATUS_BAD_ARGUMENT;
	const struct egret_pool_row *pool = &pools[address_slot];
	row->tcp_used = __atomic_load_n(&pool->tcp_used, __ATOMIC_ACQUIRE);
	row->udp_used = __atomic_load_n(&pool->udp_used, __ATOMIC_RELAXED);
	row->icmp_used = __atomic_load_n(&pool->icmp_used, __ATOMIC_RELAXED);
	row->quarantined = __atomic_load_n(&pool->quarantined, __ATOMIC_RELAXED);
	return 0;
}

// What the stages before the decision make of a packet. Returns the drop reason, or NONE.
static enum egret_drop judge_ends(
	const struct plan_view *plan, uint32_t client, uint32_t destination)
{
	const struct egret_plan_address *pool = plan_address(plan, destination);
	if (ipv4_is_martian(client))
		return EGRET_DROP_MARTIAN_SOURCE;
	if (ipv4_is_martian(destination))
		return EGRET_DROP_MARTIAN_DESTINATION;
	if (!pool)
		return EGRET_DROP_NONE;
	return pool->network_count > 0 ? EGRET_DROP_WRONG_NETWORK : EGRET_DROP_NO_SESSION;
}

// 1 when the main table reaches a client by a port that may begin its sessions (RFC 3704).
static int has_way_in(const struct plan_view *plan, const struct fib_view *fib, uint32_t client)
{
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	uint32_t group = fib_lookup(fib, 0, client);
	uint32_t count = group < EGRET_GROUP_FIRST ? 0 : fib_group_read(fib, group, paths);
	for (uint32_t i = 0; i < count; i++) {
		const struct egret_plan_port *port = plan_port(plan, paths[i].port);
		if (port && port->role != EGRET_ROLE_NETWORKS)
			return 1;
	}
	return 0;
}

int egret_why(void *handle, uint32_t client, uint32_t destination, struct egret_decision *decision)
{
	const struct arena *arena = handle;
	struct plan_view plan;
	struct fib_view fib;
	if (!decision)
		return -EGRET_STATUS_BAD_ARGUMENT;
	plan_view_take(arena, &plan);
	fib_view_take(arena, &fib);
	*decision = (struct egret_decision){
		.client = EGRET_NONE, .rule = EGRET_NONE, .port = EGRET_NONE};
	decision->drop = (uint16_t)judge_ends(&plan, client, destination);
	if (decision->drop)
		return 0;
	struct decide_source source;
	decision->drop = (uint16_t)decide_source(&plan, client, destination, &source);
	if (source.client && !has_way_in(&plan, &fib, client))
		decision->drop = EGRET_DROP_WRONG_INTERFACE;
	if (source.client)
		decision->client = source.client->identity;
	if (source.rule)
		decision->rule = (uint32_t)(source.rule - plan.rules);
	if (source.address)
		decision->outside_addr = source.address->address;
	if (decision->drop)
		return 0;
	struct egret_adjacency exit = {.port = (uint16_t)EGRET_NONE};
	decide_route(&fib, source.address, destination, &decision->network, &decision->group);
	decision->drop = (uint16_t)decide_exit(
		&plan, &fib, source.address != NULL, decision->group, 0, destination, &exit);
	decision->port = exit.port == (uint16_t)EGRET_NONE ? EGRET_NONE : exit.port;
	decision->next_hop = exit.next_hop;
	return 0;
}
