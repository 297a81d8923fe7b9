// SPDX-License-Identifier: Apache-2.0

// Publishes rubbish as a plan. What is taken must answer every lookup without reading outside.
//
// The first eight bytes of the input choose what is asked; the rest is the encoded plan. Sizes are
// corrected to what the counts say, so that the fuzzer comes past the first check.
#include "egret.h"
#include "plan/decide.h"
#include "plan/plan.h"
#include "plan/plan_buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *arena;

static void make_arena(void)
{
	const struct egret_limits limits = {.sessions = 4,
		.bindings = 4,
		.networks = 4,
		.plies = 16,
		.groups = 16,
		.neighbors = 4,
		.clients = 32,
		.rules = 32,
		.rule_addresses = 64};
	char path[64];
	snprintf(path, sizeof path, "/tmp/egret-fuzz.%d.arena", (int)getpid());
	if (egret_arena_create(path, "", &limits, &arena) != 0)
		abort();
	unlink(path);
	egret_arena_begin_generation(arena);
	struct egret_adjacency exit = {0x0a000001, 1, 0};
	struct egret_fib_delta route = {0, 0, EGRET_GROUP_FIRST};
	egret_fib_set_group(arena, EGRET_GROUP_FIRST, &exit, 1);
	for (uint16_t network = 0; network < limits.networks; network++)
		egret_fib_apply(arena, network, &route, 1);
	egret_arena_commit_generation(arena);
}

// Keeps counts small and makes the plan as long as they say; what is missing is zero.
static uint32_t fit(const uint8_t *data, size_t size, uint8_t *plan_bytes, size_t capacity)
{
	struct egret_plan plan = {0};
	memset(plan_bytes, 0, capacity);
	memcpy(plan_bytes, data, size < capacity ? size : capacity);
	memcpy(&plan, plan_bytes, sizeof plan);
	plan.filtering %= 3;
	plan.mapping %= 2;
	plan.udp_timeout_ns = plan.tcp_established_timeout_ns = plan.tcp_transitory_timeout_ns =
		plan.icmp_timeout_ns = plan.quarantine_ns = 1000000000;
	plan.port_count %= 5;
	plan.local_count %= 9;
	plan.address_count %= 9;
	plan.rule_count %= 9;
	plan.rule_address_count %= 17;
	plan.client_count %= 9;
	memcpy(plan_bytes, &plan, sizeof plan);
	struct plan_lists lists;
	plan_lists_find((const struct egret_plan *)plan_bytes, &lists);
	return (uint32_t)((const uint8_t *)(lists.clients + plan.client_count) - plan_bytes);
}

static void ask(uint32_t client, uint32_t destination)
{
	struct egret_decision decision;
	struct plan_view view;
	plan_view_take(arena, &view);
	egret_why(arena, client, destination, &decision);
	const struct egret_plan_address *address = plan_address(&view, destination);
	if (address && address->address != destination)
		abort();
	const struct egret_plan_client *owner = plan_client(&view, client);
	if (owner && owner->prefix_length > 0 &&
		(owner->prefix ^ client) >> (32 - owner->prefix_length) != 0)
		abort();
	plan_is_local(&view, client);
	plan_port(&view, (uint16_t)destination);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t plan_words[512];
	uint32_t asked[2];
	if (!arena)
		make_arena();
	if (size < sizeof asked)
		return 0;
	memcpy(asked, data, sizeof asked);
	data += sizeof asked;
	size -= sizeof asked;
	// As it came, and made to fit.
	egret_plan_publish(arena, data, (uint32_t)size);
	uint32_t bytes = fit(data, size, (uint8_t *)plan_words, sizeof plan_words);
	if (egret_plan_publish(arena, plan_words, bytes) > 0) {
		const struct egret_plan *plan = (const struct egret_plan *)plan_words;
		struct plan_lists lists;
		plan_lists_find(plan, &lists);
		for (uint32_t i = 0; i < plan->client_count; i++)
			ask(lists.clients[i].prefix, asked[1]);
	}
	ask(asked[0], asked[1]);
	return 0;
}
