// SPDX-License-Identifier: Apache-2.0

// NAT sessions and bindings: the records, which are truth, and the tables that find them.
//
//   inside endpoint ──▶ binding ──▶ outside endpoint      (RFC 4787 REQ-1: one for all remotes)
//                          ▲ ▲
//                    session session ...                  (one for each remote endpoint)
//
// Records live in the arena and survive the forwarder. Everything else here (hash index, port
// bitmaps, timers, free lists, counts of clients and remotes) is private memory, rebuilt
// from them. A record is written while empty, released as live last, and marked empty first on
// removal, so a forwarder that dies between any two stores loses at most the record it was writing.
//
// RFC 4787, RFC 5382, RFC 5508, RFC 6888, RFC 7857. Absent: hairpinning, port blocks, port parity, windows
// of TCP (only the sequence number of a RST is compared, session_timer.c).
#pragma once

#include "arena/arena.h"
#include "lib/index.h"
#include "lib/timer.h"
#include "nat/port_pool.h"
#include "nat/session_record.h"

#include <stdint.h>

// RFC 4787 words: outbound is from inside to outside.
enum session_direction { SESSION_OUTBOUND = 0, SESSION_INBOUND = 1 };

// The worker's private part of a session or binding; the rest is its record.
struct session_link {
	uint32_t next, previous; // sessions of one binding; the free list uses `next`
	uint32_t client; // index into clients
	uint32_t remote; // index into remotes; or EGRET_NONE: not counted
	uint16_t share; // index into shares.of_client (session_share.h)
	uint8_t is_from_outside; // counted there
};

struct binding_link {
	uint32_t first_session; // the free list uses it too
	uint32_t session_count;
};

// An inside address with sessions (RFC 6888 REQ-4).
struct session_client {
	uint32_t address;
	uint32_t session_count;
	uint32_t next_free;
};

// A remote address to which a shared binding has sessions (RFC 4787 §5, address-dependent filtering).
struct session_remote {
	uint32_t binding, address;
	uint32_t session_count;
	uint32_t next_free;
	uint16_t network;
};

// Sessions by network and client, and how many of these there are (session_share.h).
struct session_shares {
	uint32_t *of_network, *from_outside; // [limits.networks]
	uint32_t *of_client;
	uint32_t networks, clients; // in the plan
};

struct session_table {
	struct session_record *sessions; // [session_max], in the arena
	struct binding_record *bindings; // [binding_max], in the arena
	uint32_t session_max, binding_max;
	// Records from here on were never used, and are free; in the arena. Raised before a record is.
	uint32_t *sessions_used, *bindings_used;
	struct session_link *session_links; // [session_max]
	struct binding_link *binding_links; // [binding_max]
	struct session_client *clients; // [session_max]
	struct session_remote *remotes; // [session_max]
	int keeps_remotes; // filtering asks for them; set by the sweep after a plan change
	uint32_t clients_used, remotes_used; // rows from here on were never used
	// Heads, of used ones; EGRET_NONE: none.
	uint32_t free_session, free_binding, free_client, free_remote;
	struct index session_index; // inside and outside keys
	struct index binding_index; // inside and outside endpoints
	struct index client_index;
	struct index remote_index;
	struct session_shares shares;
	struct timer_wheel timers; // numbers: sessions, then bindings
	struct port_pools *pools;
	uint64_t *counters; // the worker's lines
	uint32_t sweep_plan; // plan that the sweep has finished with, or works on
	uint32_t sweep_next; // next record to look at; finished when it was never used
};

// What a new session is to be.
struct session_request {
	uint32_t inside_addr, remote_addr;
	uint16_t inside_port, remote_port;
	uint8_t protocol;
	uint8_t is_shared; // endpoint-independent mapping
	uint16_t network;
	uint32_t outside_addr;
	uint16_t address_slot;
};

// Called after every step in which a record, or what counts it, changes while one is made or removed,
// with a number that says which. A test sets it to end the worker there; otherwise NULL.
extern void (*session_store_hook)(int mark);
enum session_store_mark {
	MARK_PORT_TAKEN,
	MARK_BINDING_FIELDS,
	MARK_BINDING_LIVE,
	MARK_SESSION_FIELDS,
	MARK_SESSION_ATTACHED,
	MARK_SESSION_LIVE,
	MARK_BINDING_SETTLED,
	MARK_BINDING_UNTIL,
	MARK_SESSION_EMPTY,
	MARK_SESSION_DETACHED,
	MARK_BINDING_QUARANTINED,
	MARK_PORT_QUARANTINED,
	MARK_BINDING_EMPTY,
	MARK_PORT_GIVEN,
	MARK_PORT_REVIVED,
	MARK_BINDING_REVIVED,
	MARK_COUNT,
};

