// SPDX-License-Identifier: Apache-2.0

// Plans: what is refused, who is whose client, which gateway address, and why.
#include "arena/epoch.h"
#include "arena_fixture.h"
#include "lib/clock.h"
#include "plan/decide.h"
#include "plan/plan.h"
#include "plan_fixture.h"
#include "tap.h"

static uint8_t encoded[sizeof(struct plan_fixture) + 64];

static int64_t publish(struct arena *arena, const struct plan_fixture *fixture)
{
	return egret_plan_publish(arena, encoded, plan_encode(fixture, encoded));
}

// Two clients, two gateways with one address in each network, a rule for the box's own routes.
static void seed_plan(struct plan_fixture *fixture)
{
	memset(fixture, 0, sizeof *fixture);
	plan_add_port(fixture, 0, EGRET_ROLE_CLIENTS, 0);
	plan_add_port(fixture, 1, EGRET_ROLE_NETWORKS, 1);
	plan_add_port(fixture, 5, EGRET_ROLE_NETWORKS, 2);
	fixture->locals[fixture->plan.local_count++].address = 0x0a010001;
	fixture->locals[fixture->plan.local_count++].address = UINT32_MAX;
	plan_add_address(fixture, 0x0a320002, 1);
	plan_add_address(fixture, 0x0a320003, 2);
	plan_add_rule(fixture, 0xc6336400, 24, EGRET_ACTION_BLOCK, 0, 0);
	plan_add_rule(fixture, 0x0a000000, 8, EGRET_ACTION_MAIN, 0, 0);
	plan_add_rule(fixture, 0, 0, EGRET_ACTION_GATEWAY, 0, 1);
	plan_add_rule(fixture, 0xc0000200, 24, EGRET_ACTION_GATEWAY, 1, 1);
	plan_add_client(fixture, 0x0a010000, 24, 0, 3);
	plan_add_client(fixture, 0x0a010080, 25, 3, 1);
	plan_add_client(fixture, 0x0a020000, 16, 0, 0);
}

static int is_refused(struct arena *arena, const struct plan_fixture *fixture)
{
	struct plan_view before, after;
	plan_view_take(arena, &before);
	int64_t status = publish(arena, fixture);
	plan_view_take(arena, &after);
	return status == -EGRET_STATUS_BAD_ARGUMENT && before.number == after.number &&
		before.plan == after.plan;
}

