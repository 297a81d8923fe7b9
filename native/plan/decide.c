// SPDX-License-Identifier: Apache-2.0

#include "plan/decide.h"

#include <stddef.h>

enum egret_drop decide_source(const struct plan_view *plan, uint32_t source, uint32_t destination,
	struct decide_source *found)
{
	*found = (struct decide_source){0};
	found->client = plan_client(plan, source);
	if (!found->client)
		return EGRET_DROP_NOT_A_CLIENT;
	if (found->client->rule_count == 0)
		return EGRET_DROP_NO_POLICY;
	found->rule = plan_rule(plan, found->client, destination);
	if (!found->rule)
		return EGRET_DROP_NO_RULE;
	if (found->rule->action == EGRET_ACTION_MAIN)
		return EGRET_DROP_NONE;
	if (found->rule->action == EGRET_ACTION_GATEWAY)
		found->address = plan_choose(plan, found->client, found->rule, source);
	return found->address ? EGRET_DROP_NONE : EGRET_DROP_NO_GATEWAY;
}

int decide_route(const struct fib_view *fib, const struct egret_plan_address *address,
	uint32_t destination, uint16_t *network, uint32_t *group)
{
	uint32_t count = address ? address->network_count : 0;
	uint32_t best = 0;
	*network = count > 0 ? address->networks[0] : 0;
	*group = EGRET_GROUP_NONE;
	if (count == 0)
		best = fib_leaf(fib, 0, destination);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t candidate = address->networks[i];
		uint32_t leaf = fib_leaf(fib, candidate, destination);
		if (fib_leaf_group(leaf) == EGRET_GROUP_NONE)
			continue;
		if (fib_leaf_group(best) != EGRET_GROUP_NONE &&
			fib_leaf_length(leaf) <= fib_leaf_length(best))
			continue;
		best = leaf;
		*network = candidate;
	}
	*group = fib_leaf_group(best);
	return *group != EGRET_GROUP_NONE;
}

enum egret_drop decide_exit(const struct plan_view *plan, const struct fib_view *fib,
	int is_translated, uint32_t group, uint32_t hash, uint32_t destination,
	struct egret_adjacency *exit)
{
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	if (group < EGRET_GROUP_FIRST)
		return EGRET_DROP_NO_ROUTE;
	uint32_t count = fib_group_read(fib, group, paths);
	for (uint32_t i = 0; i < count; i++) {
		*exit = paths[(hash % count + i) % count];
		const struct egret_plan_port *port = plan_port(plan, exit->port);
		if (!port || !port->is_up || port->ifindex == 0)
			continue;
		if (!is_translated && port->role == EGRET_ROLE_NETWORKS)
			return EGRET_DROP_NETWORK_EXIT;
		if (exit->next_hop == 0)
			exit->next_hop = destination;
		return EGRET_DROP_NONE;
	}
	return EGRET_DROP_PORT_DOWN;
}
