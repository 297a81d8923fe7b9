// SPDX-License-Identifier: Apache-2.0

// Outside ports, exact. See port_pool.h.
#include "nat/port_pool.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PORTS = 65536, WORDS = PORTS / 64, FIRST_PORT = 1024 };

// 96 MiB of address space; only pages of pools that are used become memory.
struct port_pools {
	uint64_t bits[EGRET_ADDRESS_MAX][PORT_POOL_KINDS][WORDS]; // 1: taken
	struct egret_pool_row *rows; // [EGRET_ADDRESS_MAX], in the arena
};

enum port_pool_kind port_pool_kind(uint8_t protocol)
{
	if (protocol == IPPROTO_TCP)
		return PORT_POOL_TCP;
	return protocol == IPPROTO_UDP ? PORT_POOL_UDP : PORT_POOL_ICMP;
}

struct port_pools *port_pools_make(const struct arena *arena)
{
	struct port_pools *pools = mmap(NULL, sizeof *pools, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pools == MAP_FAILED)
		return NULL;
	pools->rows = arena_at(arena, arena->header->at_pools);
	memset(pools->rows, 0, EGRET_ADDRESS_MAX * sizeof *pools->rows);
	return pools;
}

void port_pools_free(struct port_pools *pools)
{
	if (pools)
		munmap(pools, sizeof *pools);
}

static uint32_t *used(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind)
{
	struct egret_pool_row *row = &pools->rows[slot];
	if (kind == PORT_POOL_TCP)
		return &row->tcp_used;
	return kind == PORT_POOL_UDP ? &row->udp_used : &row->icmp_used;
}

// The first free port in [first, end), or -1.
static int32_t first_free(const uint64_t *bits, uint32_t first, uint32_t end)
{
	for (uint32_t at = first; at < end; at = (at | 63) + 1) {
		uint64_t free = ~bits[at / 64] & ~0ull << at % 64;
		if (free) {
			uint32_t port = (at & ~63u) + (uint32_t)__builtin_ctzll(free);
			return port < end ? (int32_t)port : -1;
		}
	}
	return -1;
}

int32_t port_pool_take(
	struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint32_t random)
{
	uint64_t *bits = pools->bits[slot][kind];
	uint32_t lowest = kind == PORT_POOL_ICMP ? 0 : FIRST_PORT;
	uint32_t start = lowest + (uint32_t)((uint64_t)random * (PORTS - lowest) >> 32);
	int32_t port = first_free(bits, start, PORTS);
	if (port < 0)
		port = first_free(bits, lowest, start);
	if (port < 0)
		return -1;
	bits[port / 64] |= 1ull << port % 64;
	++*used(pools, slot, kind);
	return port;
}

int port_pool_take_exact(
	struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint16_t port)
{
	if ((kind != PORT_POOL_ICMP && port < FIRST_PORT) ||
		port_pool_is_taken(pools, slot, kind, port))
		return -1;
	pools->bits[slot][kind][port / 64] |= 1ull << port % 64;
	++*used(pools, slot, kind);
	return 0;
}

void port_pool_quarantine(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind)
{
	--*used(pools, slot, kind);
	pools->rows[slot].quarantined++;
}

void port_pool_revive(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind)
{
	++*used(pools, slot, kind);
	pools->rows[slot].quarantined--;
}

void port_pool_give(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind,
	uint16_t port, int was_quarantined)
{
	pools->bits[slot][kind][port / 64] &= ~(1ull << port % 64);
	if (was_quarantined)
		pools->rows[slot].quarantined--;
	else
		--*used(pools, slot, kind);
}

int port_pool_is_taken(
	const struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint16_t port)
{
	return pools->bits[slot][kind][port / 64] >> port % 64 & 1;
}
