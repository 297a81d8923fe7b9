// SPDX-License-Identifier: Apache-2.0

#include "plan/plan.h"

#include "plan/plan_buffer.h"

#include <string.h>

void plan_view_take(const struct arena *arena, struct plan_view *view)
{
	memset(view, 0, sizeof *view);
	uint32_t half = __atomic_load_n(&arena->header->plan, __ATOMIC_ACQUIRE);
	if (half > 1)
		return;
	const struct plan_derived *derived = arena_at(arena, arena->header->at_plans[half]);
	struct plan_lists lists;
	view->number = derived->number;
	view->derived = derived;
	view->port_of_slot = derived->port_of_slot;
	view->plan = (const void *)((const uint8_t *)derived + derived->at_plan);
	plan_lists_find(view->plan, &lists);
	view->ports = lists.ports;
	view->locals = lists.locals;
	view->addresses = lists.addresses;
	view->rules = lists.rules;
	view->rule_addresses = lists.rule_addresses;
	view->clients = lists.clients;
}

const struct egret_plan_port *plan_port(const struct plan_view *view, uint16_t slot)
{
	if (view->number == 0 || slot >= EGRET_PORT_MAX || view->port_of_slot[slot] == EGRET_NONE)
		return NULL;
	return &view->ports[view->port_of_slot[slot]];
}

const struct egret_plan_client *plan_client(const struct plan_view *view, uint32_t address)
{
	if (view->number == 0)
		return NULL;
	const struct plan_derived *derived = view->derived;
	const uint8_t *base = view->derived;
	const uint32_t *starts = (const void *)(base + derived->at_starts);
	const uint32_t *owners = (const void *)(base + derived->at_owners);
	uint32_t low = derived->interval_at[address >> 16];
	uint32_t high = derived->interval_at[(address >> 16) + 1];
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;
		if (starts[middle] <= address)
			low = middle;
		else
			high = middle - 1;
	}
	return owners[low] != EGRET_NONE ? &view->clients[owners[low]] : NULL;
}

static int prefix_covers(uint32_t prefix, uint32_t length, uint32_t address)
{
	return length == 0 || (prefix ^ address) >> (32 - length) == 0;
}

const struct egret_plan_rule *plan_rule(
	const struct plan_view *view, const struct egret_plan_client *client, uint32_t destination)
{
	for (uint32_t i = 0; i < client->rule_count; i++) {
		const struct egret_plan_rule *rule = &view->rules[client->first_rule + i];
		if (prefix_covers(rule->prefix, rule->prefix_length, destination))
			return rule;
	}
	return NULL;
}

// The weight of a gateway address for a key: the same after each restart and on every box.
static uint64_t weight(uint64_t key, uint32_t address)
{
	uint64_t hash = (key ^ (uint64_t)address << 32) + 0x9e3779b97f4a7c15ull + address;
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ull;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebull;
	return hash ^ hash >> 31;
}

// Of two candidates of one key, 1 when the first wins; equal weights go by address.
static int outweighs(
	uint64_t key, const struct egret_plan_address *one, const struct egret_plan_address *other)
{
	uint64_t first = weight(key, one->address), second = weight(key, other->address);
	return first != second ? first > second : one->address < other->address;
}

const struct egret_plan_address *plan_choose(const struct plan_view *view,
	const struct egret_plan_client *client, const struct egret_plan_rule *rule, uint32_t source)
{
	const struct egret_plan_address *candidates[EGRET_RULE_ADDRESSES_MAX];
	uint32_t count = 0, kept_max = rule->max_next_hops;
	if (kept_max == 0 || kept_max > EGRET_RULE_ADDRESSES_MAX)
		kept_max = EGRET_RULE_ADDRESSES_MAX;
	uint64_t client_key = (uint64_t)client->prefix_length << 32 | client->prefix;
	for (uint32_t i = 0; i < rule->address_count; i++) {
		const struct egret_plan_address
			*address = &view->addresses[view->rule_addresses[rule->first_address + i]];
		if (!address->is_ready)
			continue;
		if (count < kept_max && kept_max == EGRET_RULE_ADDRESSES_MAX) {
			candidates[count++] = address;
			continue;
		}
		// Keeps the kept_max heaviest for the client's prefix, heaviest first.
		uint32_t at = count < kept_max ? count++ : kept_max;
		for (; at > 0 && outweighs(client_key, address, candidates[at - 1]); at--)
			if (at < kept_max)
				candidates[at] = candidates[at - 1];
		if (at < kept_max)
			candidates[at] = address;
	}
	const struct egret_plan_address *chosen = NULL;
	for (uint32_t i = 0; i < count; i++)
		if (!chosen || outweighs(source, candidates[i], chosen))
			chosen = candidates[i];
	return chosen;
}

const struct egret_plan_address *plan_address(const struct plan_view *view, uint32_t address)
{
	if (view->number == 0 || !plan_may_own(view->derived, address))
		return NULL;
	const struct plan_derived *derived = view->derived;
	for (uint32_t i = plan_hash(address); derived->addresses[i] != EGRET_NONE;
		i = (i + 1) % PLAN_HASH_SLOTS) {
		const struct egret_plan_address *row = &view->addresses[derived->addresses[i]];
		if (row->address == address)
			return row;
	}
	return NULL;
}

int plan_is_local(const struct plan_view *view, uint32_t address)
{
	if (view->number == 0 || !plan_may_own(view->derived, address))
		return 0;
	const struct plan_derived *derived = view->derived;
	for (uint32_t i = plan_hash(address); derived->locals[i] != EGRET_NONE;
		i = (i + 1) % PLAN_HASH_SLOTS)
		if (view->locals[derived->locals[i]].address == address)
			return 1;
	return 0;
}

int plan_address_in_network(const struct egret_plan_address *address, uint16_t network)
{
	if (address->network_count == 0)
		return network == 0;
	for (uint32_t i = 0; i < address->network_count; i++)
		if (address->networks[i] == network)
			return 1;
	return 0;
}

int plan_is_own_source(const struct plan_view *view, uint16_t network, uint32_t address)
{
	if (view->number == 0 || !plan_may_own(view->derived, address))
		return 0;
	const struct plan_derived *derived = view->derived;
	for (uint32_t i = plan_hash(address); derived->locals[i] != EGRET_NONE;
		i = (i + 1) % PLAN_HASH_SLOTS) {
		const struct egret_plan_local *local = &view->locals[derived->locals[i]];
		if (local->address == address && local->network == network)
			return 1;
	}
	const struct egret_plan_address *gateway = plan_address(view, address);
	return gateway && plan_address_in_network(gateway, network);
}
