// SPDX-License-Identifier: Apache-2.0

// The plan: who is a client, which policy, which gateway addresses, which ports there are.
//
// egretd builds a plan from its model (src/egress/plan.ts) and publishes it whole; two buffers take
// turns. Readers take the current one once per batch. Clients are found by longest prefix, rules by
// a short scan (longest first), gateway addresses by highest random weight of the client's address,
// so that a client stays where it is when others come and go.
#pragma once
#include "arena/arena.h"

#include <stdint.h>

// A reader's view of the current plan: the encoded rows plus what was derived at publishing.
struct plan_view {
	uint32_t number; // 0: none yet, nothing is forwarded
	const struct egret_plan *plan;
	const struct egret_plan_port *ports; // in order of the encoded plan
	const struct egret_plan_local *locals;
	const struct egret_plan_address *addresses;
	const struct egret_plan_rule *rules;
	const uint32_t *rule_addresses;
	const struct egret_plan_client *clients;
	const uint32_t *port_of_slot; // [EGRET_PORT_MAX]: index into ports; or EGRET_NONE
	const void *derived; // struct plan_derived (plan_buffer.h)
};

// Takes the current plan, with acquire. The caller stores plan_seen after it uses no older one.
void plan_view_take(const struct arena *arena, struct plan_view *view);

// The port in a slot, or NULL.
const struct egret_plan_port *plan_port(const struct plan_view *view, uint16_t slot);
// The client that owns a source address (longest prefix), or NULL.
const struct egret_plan_client *plan_client(const struct plan_view *view, uint32_t address);
// The rule for a destination: the first of the client's rules that covers it, or NULL.
const struct egret_plan_rule *plan_rule(
	const struct plan_view *view, const struct egret_plan_client *client, uint32_t destination);
// The gateway address that a client uses under a rule, or NULL when none is ready.
// Highest random weight (Thaler and Ravishankar 1998) over the rule's ready addresses; with
// max_next_hops, over the subset that has the highest weights for the client's prefix.
const struct egret_plan_address *plan_choose(const struct plan_view *view,
	const struct egret_plan_client *client, const struct egret_plan_rule *rule,
	uint32_t source);
// The gateway address row for a pool address, or NULL: is this one of ours?
const struct egret_plan_address *plan_address(const struct plan_view *view, uint32_t address);
// 1 when the address is the box's own or a broadcast address.
int plan_is_local(const struct plan_view *view, uint32_t address);
// 1 when no host of a network may have this address as source (RFC 1812 §5.3.7): the box itself has it
// there, or a gateway, or it is a broadcast address there. The same address in another network is a
// host's like any other.
int plan_is_own_source(const struct plan_view *view, uint16_t network, uint32_t address);
// 1 when the gateway address lives in this network.
int plan_address_in_network(const struct egret_plan_address *address, uint16_t network);

// -- For the list of tables -----------------------------------------------------------------------

// Bytes of one plan buffer. The limits are in range.
uint64_t plan_buffer_bytes(const struct egret_limits *limits);
// Checks the current plan of an arena that another process made: its rows, and that all that makes
// lookups fast is what these rows give. 0, -BAD_ARENA, or -NO_SPACE without memory.
int plan_buffer_check(const struct arena *arena);