static void test_refusals(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *good = malloc(sizeof *good), *bad = malloc(sizeof *bad);
	seed_plan(good);
	tap_ok(publish(arena, good) == 1, "the plan that all refused ones are made from is taken");
#define REFUSED(change, ...) \
	do { \
		*bad = *good; \
		change; \
		tap_ok(is_refused(arena, bad), __VA_ARGS__); \
	} while (0)
	REFUSED(bad->ports[0].slot = EGRET_PORT_MAX, "a port slot out of range");
	REFUSED(bad->ports[0].slot = 1, "two ports in one slot");
	REFUSED(bad->ports[0].role = 0, "no role");
	REFUSED(bad->ports[0].role = 4, "a role that does not exist");
	REFUSED(bad->ports[0].network = 4, "a port in a network over the limit");
	REFUSED(bad->ports[0].is_up = 2, "a flag that is neither 0 nor 1");
	REFUSED(bad->ports[0].mtu = 67, "an MTU under RFC 791's minimum");
	REFUSED(bad->locals[0].address = 0, "0.0.0.0 as an address of the box");
	REFUSED(bad->locals[0].network = 9999,
		"an address of the box in a network beyond the limit");
	REFUSED(bad->addresses[0].address = 0, "0.0.0.0 as a gateway address");
	REFUSED(bad->addresses[0].address = 0x0a320003, "one gateway address twice");
	REFUSED(bad->addresses[0].slot = 1, "two gateway addresses in one slot");
	REFUSED(bad->addresses[0].slot = EGRET_ADDRESS_MAX, "an address slot out of range");
	REFUSED(bad->addresses[0].network_count = 9, "too many networks");
	REFUSED(bad->addresses[0].networks[0] = 4, "an address in a network over the limit");
	REFUSED(bad->addresses[0].is_ready = 2, "a readiness that is neither 0 nor 1");
	REFUSED(bad->rules[0].prefix |= 1, "a rule with host bits");
	REFUSED(bad->rules[0].prefix_length = 33, "a rule longer than an address");
	REFUSED(bad->rules[0].action = 0, "no action");
	REFUSED(bad->rules[0].action = 4, "an action that does not exist");
	REFUSED(bad->rules[2].first_address = 2, "rule addresses out of range");
	REFUSED(bad->rules[2].first_address = UINT32_MAX, "rule addresses that wrap around");
	REFUSED(bad->rules[2].address_count = EGRET_RULE_ADDRESSES_MAX + 1, "too many in a rule");
	REFUSED(bad->rules[1].prefix_length = 25, "a client's rules out of order");
	REFUSED(bad->rule_addresses[0] = 2, "an index of an address that is not there");
	REFUSED(bad->clients[0].prefix |= 1, "a client with host bits");
	REFUSED(bad->clients[0].prefix_length = 33, "a client longer than an address");
	REFUSED(bad->clients[0].rule_count = 5, "a client's rules out of range");
	REFUSED(bad->clients[0].first_rule = UINT32_MAX - 1, "a client's rules that wrap around");
	REFUSED(bad->clients[1] = bad->clients[0], "one client prefix twice");
	REFUSED(bad->plan.filtering = 3, "a filtering that does not exist");
	REFUSED(bad->plan.mapping = 2, "a mapping that does not exist");
	REFUSED(bad->plan.udp_timeout_ns = UINT64_MAX, "a timeout that no clock can count");
	REFUSED(while (bad->plan.client_count <= fixture_limits.clients)
			plan_add_client(bad, bad->plan.client_count << 8, 24, 0, 0),
		"more clients than the limit");
#undef REFUSED
	uint32_t bytes = plan_encode(good, encoded);
	uint32_t taken = 0;
	for (uint32_t n = 0; n < bytes; n++)
		taken += egret_plan_publish(arena, encoded, n) > 0;
	taken += egret_plan_publish(arena, encoded, bytes + 1) > 0;
	tap_ok(taken == 0, "a plan that is too short or too long");
	tap_ok(egret_plan_publish(arena, NULL, 0) < 0, "no plan");
	memmove(encoded + 1, encoded, bytes);
	tap_ok(egret_plan_publish(arena, encoded + 1, bytes) == 2, "an unaligned plan is taken");
	free(good);
	free(bad);
	egret_arena_close(arena);
}

static uint32_t identity(const struct plan_view *view, uint32_t address)
{
	const struct egret_plan_client *client = plan_client(view, address);
	return client ? client->identity : 0;
}

static void test_lookups(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *fixture = malloc(sizeof *fixture);
	struct plan_view view;
	plan_view_take(arena, &view);
	tap_ok(view.number == 0 && !plan_client(&view, 1) && !plan_address(&view, 1) &&
			!plan_port(&view, 0) && !plan_is_local(&view, 1),
		"without a plan there is nothing");
	seed_plan(fixture);
	fixture->addresses[1].is_ready = 0;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	tap_ok(identity(&view, 0x0a010000) == 100 && identity(&view, 0x0a01007f) == 100 &&
			identity(&view, 0x0a010080) == 101 && identity(&view, 0x0a0100ff) == 101,
		"the longest prefix owns an address");
	tap_ok(identity(&view, 0x0a00ffff) == 0 && identity(&view, 0x0a010100) == 0 &&
			identity(&view, 0) == 0 && identity(&view, UINT32_MAX) == 0,
		"others have no owner");
	fixture->clients[1].identity = EGRET_NONE;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	tap_ok(identity(&view, 0x0a01007f) == 100 && !plan_client(&view, 0x0a010080) &&
			!plan_client(&view, 0x0a0100ff) && identity(&view, 0x0a010100) == 0,
		"an address without owner is no part of the prefix around it");
	const struct egret_plan_client *client = plan_client(&view, 0x0a010001);
	tap_ok(plan_rule(&view, client, 0xc6336401) == &view.rules[0] &&
			plan_rule(&view, client, 0x0a000001) == &view.rules[1] &&
			plan_rule(&view, client, 0xc0000201) == &view.rules[2],
		"the longest rule decides");
	tap_ok(!plan_rule(&view, &view.clients[1], 0xc6336401), "or none");
	tap_ok(plan_port(&view, 5) == &view.ports[2] && !plan_port(&view, 2) &&
			!plan_port(&view, EGRET_PORT_MAX),
		"ports are found by slot");
	tap_ok(plan_address(&view, 0x0a320002) == &view.addresses[0] &&
			plan_address(&view, 0x0a320003) == &view.addresses[1] &&
			!plan_address(&view, 0x0a320004),
		"gateway addresses are found, ready or not");
	tap_ok(plan_is_local(&view, 0x0a010001) && plan_is_local(&view, UINT32_MAX) &&
			!plan_is_local(&view, 0x0a010002) && !plan_is_local(&view, 0),
		"the box's own addresses are known");
	tap_ok(plan_is_own_source(&view, 0, 0x0a010001) &&
			!plan_is_own_source(&view, 1, 0x0a010001) &&
			plan_is_own_source(&view, 1, 0x0a320002) &&
			!plan_is_own_source(&view, 2, 0x0a320002) &&
			!plan_is_own_source(&view, 0, 0x0a010002),
		"as sources in their own network alone, and so are gateway addresses");
	tap_ok(plan_address_in_network(&view.addresses[0], 1) &&
			!plan_address_in_network(&view.addresses[0], 0) &&
			!plan_address_in_network(&view.addresses[0], 2),
		"an address lives in its networks");
	free(fixture);
	egret_arena_close(arena);
}

