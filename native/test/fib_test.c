// SPDX-License-Identifier: Apache-2.0

// The FIB against a linear scan; its plies, groups and generations from creation to reuse.
#include "arena/epoch.h"
#include "arena_fixture.h"
#include "fib/fib.h"
#include "fib/fib_apply.h"
#include "fib/fib_write.h"
#include "lib/clock.h"
#include "tap.h"

#include <string.h>

enum { NETWORKS = 3, ROUTE_MAX = 600 };

static uint32_t mask_of(uint32_t length)
{
	return length ? UINT32_MAX << (32 - length) : 0;
}

static int apply_one(
	struct arena *arena, uint16_t network, uint32_t prefix, uint32_t length, uint32_t group)
{
	struct egret_fib_delta delta = {prefix, length, group};
	return egret_fib_apply(arena, network, &delta, 1);
}

static struct arena *begun(const struct egret_limits *limits)
{
	struct arena *arena = fixture_arena(limits);
	if (egret_arena_begin_generation(arena) != 0) {
		printf("Bail out! no generation\n");
		exit(1);
	}
	return arena;
}

// Longest-prefix match in the generation that is written, forwarding or not.
static uint32_t written_group(struct arena *arena, uint16_t network, uint32_t address)
{
	struct fib_view view;
	fib_half_view(arena, ((struct arena_handle *)arena)->writer->half, &view);
	view.generation_number = 1;
	return fib_lookup(&view, network, address);
}

static uint32_t plies_used(struct arena *arena)
{
	uint32_t used, max;
	egret_fib_usage(arena, &used, &max);
	return used;
}

// -- A FIB that is slow and obvious ---------------------------------------------------------------

struct route {
	uint32_t prefix, length, group;
};

struct oracle {
	struct route routes[ROUTE_MAX];
	uint32_t count;
};

static void oracle_set(struct oracle *oracle, struct route route)
{
	for (uint32_t i = 0; i < oracle->count; i++) {
		if (oracle->routes[i].prefix != route.prefix ||
			oracle->routes[i].length != route.length)
			continue;
		oracle->routes[i] = route.group ? route : oracle->routes[--oracle->count];
		return;
	}
	if (route.group)
		oracle->routes[oracle->count++] = route;
}

static struct route oracle_lookup(const struct oracle *oracle, uint32_t address)
{
	struct route best = {0};
	for (uint32_t i = 0; i < oracle->count; i++) {
		const struct route *route = &oracle->routes[i];
		if (((address ^ route->prefix) & mask_of(route->length)) == 0 &&
			(best.group == 0 || route->length >= best.length))
			best = *route;
	}
	return best;
}

// A prefix that often lies in, around or next to others.
static struct route random_route(uint64_t *state)
{
	static const uint32_t bases[] = {
		0x0a000000, 0x0a010000, 0x0a010100, 0xc0000200, 0xfffffe00};
	uint32_t length = fixture_random(state) % 33;
	uint32_t address = bases[fixture_random(state) % 5] ^
		(fixture_random(state) & 0x000f0fff & fixture_random(state));
	uint32_t group = fixture_random(state) % 3 == 0 ? 0 : 1 + fixture_random(state) % 40;
	return (struct route){address & mask_of(length), length, group};
}

enum { SAMPLES = 12 };

// Addresses at the bounds of a route, and some elsewhere.
static void sample(uint64_t *state, const struct route *route, uint32_t addresses[SAMPLES])
{
	uint32_t last = route->prefix | ~mask_of(route->length);
	addresses[0] = route->prefix;
	addresses[1] = last;
	addresses[2] = route->prefix - 1;
	addresses[3] = last + 1;
	addresses[4] = route->prefix | (fixture_random(state) & ~mask_of(route->length));
	for (uint32_t i = 5; i < SAMPLES; i++)
		addresses[i] = random_route(state).prefix ^ fixture_random(state) % 512;
}

