// SPDX-License-Identifier: Apache-2.0

// What a plan buffer of the arena holds: what is derived from a plan, then the plan as encoded.
//
// Clients are the intervals of the address space between two prefix bounds: `starts` ascends,
// `owners` says which client has the addresses from there on, `interval_at` finds the intervals of a /16,
// between which a lookup searches by halves. Addresses are found by hash, linear probing.
#pragma once
#include "plan/plan.h"

#include <stdint.h>

enum {
	PLAN_LOCAL_MAX = 4096, // addresses of the box, broadcast addresses included
	PLAN_HASH_BITS = 13, // twice as many places as EGRET_ADDRESS_MAX and PLAN_LOCAL_MAX
	PLAN_HASH_SLOTS = 1 << PLAN_HASH_BITS,
	PLAN_SLASH16S = 65536,
};

struct plan_derived {
	uint32_t number; // of the plan, > 0
	uint32_t interval_count;
	uint64_t at_starts, at_owners, at_plan; // from the begin of the buffer
	uint32_t port_of_slot[EGRET_PORT_MAX]; // index; or EGRET_NONE
	uint32_t addresses[PLAN_HASH_SLOTS]; // index; or EGRET_NONE
	uint32_t locals[PLAN_HASH_SLOTS]; // index; or EGRET_NONE
	// A bit for each hash that a local or a gateway address has: 1 KiB that answers for the rest.
	uint64_t own_hashes[PLAN_HASH_SLOTS / 64];
	uint32_t interval_at[PLAN_SLASH16S + 1]; // the last interval that begins at or before it
};

static inline uint32_t plan_hash(uint32_t address)
{
	return address * 0x9e3779b1u >> (32 - PLAN_HASH_BITS);
}

// 0 when no local and no gateway address is equal to this one; 1 when one may be.
static inline int plan_may_own(const struct plan_derived *derived, uint32_t address)
{
	uint32_t hash = plan_hash(address);
	return (int)(derived->own_hashes[hash / 64] >> (hash % 64) & 1);
}

// Where the lists of an encoded plan begin.
struct plan_lists {
	const struct egret_plan_port *ports;
	const struct egret_plan_local *locals;
	const struct egret_plan_address *addresses;
	const struct egret_plan_rule *rules;
	const uint32_t *rule_addresses;
	const struct egret_plan_client *clients;
};

static inline void plan_lists_find(const struct egret_plan *plan, struct plan_lists *lists)
{
	lists->ports = (const void *)(plan + 1);
	lists->locals = (const void *)(lists->ports + plan->port_count);
	lists->addresses = (const void *)(lists->locals + plan->local_count);
	lists->rules = (const void *)(lists->addresses + plan->address_count);
	lists->rule_addresses = (const void *)(lists->rules + plan->rule_count);
	lists->clients = (const void *)(lists->rule_addresses + plan->rule_address_count);
}

// Where the parts of a buffer begin, and the bytes of the longest encoded plan. The limits are in range.
uint64_t plan_buffer_at_starts(void);
uint64_t plan_buffer_at_owners(const struct egret_limits *limits);
uint64_t plan_buffer_at_plan(const struct egret_limits *limits);
uint64_t plan_encoded_bytes_max(const struct egret_limits *limits);
// 1 when the rows of an aligned, encoded plan are whole and all they say is in range.
int plan_is_valid(const struct egret_plan *plan, uint32_t bytes, const struct egret_limits *limits);
// Derives all but `number` and the offsets. `starts` and `owners` have room for 2 × clients + 1.
// Returns 0, -BAD_ARGUMENT when something stands twice, -NO_SPACE without memory.
int plan_derive(const struct egret_plan *plan, struct plan_derived *derived, uint32_t *starts,
	uint32_t *owners);