// Clients of every length, nested and side by side, against a scan over all of them.
static void test_clients(uint64_t seed)
{
	struct egret_limits limits = fixture_limits;
	limits.clients = FIXTURE_ROWS;
	struct arena *arena = fixture_arena(&limits);
	struct plan_fixture *fixture = calloc(1, sizeof *fixture);
	uint64_t state = seed;
	for (uint32_t i = 0; i < FIXTURE_ROWS; i++) {
		uint32_t length = i == 0 ? 0 : 8 + fixture_random(&state) % 25;
		uint32_t mask = length ? UINT32_MAX << (32 - length) : 0;
		uint32_t prefix = (0xfffe0000 | (fixture_random(&state) & fixture_random(&state))) &
			mask;
		int is_new = 1;
		for (uint32_t j = 0; j < fixture->plan.client_count; j++)
			is_new = is_new &&
				(fixture->clients[j].prefix != prefix ||
					fixture->clients[j].prefix_length != length);
		if (!is_new)
			continue;
		plan_add_client(fixture, prefix, length, 0, 0);
		if (i % 8 == 7)
			fixture->clients[fixture->plan.client_count - 1].identity = EGRET_NONE;
	}
	int64_t number = publish(arena, fixture);
	struct plan_view view;
	plan_view_take(arena, &view);
	uint32_t wrong = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		const struct egret_plan_client *best = NULL;
		uint32_t address = fixture_random(&state);
		if (i < fixture->plan.client_count * 2)
			address = fixture->clients[i / 2].prefix - i % 2;
		else if (i % 4)
			address |= 0xfffe0000;
		for (uint32_t j = 0; j < fixture->plan.client_count; j++) {
			const struct egret_plan_client *client = &fixture->clients[j];
			uint32_t bits = client->prefix_length;
			if ((bits == 0 || (client->prefix ^ address) >> (32 - bits) == 0) &&
				(!best || bits > best->prefix_length))
				best = client;
		}
		uint32_t owner = best && best->identity != EGRET_NONE ? best->identity : 0;
		wrong += identity(&view, address) != owner;
	}
	tap_ok(number == 1 && wrong == 0, "seed %llu: %u of 20000 owners differ from a scan of %u",
		(unsigned long long)seed, wrong, fixture->plan.client_count);
	free(fixture);
	egret_arena_close(arena);
}

enum { GATEWAYS = 8, SOURCES = 256 };

static void choices(const struct plan_view *view, uint32_t chosen[SOURCES])
{
	for (uint32_t i = 0; i < SOURCES; i++) {
		const struct egret_plan_client *client = plan_client(view, 0x0a010000 + i);
		const struct egret_plan_address *address = plan_choose(
			view, client, &view->rules[0], 0x0a010000 + i);
		chosen[i] = address ? address->address : 0;
	}
}

static uint32_t count_distinct(const uint32_t chosen[SOURCES])
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < SOURCES; i++) {
		uint32_t j = 0;
		while (chosen[j] != chosen[i])
			j++;
		count += j == i;
	}
	return count;
}