// Applies one route and compares samples with the oracle. Returns how many are wrong; adds those
// that changed without their chunk's version to *unversioned.
static uint32_t step(struct arena *arena, uint16_t network, struct oracle *oracle,
	const struct route *route, uint64_t *state, uint32_t *unversioned)
{
	uint32_t addresses[SAMPLES], versions[SAMPLES], groups[SAMPLES], wrong = 0;
	struct fib_view view;
	fib_view_take(arena, &view);
	sample(state, route, addresses);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		versions[i] = fib_version(&view, network, addresses[i]);
		groups[i] = fib_lookup(&view, network, addresses[i]);
	}
	wrong += apply_one(arena, network, route->prefix, route->length, route->group) != 1;
	oracle_set(oracle, *route);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		struct route want = oracle_lookup(oracle, addresses[i]);
		uint32_t group = fib_lookup(&view, network, addresses[i]);
		wrong += group != want.group;
		wrong += want.group &&
			fib_lookup_length(&view, network, addresses[i]) != want.length;
		*unversioned += group != groups[i] &&
			fib_version(&view, network, addresses[i]) == versions[i];
	}
	return wrong;
}

static void test_random(uint64_t seed)
{
	struct egret_limits limits = fixture_limits;
	limits.plies = 2000;
	struct arena *arena = begun(&limits);
	egret_arena_commit_generation(arena);
	struct oracle *oracles = calloc(NETWORKS, sizeof *oracles);
	uint64_t state = seed;
	uint32_t wrong = 0, unversioned = 0;
	for (uint32_t i = 0; i < 6000; i++) {
		uint16_t network = (uint16_t)(fixture_random(&state) % NETWORKS);
		struct route route = random_route(&state);
		if (oracles[network].count == ROUTE_MAX)
			route.group = 0;
		wrong += step(arena, network, &oracles[network], &route, &state, &unversioned);
		if (i % 64 == 0)
			egret_fib_reclaim(arena);
	}
	tap_ok(wrong == 0, "seed %llu: %u lookups differ from the linear scan",
		(unsigned long long)seed, wrong);
	tap_ok(unversioned == 0, "seed %llu: %u changes left the chunk's version as it was",
		(unsigned long long)seed, unversioned);
	tap_ok(plies_used(arena) > 0, "plies were in use");
	for (uint16_t network = 0; network < NETWORKS; network++)
		for (uint32_t i = 0; i < oracles[network].count; i++)
			apply_one(arena, network, oracles[network].routes[i].prefix,
				oracles[network].routes[i].length, EGRET_GROUP_NONE);
	int is_reclaimed = egret_fib_reclaim(arena);
	tap_ok(is_reclaimed == 1 && plies_used(arena) == 0,
		"withdrawing everything frees every ply, %u left", plies_used(arena));
	uint32_t found = 0;
	for (uint32_t i = 0; i < 1000; i++)
		found += written_group(arena, (uint16_t)(i % NETWORKS), fixture_random(&state)) !=
			0;
	tap_ok(found == 0, "and leaves no route");
	free(oracles);
	egret_arena_close(arena);
}

static void test_space(void)
{
	struct egret_limits limits = fixture_limits;
	limits.plies = 3;
	struct arena *arena = begun(&limits);
	struct egret_fib_delta deltas[] = {
		{0x0a000000, 8, 2}, {0x0a000001, 32, 3}, {0x0b000001, 32, 4}, {0x0c000000, 8, 5}};
	tap_ok(egret_fib_apply(arena, 0, deltas, 4) == 2 &&
			egret_fib_last_status(arena) == -EGRET_STATUS_NO_SPACE,
		"a delta that needs two plies is not applied when one is free");
	tap_ok(written_group(arena, 0, 0x0a000001) == 3 &&
			written_group(arena, 0, 0x0a000002) == 2 &&
			written_group(arena, 0, 0x0b000001) == 0 && plies_used(arena) == 2,
		"and the tables are as before it");
	tap_ok(apply_one(arena, 0, 0x0b000000, 24, 4) == 1, "one that needs one ply is");
	tap_ok(apply_one(arena, 0, 0x0a000001, 32, 0) == 1 &&
			egret_fib_apply(arena, 0, deltas + 2, 2) == 2 &&
			egret_fib_last_status(arena) == 0,
		"plies of a withdrawn prefix are used again when they are needed");
	tap_ok(written_group(arena, 0, 0x0b000001) == 4 && written_group(arena, 0, 0x0a000001) == 2,
		"lookups agree");
	tap_ok(apply_one(arena, 0, 0x0a000001, 8, 2) == 0 &&
			egret_fib_last_status(arena) == -EGRET_STATUS_BAD_ARGUMENT,
		"a prefix with host bits is refused");
	tap_ok(apply_one(arena, 0, 0, 33, 2) == 0, "a length over 32 is refused");
	tap_ok(apply_one(arena, 0, 0, 0, limits.groups + EGRET_GROUP_FIRST) == 0,
		"a group over the limit is refused");
	tap_ok(egret_fib_apply(arena, 4, deltas, 1) == -EGRET_STATUS_BAD_ARGUMENT,
		"a network over the limit is refused");
	tap_ok(egret_fib_clear(arena, 0) == 0 && egret_fib_reclaim(arena) == 1 &&
			plies_used(arena) == 0 && written_group(arena, 0, 0x0c000001) == 0,
		"clearing a network frees all it had");
	egret_arena_close(arena);
}

