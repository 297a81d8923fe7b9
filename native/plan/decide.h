// SPDX-License-Identifier: Apache-2.0

// The decision for a first packet, in three steps that the pipeline's stages and `egret why` share.
//
//   decide_source   who is the client, which rule, which gateway address      (stage classify)
//   decide_route    which of the gateway's networks, which next-hop group     (stage route)
//   decide_exit     which member of the group, and may the packet leave there (stage route)
//
// Nothing here changes anything; the same arguments over the same tables give the same answer.
// Deliberately absent: reverse-path checks of the arrival port, sessions, ports of the pool.
#pragma once
#include "fib/fib.h"
#include "plan/plan.h"

#include <stdint.h>

// What decide_source found, as far as it came.
struct decide_source {
	const struct egret_plan_client *client;
	const struct egret_plan_rule *rule;
	const struct egret_plan_address *address; // NULL with EGRET_ACTION_MAIN: no translation
};

// Finds client, rule and gateway address. Returns the drop reason, or NONE:
// NOT_A_CLIENT, NO_POLICY, NO_RULE, NO_GATEWAY (also for a rule that blocks).
enum egret_drop decide_source(const struct plan_view *plan, uint32_t source, uint32_t destination,
	struct decide_source *found);

// Finds the route: the longest prefix of all the address's networks wins, of equal ones that of the
// network that the gateway names first. `address` NULL, or of no network: the main table.
// Returns 1, or 0 without a route; *network is then the first one looked at, *group NONE.
int decide_route(const struct fib_view *fib, const struct egret_plan_address *address,
	uint32_t destination, uint16_t *network, uint32_t *group);

// Chooses a member of the group by `hash`, the next one when its port is down.
// Returns the drop reason, or NONE: NO_ROUTE (NONE, UNREACHABLE), PORT_DOWN, and, for a packet whose
// source is not translated, NETWORK_EXIT. A next_hop of 0 becomes the destination.
enum egret_drop decide_exit(const struct plan_view *plan, const struct fib_view *fib,
	int is_translated, uint32_t group, uint32_t hash, uint32_t destination,
	struct egret_adjacency *exit);
