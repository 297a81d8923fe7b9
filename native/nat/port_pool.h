// SPDX-License-Identifier: Apache-2.0

// Outside ports: which are free, exactly, for each gateway address and protocol.
//
// One bit for each port. A port is chosen at random (RFC 6056 §3.3.1) and, if taken, the next free one
// is; so every port can be handed out, to the last. TCP and UDP use 1024 to 65535, ICMP query ids
// begin at 0. Ports in quarantine (RFC 6888 REQ-8) are taken. Private memory of one worker, rebuilt
// from the binding records; the counts stand in the arena for status.
#pragma once

#include "arena/arena.h"

#include <stdint.h>

enum port_pool_kind { PORT_POOL_TCP, PORT_POOL_UDP, PORT_POOL_ICMP, PORT_POOL_KINDS };

struct port_pools;

// The kind that belongs to an IP protocol number (TCP, UDP or ICMP).
enum port_pool_kind port_pool_kind(uint8_t protocol);
// Makes pools for all address slots over the rows of the arena, all ports free.
struct port_pools *port_pools_make(const struct arena *arena);
void port_pools_free(struct port_pools *pools);
// Takes a free port, from `random` on. Returns it, or -1 when there is none.
// Cost: one cache line while the pool is far from full, 8 KiB to know that it is full.
int32_t port_pool_take(
	struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint32_t random);
// Marks a certain port taken (rebuilding). Returns 0, or -1 when it already was, or is none.
int port_pool_take_exact(
	struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint16_t port);
// A port that was in use begins its quarantine, or leaves it for use again.
void port_pool_quarantine(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind);
void port_pool_revive(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind);
// Gives back a port that was in use, or whose quarantine is over.
void port_pool_give(struct port_pools *pools, uint16_t slot, enum port_pool_kind kind,
	uint16_t port, int was_quarantined);
// 1 when the port is taken.
int port_pool_is_taken(
	const struct port_pools *pools, uint16_t slot, enum port_pool_kind kind, uint16_t port);