// Announces 10.0.x.1/32, 256 of them or as many as there is room for: each takes a ply of its own.
static uint32_t announce_scattered(struct arena *arena, uint16_t network)
{
	uint32_t count = 0;
	while (count < 256 && apply_one(arena, network, 0x0a000001u | count << 8, 32, 2) == 1)
		count++;
	return count;
}

static void test_shares(void)
{
	struct egret_limits limits = fixture_limits;
	limits.plies = 20;
	struct arena *arena = begun(&limits);
	tap_ok(egret_fib_reserve(arena, 1, 6) == 0 && egret_fib_reserve(arena, 2, 4) == 0,
		"two networks have shares");
	tap_ok(announce_scattered(arena, 0) == 9 && plies_used(arena) == 10,
		"one without takes what is reserved for none");
	tap_ok(announce_scattered(arena, 1) == 5, "another has its share all the same");
	tap_ok(apply_one(arena, 1, 0x0a000001, 32, 0) == 1 &&
			apply_one(arena, 0, 0x0b000000, 24, 2) == 0 &&
			apply_one(arena, 1, 0x0a00ff01, 32, 2) == 1,
		"what it withdraws stays its own");
	tap_ok(egret_fib_clear(arena, 0) == 0 && announce_scattered(arena, 2) == 13,
		"a share is no limit: what others do not use is used");
	tap_ok(egret_fib_reserve(arena, 1, 0) == 0 && egret_fib_clear(arena, 1) == 0 &&
			apply_one(arena, 0, 0x0b000001, 32, 2) == 1,
		"a share that is given up is free for all");
	tap_ok(egret_fib_reserve(arena, 1, 21) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_fib_reserve(arena, 4, 1) == -EGRET_STATUS_BAD_ARGUMENT,
		"a share beyond all plies, or of no network, is refused");
	egret_arena_close(arena);
}

static void test_quiet_points(void)
{
	struct arena *arena = begun(&fixture_limits);
	egret_arena_commit_generation(arena);
	apply_one(arena, 0, 0x0a000001, 32, 2);
	tap_ok(egret_fib_reclaim(arena) == 1, "no worker reads: reclaimed at once");
	int claim = fixture_claim(arena);
	epoch_online(arena, 0, clock_now_ns());
	epoch_enter(arena, 0);
	apply_one(arena, 0, 0x0a000001, 32, 0);
	tap_ok(egret_fib_reclaim(arena) == 0 && plies_used(arena) == 2,
		"a worker in a batch keeps unlinked plies");
	epoch_leave(arena, 0, clock_now_ns());
	epoch_enter(arena, 0);
	tap_ok(egret_fib_reclaim(arena) == 1 && plies_used(arena) == 0, "its next batch does not");
	apply_one(arena, 0, 0x0a000001, 32, 2);
	tap_ok(egret_fib_reclaim(arena) == 0, "a group that was freed in this batch is not free");
	epoch_offline(arena, 0);
	tap_ok(egret_fib_reclaim(arena) == 1, "an offline worker is quiet");
	epoch_online(arena, 0, clock_now_ns());
	apply_one(arena, 0, 0x0a000001, 32, 0);
	tap_ok(egret_fib_reclaim(arena) == 0, "online again, in the same batch");
	fixture_unclaim(claim);
	arena->header->workers[0].heartbeat_ns = clock_now_ns() - EPOCH_SILENCE_NS - 1;
	tap_ok(egret_fib_reclaim(arena) == 1, "a silent worker that no process claims is dead");
	egret_arena_close(arena);
}

