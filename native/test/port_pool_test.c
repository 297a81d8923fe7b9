// SPDX-License-Identifier: Apache-2.0

// Every outside port can be handed out, to the last one, and comes back.
#include "arena_fixture.h"
#include "nat/port_pool.h"
#include "tap.h"

#include <netinet/in.h>
#include <string.h>

static uint64_t seed = 42;

static void test_to_the_last(struct port_pools *pools, enum port_pool_kind kind, uint32_t first)
{
	static uint8_t seen[65536];
	memset(seen, 0, sizeof seen);
	uint32_t taken = 0, repeated = 0, low = 0;
	int32_t port;
	while ((port = port_pool_take(pools, 3, kind, fixture_random(&seed))) >= 0) {
		repeated += seen[port];
		low += (uint32_t)port < first;
		seen[port] = 1;
		taken++;
	}
	tap_ok(taken == 65536 - first && repeated == 0 && low == 0,
		"kind %d: all %u ports, each once", kind, taken);
	port_pool_give(pools, 3, kind, 40000, 0);
	tap_ok(port_pool_take(pools, 3, kind, 0) == 40000 && port_pool_take(pools, 3, kind, 0) < 0,
		"the only free one is found from anywhere");
}

static void test_random(struct port_pools *pools)
{
	// Pearson's chi-square over 63 equal ranges; 120 is far beyond p = 0.0001 for 62 degrees.
	uint32_t bins[63] = {0}, n = 10080;
	for (uint32_t i = 0; i < n; i++) {
		int32_t port = port_pool_take(pools, 4, PORT_POOL_UDP, fixture_random(&seed));
		bins[(port - 1024) / 1024]++;
		port_pool_give(pools, 4, PORT_POOL_UDP, (uint16_t)port, 0);
	}
	double chi = 0, want = n / 63.0;
	for (uint32_t i = 0; i < 63; i++)
		chi += (bins[i] - want) * (bins[i] - want) / want;
	tap_ok(chi < 120, "RFC 6056: spread evenly (chi-square %.1f)", chi);
}

static void test_counts(struct arena *arena, struct port_pools *pools)
{
	struct egret_pool_row row;
	int32_t port = port_pool_take(pools, 5, PORT_POOL_TCP, 7);
	tap_ok(port_pool_take_exact(pools, 5, PORT_POOL_TCP, (uint16_t)port) < 0 &&
			port_pool_take_exact(pools, 5, PORT_POOL_TCP, 80) < 0 &&
			port_pool_take_exact(pools, 5, PORT_POOL_ICMP, 80) == 0,
		"a taken port, a low port, a low query id");
	port_pool_quarantine(pools, 5, PORT_POOL_TCP);
	egret_pool_read(arena, 5, &row);
	tap_ok(row.tcp_used == 0 && row.quarantined == 1 && row.icmp_used == 1 &&
			port_pool_is_taken(pools, 5, PORT_POOL_TCP, (uint16_t)port),
		"in quarantine: not used, not free");
	port_pool_revive(pools, 5, PORT_POOL_TCP);
	port_pool_quarantine(pools, 5, PORT_POOL_TCP);
	port_pool_give(pools, 5, PORT_POOL_TCP, (uint16_t)port, 1);
	egret_pool_read(arena, 5, &row);
	tap_ok(row.tcp_used == 0 && row.quarantined == 0, "and out of it");
}

int main(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct port_pools *pools = port_pools_make(arena);
	tap_ok(port_pool_kind(IPPROTO_TCP) == PORT_POOL_TCP &&
			port_pool_kind(IPPROTO_ICMP) == PORT_POOL_ICMP,
		"kinds");
	test_to_the_last(pools, PORT_POOL_TCP, 1024);
	test_to_the_last(pools, PORT_POOL_ICMP, 0);
	test_random(pools);
	test_counts(arena, pools);
	port_pools_free(pools);
	egret_arena_close(arena);
	return tap_done();
}
