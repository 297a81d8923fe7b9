// SPDX-License-Identifier: Apache-2.0

// Checks an encoded plan, and derives from it what makes lookups fast. What comes in may be anything:
// nothing is followed before it is known to be in range.
#include "plan/plan_buffer.h"

#include <stdlib.h>
#include <string.h>

enum { MTU_MIN = 68 }; // RFC 791 §3.2

// The longest timeout: half of the ticks that 32 bits count.
#define TIMEOUT_NS_MAX ((uint64_t)INT32_MAX * EGRET_TICK_NS)

static int prefix_is_valid(uint32_t prefix, uint32_t length)
{
	return length <= 32 && (length == 32 || (prefix & UINT32_MAX >> length) == 0);
}

static int header_is_valid(
	const struct egret_plan *plan, uint32_t bytes, const struct egret_limits *limits)
{
	if (plan->udp_timeout_ns > TIMEOUT_NS_MAX ||
		plan->tcp_established_timeout_ns > TIMEOUT_NS_MAX ||
		plan->tcp_transitory_timeout_ns > TIMEOUT_NS_MAX ||
		plan->icmp_timeout_ns > TIMEOUT_NS_MAX || plan->quarantine_ns > TIMEOUT_NS_MAX)
		return 0;
	if (plan->filtering > 2 || plan->mapping > 1)
		return 0;
	if (plan->port_count > EGRET_PORT_MAX || plan->local_count > PLAN_LOCAL_MAX ||
		plan->address_count > EGRET_ADDRESS_MAX || plan->rule_count > limits->rules ||
		plan->rule_address_count > limits->rule_addresses ||
		plan->client_count > limits->clients)
		return 0;
	uint64_t want = sizeof *plan + (uint64_t)plan->port_count * sizeof(struct egret_plan_port) +
		(uint64_t)plan->local_count * sizeof(struct egret_plan_local) +
		(uint64_t)plan->address_count * sizeof(struct egret_plan_address) +
		(uint64_t)plan->rule_count * sizeof(struct egret_plan_rule) +
		(uint64_t)plan->rule_address_count * sizeof(uint32_t) +
		(uint64_t)plan->client_count * sizeof(struct egret_plan_client);
	return want == bytes;
}

static int port_is_valid(const struct egret_plan_port *port, const struct egret_limits *limits)
{
	return port->slot < EGRET_PORT_MAX && port->network < limits->networks &&
		port->role >= EGRET_ROLE_CLIENTS && port->role <= EGRET_ROLE_ANY &&
		port->is_up <= 1 && (port->mtu >= MTU_MIN || port->mtu == 0);
}

static int address_is_valid(
	const struct egret_plan_address *address, const struct egret_limits *limits)
{
	if (address->address == 0 || address->slot >= EGRET_ADDRESS_MAX || address->is_ready > 1 ||
		address->network_count > EGRET_ADDRESS_NETWORKS_MAX)
		return 0;
	for (uint32_t i = 0; i < address->network_count; i++)
		if (address->networks[i] >= limits->networks)
			return 0;
	return 1;
}

static int rule_is_valid(const struct egret_plan *plan, const struct egret_plan_rule *rule)
{
	return prefix_is_valid(rule->prefix, rule->prefix_length) &&
		rule->action >= EGRET_ACTION_GATEWAY && rule->action <= EGRET_ACTION_BLOCK &&
		rule->address_count <= EGRET_RULE_ADDRESSES_MAX &&
		(uint64_t)rule->first_address + rule->address_count <= plan->rule_address_count;
}

static int client_is_valid(const struct egret_plan *plan, const struct egret_plan_client *client)
{
	return prefix_is_valid(client->prefix, client->prefix_length) &&
		(client->rule_count == 0 ||
			(uint64_t)client->first_rule + client->rule_count <= plan->rule_count);
}