static void test_generations(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct fib_view view;
	struct egret_fib_delta delta = {0x0a000000, 8, 2};
	tap_ok(egret_fib_apply(arena, 0, &delta, 1) == -EGRET_STATUS_BAD_ARGUMENT,
		"nothing is written before a generation is begun");
	tap_ok(!egret_arena_has_generation(arena), "a new arena has no generation");
	egret_arena_begin_generation(arena);
	apply_one(arena, 0, 0x0a000000, 8, 2);
	fib_view_take(arena, &view);
	tap_ok(fib_lookup(&view, 0, 0x0a000001) == EGRET_GROUP_NONE,
		"readers see nothing before the commit");
	tap_ok(written_group(arena, 0, 0x0a000001) == 2, "the writer does");
	egret_arena_commit_generation(arena);
	fib_view_take(arena, &view);
	uint32_t first = view.generation_number;
	tap_ok(first > 0 && fib_lookup(&view, 0, 0x0a000001) == 2, "readers see it after");
	apply_one(arena, 0, 0x0a000000, 9, 3);
	tap_ok(fib_lookup(&view, 0, 0x0a000001) == 3, "and what is written later");

	tap_ok(!egret_arena_has_generation(arena), "an instance's own commit is no previous one");
	egret_arena_begin_generation(arena);
	tap_ok(egret_arena_has_generation(arena), "the next instance finds it");
	apply_one(arena, 0, 0x0b000000, 8, 4);
	fib_view_take(arena, &view);
	tap_ok(view.generation_number == first && fib_lookup(&view, 0, 0x0a000001) == 3 &&
			fib_lookup(&view, 0, 0x0b000001) == 0,
		"the old generation forwards until the commit");
	egret_arena_begin_generation(arena);
	tap_ok(written_group(arena, 0, 0x0b000001) == 0 && fib_lookup(&view, 0, 0x0a000001) == 3,
		"an instance that follows one without a commit begins the same half again");
	apply_one(arena, 0, 0x0c000000, 8, 5);
	egret_arena_commit_generation(arena);
	fib_view_take(arena, &view);
	tap_ok(view.generation_number == first + 1 && fib_lookup(&view, 0, 0x0a000001) == 0 &&
			fib_lookup(&view, 0, 0x0c000001) == 5,
		"the commit swaps all of it");
	egret_arena_close(arena);
}

// A forwarder that hangs in the middle of a batch under an egretd that ends and comes back.
static void test_hung_reader(void)
{
	struct arena *arena = begun(&fixture_limits);
	struct arena_header *header = arena->header;
	egret_arena_commit_generation(arena);
	int claim = fixture_claim(arena);
	epoch_online(arena, 0, clock_now_ns());
	epoch_enter(arena, 0);
	tap_ok(egret_arena_begin_generation(arena) == -EGRET_STATUS_TIMEOUT,
		"it may read the half from before the commit");
	header->workers[0].generation_seen = header->generation_number;
	tap_ok(egret_arena_begin_generation(arena) == 0, "unless it has met the current one");
	egret_arena_commit_generation(arena);
	tap_ok(egret_arena_begin_generation(arena) == -EGRET_STATUS_TIMEOUT,
		"which the next commit makes the one before");
	epoch_leave(arena, 0, clock_now_ns());
	tap_ok(egret_arena_begin_generation(arena) == 0, "until the batch is over");
	fixture_unclaim(claim);
	egret_arena_close(arena);
}

