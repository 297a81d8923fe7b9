// SPDX-License-Identifier: Apache-2.0

// Where the parts of a plan buffer lie, for given limits. See plan_buffer.h.
#include "plan/plan_buffer.h"

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static uint64_t interval_max(const struct egret_limits *limits)
{
	return 2 * (uint64_t)limits->clients + 1;
}

uint64_t plan_buffer_at_starts(void)
{
	return round_up(sizeof(struct plan_derived));
}

uint64_t plan_buffer_at_owners(const struct egret_limits *limits)
{
	return plan_buffer_at_starts() + round_up(interval_max(limits) * sizeof(uint32_t));
}

uint64_t plan_buffer_at_plan(const struct egret_limits *limits)
{
	return plan_buffer_at_owners(limits) + round_up(interval_max(limits) * sizeof(uint32_t));
}

uint64_t plan_encoded_bytes_max(const struct egret_limits *limits)
{
	return sizeof(struct egret_plan) + EGRET_PORT_MAX * sizeof(struct egret_plan_port) +
		PLAN_LOCAL_MAX * sizeof(struct egret_plan_local) +
		EGRET_ADDRESS_MAX * sizeof(struct egret_plan_address) +
		(uint64_t)limits->rules * sizeof(struct egret_plan_rule) +
		(uint64_t)limits->rule_addresses * sizeof(uint32_t) +
		(uint64_t)limits->clients * sizeof(struct egret_plan_client);
}

uint64_t plan_buffer_bytes(const struct egret_limits *limits)
{
	return plan_buffer_at_plan(limits) + plan_encoded_bytes_max(limits);
}