// 1 when the rules of every client are in order, longest prefix first. Cost: one step for each rule
// and each client, however many rules the clients share.
static int rules_are_in_order(const struct egret_plan *plan, const struct plan_lists *lists)
{
	if (plan->rule_count == 0)
		return 1;
	// For each rule: where the descent in which it stands ends.
	uint32_t *ends = malloc(plan->rule_count * sizeof *ends);
	if (!ends)
		return 0;
	ends[plan->rule_count - 1] = plan->rule_count;
	for (uint32_t i = plan->rule_count - 1; i-- > 0;)
		ends[i] = lists->rules[i].prefix_length >= lists->rules[i + 1].prefix_length
			? ends[i + 1]
			: i + 1;
	int is_ordered = 1;
	for (uint32_t i = 0; i < plan->client_count && is_ordered; i++) {
		const struct egret_plan_client *client = &lists->clients[i];
		is_ordered = client->rule_count == 0 ||
			client->first_rule + client->rule_count <= ends[client->first_rule];
	}
	free(ends);
	return is_ordered;
}

int plan_is_valid(const struct egret_plan *plan, uint32_t bytes, const struct egret_limits *limits)
{
	if (!header_is_valid(plan, bytes, limits))
		return 0;
	struct plan_lists lists;
	plan_lists_find(plan, &lists);
	for (uint32_t i = 0; i < plan->port_count; i++)
		if (!port_is_valid(&lists.ports[i], limits))
			return 0;
	for (uint32_t i = 0; i < plan->local_count; i++)
		if (lists.locals[i].address == 0 || lists.locals[i].network >= limits->networks)
			return 0;
	for (uint32_t i = 0; i < plan->address_count; i++)
		if (!address_is_valid(&lists.addresses[i], limits))
			return 0;
	for (uint32_t i = 0; i < plan->rule_count; i++)
		if (!rule_is_valid(plan, &lists.rules[i]))
			return 0;
	for (uint32_t i = 0; i < plan->rule_address_count; i++)
		if (lists.rule_addresses[i] >= plan->address_count)
			return 0;
	for (uint32_t i = 0; i < plan->client_count; i++)
		if (!client_is_valid(plan, &lists.clients[i]))
			return 0;
	return rules_are_in_order(plan, &lists);
}

// -- What is derived ------------------------------------------------------------------------------

// All bits set is EGRET_NONE.
static int derive_ports(
	const struct egret_plan *plan, const struct plan_lists *lists, struct plan_derived *derived)
{
	memset(derived->port_of_slot, 0xff, sizeof derived->port_of_slot);
	for (uint32_t i = 0; i < plan->port_count; i++) {
		uint16_t slot = lists->ports[i].slot;
		if (derived->port_of_slot[slot] != EGRET_NONE)
			return 0;
		derived->port_of_slot[slot] = i;
	}
	return 1;
}

static int derive_addresses(
	const struct egret_plan *plan, const struct plan_lists *lists, struct plan_derived *derived)
{
	uint8_t is_taken[EGRET_ADDRESS_MAX] = {0};
	memset(derived->addresses, 0xff, sizeof derived->addresses);
	for (uint32_t i = 0; i < plan->address_count; i++) {
		const struct egret_plan_address *address = &lists->addresses[i];
		if (is_taken[address->slot]++)
			return 0;
		uint32_t at = plan_hash(address->address);
		for (; derived->addresses[at] != EGRET_NONE; at = (at + 1) % PLAN_HASH_SLOTS)
			if (lists->addresses[derived->addresses[at]].address == address->address)
				return 0;
		derived->addresses[at] = i;
	}
	return 1;
}

// Interfaces of several networks may have one address: it stands once for each of them.
static void derive_locals(
	const struct egret_plan *plan, const struct plan_lists *lists, struct plan_derived *derived)
{
	memset(derived->locals, 0xff, sizeof derived->locals);
	for (uint32_t i = 0; i < plan->local_count; i++) {
		const struct egret_plan_local *local = &lists->locals[i];
		uint32_t at = plan_hash(local->address), found;
		for (; (found = derived->locals[at]) != EGRET_NONE; at = (at + 1) % PLAN_HASH_SLOTS)
			if (lists->locals[found].address == local->address &&
				lists->locals[found].network == local->network)
				break;
		if (found == EGRET_NONE)
			derived->locals[at] = i;
	}
}

static void mark_own(struct plan_derived *derived, uint32_t address)
{
	uint32_t hash = plan_hash(address);
	derived->own_hashes[hash / 64] |= 1ull << (hash % 64);
}