static void test_groups(void)
{
	struct arena *arena = begun(&fixture_limits);
	egret_arena_commit_generation(arena);
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX + 1] = {{0x01020304, 1, 0}, {5, 2, 0}};
	struct egret_adjacency read[EGRET_GROUP_PATHS_MAX];
	struct fib_view view;
	fib_view_take(arena, &view);
	tap_ok(egret_fib_set_group(arena, 2, paths, 2) == 0 &&
			fib_group_read(&view, 2, read) == 2 && read[0].next_hop == 0x01020304 &&
			read[0].port == 1 && read[1].port == 2,
		"a group is read as it was written");
	tap_ok(egret_fib_set_group(arena, 2, paths + 1, 1) == 0 &&
			fib_group_read(&view, 2, read) == 1 && read[0].port == 2,
		"and rewritten in place");
	tap_ok(egret_fib_set_group(arena, 1, paths, 1) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_fib_set_group(arena, 66, paths, 1) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_fib_set_group(arena, 2, paths, 17) == -EGRET_STATUS_BAD_ARGUMENT,
		"numbers and counts out of range are refused");
	paths[0].port = EGRET_PORT_MAX;
	tap_ok(egret_fib_set_group(arena, 2, paths, 1) == -EGRET_STATUS_BAD_ARGUMENT,
		"a port out of range is refused");
	tap_ok(fib_group_read(&view, 1, read) == 0 && fib_group_read(&view, 66, read) == 0,
		"a group that was never set has no members");
	egret_arena_close(arena);
}

// A generation that is damaged leads nowhere.
static void test_damage(void)
{
	struct arena *arena = begun(&fixture_limits);
	struct egret_adjacency path = {.port = 1}, read[EGRET_GROUP_PATHS_MAX];
	struct egret_fib_delta route = {0x0a000001, 32, 2};
	egret_fib_set_group(arena, 2, &path, 1);
	egret_fib_apply(arena, 0, &route, 1);
	egret_arena_commit_generation(arena);
	struct fib_view view;
	fib_view_take(arena, &view);
	uint32_t *roots = (uint32_t *)view.roots, *plies = (uint32_t *)view.plies;
	uint32_t top = roots[0x0a00], middle = plies[0];
	roots[0x0a00] = 1u << FIB_PLY_BIT | fixture_limits.plies;
	tap_ok(fib_lookup(&view, 0, 0x0a000001) == EGRET_GROUP_NONE, "a ply that there is not");
	roots[0x0a00] = top;
	plies[0] = UINT32_MAX;
	tap_ok(fib_lookup(&view, 0, 0x0a000001) == EGRET_GROUP_NONE, "nor one below another");
	plies[0] = middle;
	((struct fib_group *)view.groups)[2].count = EGRET_GROUP_PATHS_MAX + 1;
	tap_ok(fib_lookup(&view, 0, 0x0a000001) == 2 && fib_group_read(&view, 2, read) == 0,
		"a group with more members than it has room for");
	egret_arena_close(arena);
}

// -- Weight ---------------------------------------------------------------------------------------

static struct egret_fib_delta *many_prefixes(uint32_t count)
{
	// Of 100,000 prefixes of a full table, how many have each length, /8 to /24: about.
	static const uint32_t share[] = {2, 2, 4, 10, 30, 60, 120, 220, 1450, 900, 1480, 2630, 4630,
		5370, 11370, 10320, 61402};
	struct egret_fib_delta *deltas = malloc(count * sizeof *deltas);
	uint64_t state = 12345;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t pick = fixture_random(&state) % 100000, length = 8;
		for (; length < 24 && pick >= share[length - 8]; length++)
			pick -= share[length - 8];
		deltas[i] = (struct egret_fib_delta){
			(0x01000000 + fixture_random(&state) % 0xdf000000) & mask_of(length),
			length, EGRET_GROUP_FIRST + i % 50};
	}
	return deltas;
}

// Applies deltas as egretd does, call after call. Returns the number of calls, 0 when one failed.
static uint32_t apply_all(
	struct arena *arena, uint16_t network, const struct egret_fib_delta *deltas, uint32_t n)
{
	uint32_t calls = 0;
	for (uint32_t at = 0; at < n; calls++) {
		int applied = egret_fib_apply(arena, network, deltas + at, n - at);
		if (applied < 0 || egret_fib_last_status(arena) != 0)
			return 0;
		at += (uint32_t)applied;
	}
	return calls;
}