static void test_choice(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *fixture = calloc(1, sizeof *fixture);
	uint32_t before[SOURCES], after[SOURCES], moved = 0, astray = 0;
	struct plan_view view;
	for (uint32_t i = 0; i < GATEWAYS; i++)
		plan_add_address(fixture, 0x0a320000 + i + 1, 1);
	plan_add_rule(fixture, 0, 0, EGRET_ACTION_GATEWAY, 0, GATEWAYS);
	plan_add_client(fixture, 0x0a010000, 24, 0, 1);
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, before);
	tap_ok(count_distinct(before) == GATEWAYS, "sources spread over all %u addresses, here %u",
		(unsigned)GATEWAYS, count_distinct(before));
	fixture->addresses[3].is_ready = 0;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, after);
	for (uint32_t i = 0; i < SOURCES; i++) {
		moved += before[i] != after[i];
		astray += before[i] != after[i] && before[i] != 0x0a320004;
	}
	tap_ok(moved > 0 && astray == 0, "only the sources of an address that was removed move");
	fixture->addresses[3].is_ready = 1;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, after);
	tap_ok(memcmp(before, after, sizeof before) == 0, "and come back with it");

	for (uint32_t most = 1; most <= GATEWAYS; most++) {
		fixture->rules[0].max_next_hops = (uint16_t)most;
		publish(arena, fixture);
		plan_view_take(arena, &view);
		choices(&view, after);
		tap_ok(count_distinct(after) == most, "at most %u addresses for a client, here %u",
			most, count_distinct(after));
	}
	fixture->rules[0].max_next_hops = 2;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, before);
	for (uint32_t i = 0; i < GATEWAYS; i++)
		fixture->addresses[i].is_ready = fixture->addresses[i].address != before[0];
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, after);
	astray = 0;
	for (uint32_t i = 0; i < SOURCES; i++)
		astray += before[i] != before[0] && after[i] == before[0];
	tap_ok(count_distinct(after) == 2 && astray == 0,
		"one that is not ready does not count among them");
	for (uint32_t i = 0; i < GATEWAYS; i++)
		fixture->addresses[i].is_ready = 0;
	publish(arena, fixture);
	plan_view_take(arena, &view);
	choices(&view, after);
	tap_ok(count_distinct(after) == 1 && after[0] == 0, "none is ready: no address");
	free(fixture);
	egret_arena_close(arena);
}

static void test_turns(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *fixture = malloc(sizeof *fixture);
	seed_plan(fixture);
	tap_ok(egret_plan_acknowledged(arena) == 0, "no plan, none acknowledged");
	tap_ok(publish(arena, fixture) == 1 && publish(arena, fixture) == 2,
		"without workers plans follow each other");
	int claim = fixture_claim(arena);
	epoch_online(arena, 0, clock_now_ns());
	epoch_enter(arena, 0);
	struct plan_view view;
	plan_view_take(arena, &view);
	tap_ok(egret_plan_acknowledged(arena) == 0, "a worker took it, but has not said so");
	arena->header->workers[0].plan_seen = view.number;
	tap_ok(egret_plan_acknowledged(arena) == 2 && publish(arena, fixture) == 3,
		"now it has; the next plan is written into the other buffer");
	uint32_t before = *(const uint32_t *)view.derived;
	tap_ok(publish(arena, fixture) == -EGRET_STATUS_TIMEOUT &&
			*(const uint32_t *)view.derived == before && before == 2,
		"the one that it reads is not overwritten");
	plan_view_take(arena, &view);
	arena->header->workers[0].plan_seen = view.number;
	tap_ok(egret_plan_acknowledged(arena) == 3 && publish(arena, fixture) == 4,
		"until it has taken up the current one");
	epoch_leave(arena, 0, clock_now_ns());
	tap_ok(publish(arena, fixture) == 5, "nor one that is quiet");
	epoch_offline(arena, 0);
	fixture_unclaim(claim);
	tap_ok(egret_plan_acknowledged(arena) == 3, "offline: what it saw last");
	free(fixture);
	egret_arena_close(arena);
}

static uint16_t why(
	struct arena *arena, uint32_t client, uint32_t destination, struct egret_decision *decision)
{
	egret_why(arena, client, destination, decision);
	return decision->drop;
}

