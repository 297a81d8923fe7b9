// SPDX-License-Identifier: Apache-2.0

// A port: receive a batch, transmit a batch. Drivers: port/, memory/port_memory.c.
#pragma once
#include "packet/packet.h"

#include <stdint.h>

struct port;

struct port_driver {
	const char *name;
	// Fills at most `n` packets (data, bytes and offload fields set, buffers provided by the caller
	// in packets[i].data with PACKET_BYTES_MAX of room). Returns how many; 0 when there is none.
	uint32_t (*receive)(struct port *port, struct packet *packets, uint32_t n);
	// Sends; marks each packet PACKET_SENT, or PACKET_DROP with EGRET_DROP_TX_FAILED.
	void (*transmit)(struct port *port, struct packet **packets, uint32_t n);
	// Reads and throws away what is queued. Returns how many frames; *bytes is what they held.
	uint64_t (*discard)(struct port *port, uint64_t *bytes);
	// Frames that the kernel lost for want of room since the last call.
	uint64_t (*lost)(struct port *port);
	void (*close)(struct port *port);
};

struct port {
	const struct port_driver *driver; // NULL: not open
	uint16_t slot;
	uint32_t ifindex;
	int fd; // -1 for a memory port
	void *state; // the driver's
};