// Of the 65,536 /16, how many have their first address led by a group.
static uint32_t count_led(struct arena *arena, uint16_t network, uint32_t group)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < FIB_ROOT_ENTRIES; i++)
		count += written_group(arena, network, i << 16) == group;
	return count;
}

static void test_short_prefix(void)
{
	enum { TOPS = 40000, SPECIFIC = 5, FIRST = 2, SECOND = 3 };
	struct egret_limits limits = fixture_limits;
	limits.plies = TOPS;
	struct arena *arena = begun(&limits);
	struct egret_fib_delta *deltas = malloc(TOPS * sizeof *deltas);
	for (uint32_t i = 0; i < TOPS; i++)
		deltas[i] = (struct egret_fib_delta){i << 16 | 0xff00, 24, SPECIFIC};
	tap_ok(apply_all(arena, 1, deltas, TOPS) == 1, "long prefixes take one call");

	struct egret_fib_delta route = {0, 0, FIRST}, other = {0, 0, SECOND};
	tap_ok(egret_fib_apply(arena, 1, &route, 1) == 0 && egret_fib_last_status(arena) == 0,
		"a default route over %d plies takes more than one", TOPS);
	uint32_t led = count_led(arena, 1, FIRST);
	tap_ok(led > 0 && led < FIB_ROOT_ENTRIES, "one call has led %u of 65,536 there", led);
	tap_ok(egret_fib_apply(arena, 0, &other, 1) == 1 &&
			count_led(arena, 0, SECOND) == FIB_ROOT_ENTRIES &&
			count_led(arena, 1, FIRST) == led,
		"another network does not wait for it");
	tap_ok(apply_all(arena, 1, &route, 1) > 1 && count_led(arena, 1, FIRST) == FIB_ROOT_ENTRIES,
		"and all are led there in the end");

	route.group = SECOND;
	tap_ok(apply_all(arena, 1, &route, 1) > 1 &&
			count_led(arena, 1, SECOND) == FIB_ROOT_ENTRIES,
		"elsewhere, too");
	route.group = EGRET_GROUP_NONE;
	tap_ok(apply_all(arena, 1, &route, 1) > 1 && count_led(arena, 1, 0) == FIB_ROOT_ENTRIES &&
			written_group(arena, 1, 0xff00) == SPECIFIC,
		"and nowhere");
	route.group = FIRST;
	egret_fib_apply(arena, 1, &route, 1);
	egret_fib_clear(arena, 1);
	tap_ok(apply_all(arena, 1, &route, 1) == 1 &&
			count_led(arena, 1, FIRST) == FIB_ROOT_ENTRIES,
		"what was unfinished when the network was emptied is forgotten");
	free(deltas);
	egret_arena_close(arena);
}

static void test_many(void)
{
	enum { COUNT = 300000 };
	struct egret_limits limits = fixture_limits;
	limits.plies = 70000;
	struct arena *arena = begun(&limits);
	struct egret_fib_delta *deltas = many_prefixes(COUNT);
	uint32_t calls = apply_all(arena, 1, deltas, COUNT);
	tap_ok(calls > 0, "%d prefixes applied in %u calls", COUNT, calls);
	printf("# %u plies\n", plies_used(arena));
	for (uint32_t i = 0; i < COUNT; i++)
		deltas[i].group = EGRET_GROUP_NONE;
	calls = apply_all(arena, 1, deltas, COUNT);
	int is_reclaimed = egret_fib_reclaim(arena);
	tap_ok(calls > 0 && is_reclaimed == 1 && plies_used(arena) == 0,
		"and withdrawn, %u plies left", plies_used(arena));
	free(deltas);
	egret_arena_close(arena);
}

int main(void)
{
	test_generations();
	test_hung_reader();
	test_groups();
	test_damage();
	test_space();
	test_shares();
	test_quiet_points();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_random(seed);
	test_short_prefix();
	test_many();
	return tap_done();
}