// Key of a session as packets from inside show it (the client side is one address space).
static inline struct index_key session_inside_key(uint8_t protocol, uint32_t inside_addr,
	uint16_t inside_port, uint32_t remote_addr, uint16_t remote_port)
{
	return (struct index_key){(uint64_t)inside_addr << 32 | remote_addr,
		(uint64_t)inside_port << 48 | (uint64_t)remote_port << 32 |
			(uint32_t)protocol << 8};
}

// Key of a session as packets from its network show it.
static inline struct index_key session_outside_key(uint16_t network, uint8_t protocol,
	uint32_t outside_addr, uint16_t outside_port, uint32_t remote_addr, uint16_t remote_port)
{
	return (struct index_key){(uint64_t)outside_addr << 32 | remote_addr,
		(uint64_t)outside_port << 48 | (uint64_t)remote_port << 32 |
			(uint32_t)network << 16 | (uint32_t)protocol << 8 | 1};
}

static inline struct index_key session_key(
	const struct session_record *s, enum session_direction direction)
{
	return direction == SESSION_OUTBOUND
		? session_inside_key(s->protocol, s->inside_addr, s->inside_port, s->remote_addr,
			  s->remote_port)
		: session_outside_key(s->network, s->protocol, s->outside_addr, s->outside_port,
			  s->remote_addr, s->remote_port);
}

// Finds a live session by one of its keys. Returns its record index, or EGRET_NONE.
// Hot path: no allocation; the caller has prefetched the buckets of `hash`.
static inline uint32_t session_find(const struct session_table *table, uint64_t hash,
	struct index_key key, enum session_direction direction)
{
	uint32_t cursor = 0, at;
	while ((at = index_next(&table->session_index, hash, &cursor)) != EGRET_NONE) {
		struct index_key found = session_key(&table->sessions[at], direction);
		if (found.high == key.high && found.low == key.low)
			return at;
	}
	return EGRET_NONE;
}

// Makes the table over the arena's records and rebuilds all that is private (session_rebuild.c).
// Returns NULL without memory.
struct session_table *session_table_make(
	struct arena *arena, uint64_t *counters, uint32_t now_tick);
void session_table_free(struct session_table *table);

// Makes a session, and its binding if it needs a new one. Returns its record index, or EGRET_NONE
// with *drop: SESSIONS_FULL, NO_PORTS. Nothing that lives is evicted.
uint32_t session_create(struct session_table *table, const struct session_request *request,
	uint32_t random, uint32_t now_tick, enum egret_drop *drop);
// Makes a session on a live binding for a remote end that spoke first (RFC 4787 §5 filtering).
uint32_t session_create_inbound(struct session_table *table, uint32_t binding, uint16_t network,
	uint32_t remote_addr, uint16_t remote_port, uint32_t now_tick, enum egret_drop *drop);
// Removes a session; its binding, when it was the last one, is quarantined for so many ticks.
void session_remove(struct session_table *table, uint32_t session, uint32_t now_tick,
	uint32_t quarantine_ticks);
// Sessions of one client address.
uint32_t session_client_count(const struct session_table *table, uint32_t inside_addr);

// Finds the live binding of an outside endpoint, or EGRET_NONE.
uint32_t binding_find_outside(const struct session_table *table, uint8_t protocol,
	uint32_t outside_addr, uint16_t outside_port);
// 1 when a session of the shared binding has this remote address in this network. Cost: one lookup,
// whatever the number of its sessions. Of sessions that the sweep has not settled yet it knows nothing.
int binding_has_remote(const struct session_table *table, uint32_t binding, uint16_t network,
	uint32_t remote_addr);

// Counts a session to its remote when the table keeps remotes, and not when it does not.
void session_remote_settle(struct session_table *table, uint32_t session);

// Takes notice of a packet: state of TCP, the idle timer. tcp: its header, whole; read with TCP alone.
// Returns 0, or -1 for a RST that cannot be genuine: the packet is to be dropped.
int session_touch(struct session_table *table, const struct egret_plan *plan, uint32_t session,
	enum session_direction direction, const uint8_t *tcp, uint32_t now_tick);
// A new plan may have shorter timeouts: the timer does not wait for the longer ones.
void session_retime(struct session_table *table, const struct egret_plan *plan, uint32_t session);
// How long the port of a session that ends is kept from others.
uint32_t session_quarantine_ticks(const struct egret_plan *plan);
// Ends sessions and quarantines whose time is up, at most `budget` timers. Returns 1 when more wait.
int session_expire(struct session_table *table, const struct egret_plan *plan, uint32_t now_tick,
	uint32_t budget);
