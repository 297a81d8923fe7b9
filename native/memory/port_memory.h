// SPDX-License-Identifier: Apache-2.0

// The inside of a memory port: what has left by it, kept until it is taken.
#pragma once
#include "packet/port.h"

#include <stdint.h>

// A frame that left, with the offload it left with.
struct memory_frame {
	struct memory_frame *next;
	uint64_t sequence; // ascends over all ports
	uint32_t bytes;
	uint16_t port;
	uint8_t checksum;
	uint16_t checksum_start, checksum_offset;
	uint8_t gso_type;
	uint16_t gso_bytes;
	uint8_t data[];
};

int port_memory_open(struct port *port, uint16_t slot);
// The oldest frame that left by this port, still the port's; NULL: none.
const struct memory_frame *port_memory_peek(const struct port *port);
// Takes it; the caller frees it.
struct memory_frame *port_memory_take(struct port *port);
// From now on frames that leave are thrown away (benchmarks), or the next `n` fail (tests).
void port_memory_discard(struct port *port);
void port_memory_fail(struct port *port, uint32_t n);