static void derive_own_hashes(
	const struct egret_plan *plan, const struct plan_lists *lists, struct plan_derived *derived)
{
	memset(derived->own_hashes, 0, sizeof derived->own_hashes);
	for (uint32_t i = 0; i < plan->local_count; i++)
		mark_own(derived, lists->locals[i].address);
	for (uint32_t i = 0; i < plan->address_count; i++)
		mark_own(derived, lists->addresses[i].address);
}

struct sorted_client {
	uint32_t prefix, length, owner; // owner: index; or EGRET_NONE
};

static int sorted_client_compare(const void *left, const void *right)
{
	const struct sorted_client *one = left, *other = right;
	if (one->prefix != other->prefix)
		return one->prefix < other->prefix ? -1 : 1;
	return (one->length > other->length) - (one->length < other->length);
}

struct intervals {
	uint32_t *starts, *owners;
	uint32_t count;
};

// From `start` on the addresses are the owner's; what was said of the same start before is replaced.
static void interval_begin(struct intervals *intervals, uint32_t start, uint32_t owner)
{
	if (intervals->count > 0 && intervals->starts[intervals->count - 1] == start)
		intervals->count--;
	intervals->starts[intervals->count] = start;
	intervals->owners[intervals->count++] = owner;
}

static uint32_t last_address(const struct sorted_client *client)
{
	return client->length == 32 ? client->prefix
				    : client->prefix | UINT32_MAX >> client->length;
}

// Walks through the clients in order of address; those that enclose the place are on a stack.
static void derive_intervals(
	const struct sorted_client *clients, uint32_t count, struct intervals *intervals)
{
	const struct sorted_client *enclosing[33];
	uint32_t depth = 0;
	interval_begin(intervals, 0, EGRET_NONE);
	for (uint32_t i = 0; i <= count; i++) {
		while (depth > 0 &&
			(i == count || last_address(enclosing[depth - 1]) < clients[i].prefix)) {
			uint32_t last = last_address(enclosing[--depth]);
			if (last != UINT32_MAX)
				interval_begin(intervals, last + 1,
					depth > 0 ? enclosing[depth - 1]->owner : EGRET_NONE);
		}
		if (i == count)
			break;
		enclosing[depth++] = &clients[i];
		interval_begin(intervals, clients[i].prefix, clients[i].owner);
	}
}

static int derive_clients(const struct egret_plan *plan, const struct plan_lists *lists,
	struct plan_derived *derived, uint32_t *starts, uint32_t *owners)
{
	uint32_t count = plan->client_count;
	struct sorted_client *clients = calloc((size_t)count + 1, sizeof *clients);
	if (!clients)
		return -EGRET_STATUS_NO_SPACE;
	for (uint32_t i = 0; i < count; i++)
		clients[i] = (struct sorted_client){lists->clients[i].prefix,
			lists->clients[i].prefix_length,
			lists->clients[i].identity == EGRET_NONE ? EGRET_NONE : i};
	qsort(clients, count, sizeof *clients, sorted_client_compare);
	for (uint32_t i = 1; i < count; i++) {
		if (sorted_client_compare(&clients[i - 1], &clients[i]) == 0) {
			free(clients);
			return -EGRET_STATUS_BAD_ARGUMENT;
		}
	}
	struct intervals intervals = {starts, owners, 0};
	derive_intervals(clients, count, &intervals);
	free(clients);
	derived->interval_count = intervals.count;
	uint32_t at = 0;
	for (uint32_t slash16 = 0; slash16 < PLAN_SLASH16S; slash16++) {
		while (at + 1 < intervals.count && starts[at + 1] <= slash16 << 16)
			at++;
		derived->interval_at[slash16] = at;
	}
	derived->interval_at[PLAN_SLASH16S] = intervals.count - 1;
	return 0;
}

int plan_derive(const struct egret_plan *plan, struct plan_derived *derived, uint32_t *starts,
	uint32_t *owners)
{
	struct plan_lists lists;
	plan_lists_find(plan, &lists);
	if (!derive_ports(plan, &lists, derived) || !derive_addresses(plan, &lists, derived))
		return -EGRET_STATUS_BAD_ARGUMENT;
	derive_locals(plan, &lists, derived);
	derive_own_hashes(plan, &lists, derived);
	return derive_clients(plan, &lists, derived, starts, owners);
}