static void test_why(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *fixture = malloc(sizeof *fixture);
	struct egret_decision d;
	tap_ok(why(arena, 0x0a010001, 0xc000020a, &d) == EGRET_DROP_NOT_A_CLIENT,
		"no plan: no client");
	seed_plan(fixture);
	// The first gateway address lives in both networks.
	fixture->addresses[0].network_count = 2;
	fixture->addresses[0].networks[1] = 2;
	publish(arena, fixture);
	const uint32_t client = 0x0a010001, web = 0xc000020a;
	tap_ok(why(arena, client, web, &d) == EGRET_DROP_WRONG_INTERFACE && d.client == 100,
		"a client that the main table does not reach");
	egret_arena_begin_generation(arena);
	struct egret_adjacency red = {0xac10018c, 1, 0}, blue = {0, 5, 0}, clients = {0, 0, 0};
	egret_fib_set_group(arena, 4, &clients, 1);
	struct egret_fib_delta in_main[] = {{0x0a010000, 16, 4}, {0x0a020000, 16, 4}};
	egret_fib_apply(arena, 0, in_main, 2);
	egret_arena_commit_generation(arena);
	tap_ok(why(arena, client, web, &d) == EGRET_DROP_NO_ROUTE && d.client == 100 &&
			d.rule == 2 && d.outside_addr == 0x0a320002 && d.port == EGRET_NONE,
		"no route yet");
	egret_fib_set_group(arena, 2, &red, 1);
	egret_fib_set_group(arena, 3, &blue, 1);
	struct egret_fib_delta in_red[] = {{0xc0000200, 24, 2}, {0xcb007100, 24, 2},
		{0xc0000300, 24, EGRET_GROUP_UNREACHABLE}};
	struct egret_fib_delta in_blue[] = {{0xc0000208, 29, 3}, {0xcb007100, 24, 3}};
	egret_fib_apply(arena, 1, in_red, 3);
	egret_fib_apply(arena, 2, in_blue, 2);
	egret_fib_apply(arena, 0, &(struct egret_fib_delta){0x0a000000, 8, 3}, 1);
	tap_ok(why(arena, client, web, &d) == 0 && d.network == 2 && d.group == 3 && d.port == 5 &&
			d.next_hop == web,
		"the longest prefix of all networks wins; on the link the destination is next");
	tap_ok(why(arena, client, 0xc0000201, &d) == 0 && d.network == 1 && d.port == 1 &&
			d.next_hop == 0xac10018c,
		"each destination its network");
	tap_ok(why(arena, client, 0xcb007101, &d) == 0 && d.network == 1,
		"of equal prefixes the network that is named first wins");
	tap_ok(why(arena, client, 0xc0000301, &d) == EGRET_DROP_NO_ROUTE &&
			d.group == EGRET_GROUP_UNREACHABLE,
		"an unreachable route");
	tap_ok(why(arena, client, 0xc6336401, &d) == EGRET_DROP_NO_GATEWAY && d.rule == 0,
		"a rule that blocks");
	tap_ok(why(arena, client, 0x0a000001, &d) == EGRET_DROP_NETWORK_EXIT &&
			d.outside_addr == 0 && d.port == 5,
		"without translation nothing leaves into a network");
	fixture->ports[2].role = EGRET_ROLE_ANY;
	publish(arena, fixture);
	tap_ok(why(arena, client, 0x0a000001, &d) == 0 && d.network == 0, "but by another port");
	tap_ok(why(arena, client, 0x7f000001, &d) == EGRET_DROP_MARTIAN_DESTINATION &&
			why(arena, 0x7f000001, web, &d) == EGRET_DROP_MARTIAN_SOURCE,
		"martians are dropped before anything is asked");
	tap_ok(why(arena, client, 0x0a320003, &d) == EGRET_DROP_WRONG_NETWORK,
		"a client that sends to a gateway address");
	tap_ok(why(arena, 0x0a010081, 0x01010101, &d) == EGRET_DROP_NO_RULE, "no rule");
	tap_ok(why(arena, 0x0a020001, web, &d) == EGRET_DROP_NO_POLICY, "no policy");
	fixture->ports[2].is_up = 0;
	fixture->addresses[1].is_ready = 0;
	publish(arena, fixture);
	tap_ok(why(arena, client, web, &d) == EGRET_DROP_PORT_DOWN, "the port is down");
	tap_ok(why(arena, 0x0a010081, web, &d) == EGRET_DROP_NO_GATEWAY, "no gateway");
	struct egret_adjacency both[] = {{0, 5, 0}, {0xac10018d, 1, 0}};
	egret_fib_set_group(arena, 3, both, 2);
	tap_ok(why(arena, client, web, &d) == 0 && d.port == 1,
		"a member whose port is down is passed over");
	free(fixture);
	egret_arena_close(arena);
}

int main(void)
{
	test_refusals();
	test_lookups();
	for (uint64_t seed = 1; seed <= 4; seed++)
		test_clients(seed);
	test_choice();
	test_turns();
	test_why();
	return tap_done();
}
