// SPDX-License-Identifier: Apache-2.0

// Builds encoded plans for the C tests: rows are added in any order, plan_encode lays them out.
#pragma once
#include "abi.h"

#include <stdint.h>
#include <string.h>

enum { FIXTURE_ROWS = 256 };

struct plan_fixture {
	struct egret_plan plan;
	struct egret_plan_port ports[EGRET_PORT_MAX + 1];
	struct egret_plan_local locals[FIXTURE_ROWS];
	struct egret_plan_address addresses[FIXTURE_ROWS];
	struct egret_plan_rule rules[FIXTURE_ROWS];
	uint32_t rule_addresses[FIXTURE_ROWS * 2];
	struct egret_plan_client clients[FIXTURE_ROWS];
};

static inline void plan_add_port(
	struct plan_fixture *fixture, uint16_t slot, uint8_t role, uint16_t network)
{
	fixture->ports[fixture->plan.port_count++] = (struct egret_plan_port){.slot = slot,
		.ifindex = slot + 1u,
		.mtu = 1500,
		.role = role,
		.network = network,
		.is_up = 1};
}

// A ready address in slot 0, 1, 2 … of one network, or of the main table when it is 0.
static inline void plan_add_address(
	struct plan_fixture *fixture, uint32_t address, uint16_t network)
{
	uint16_t slot = (uint16_t)fixture->plan.address_count;
	fixture->addresses[fixture->plan.address_count++] = (struct egret_plan_address){
		.address = address,
		.slot = slot,
		.is_ready = 1,
		.network_count = network > 0,
		.networks = {network}};
}

// A rule to addresses first..first+count-1 of the plan.
static inline void plan_add_rule(struct plan_fixture *fixture, uint32_t prefix, uint16_t length,
	uint16_t action, uint32_t first, uint16_t count)
{
	fixture->rules[fixture->plan.rule_count++] = (struct egret_plan_rule){.prefix = prefix,
		.prefix_length = length,
		.action = action,
		.first_address = fixture->plan.rule_address_count,
		.address_count = count};
	for (uint32_t i = 0; i < count; i++)
		fixture->rule_addresses[fixture->plan.rule_address_count++] = first + i;
}

static inline void plan_add_client(struct plan_fixture *fixture, uint32_t prefix, uint32_t length,
	uint32_t first_rule, uint32_t rule_count)
{
	uint32_t identity = 100 + fixture->plan.client_count;
	fixture->clients[fixture->plan.client_count++] = (struct egret_plan_client){
		prefix, first_rule, rule_count, length, identity};
}

// Writes the encoded plan and returns its bytes.
static inline uint32_t plan_encode(const struct plan_fixture *fixture, uint8_t *out)
{
	const struct egret_plan *plan = &fixture->plan;
	const struct {
		const void *rows;
		size_t bytes;
	} lists[] = {
		{plan, sizeof *plan},
		{fixture->ports, plan->port_count * sizeof *fixture->ports},
		{fixture->locals, plan->local_count * sizeof *fixture->locals},
		{fixture->addresses, plan->address_count * sizeof *fixture->addresses},
		{fixture->rules, plan->rule_count * sizeof *fixture->rules},
		{fixture->rule_addresses, plan->rule_address_count * sizeof(uint32_t)},
		{fixture->clients, plan->client_count * sizeof *fixture->clients},
	};
	uint32_t at = 0;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		memcpy(out + at, lists[i].rows, lists[i].bytes);
		at += (uint32_t)lists[i].bytes;
	}
	return at;
}
