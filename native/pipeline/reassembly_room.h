// SPDX-License-Identifier: Apache-2.0

// Where datagrams wait to be whole, and who has how much of that room. Used by reassembly.c.
//
// Each datagram counts for a holder: the client that sends it; the network that it comes from, if its
// first fragment belongs to a session; or the rest of that network, which may be forged. When no slot is
// free, a new datagram takes the place of one whose holder has more: senders without a session first, then
// the holder with the most. So a flood costs its own sender, and leaves the others their part.
#pragma once
#include "packet/worker.h"
#include "wire/header.h"

enum {
	REASSEMBLY_UNITS = 8192, // of 8 bytes
	REASSEMBLY_HOLDER_FREE = 0,
	REASSEMBLY_HOLDER_CLIENT = 1 << 30, // and the row of the client
	REASSEMBLY_HOLDER_SESSIONS = 1 << 29, // and the network, or the port
	REASSEMBLY_HOLDER_UNKNOWN = 1 << 28, // the same
};

// What fragments of one datagram have in common. By several uplinks of a network it is one datagram.
struct datagram_key {
	uint32_t source, destination;
	uint16_t id;
	uint16_t scope; // the network; of a port that belongs to none or several: the port
	uint8_t is_port; // scope is a port
	uint8_t protocol;
};

struct datagram {
	uint8_t is_dropped; // what comes of it now is dropped
	uint8_t header_bytes; // 0: the first fragment has not come
	uint32_t payload_bytes; // 0: the last fragment has not come
	uint32_t end_bytes; // of the fragment that reaches furthest
	uint32_t units; // that have come
	uint16_t held[EGRET_PORT_MAX]; // frames of it that wait, by the port of their arrival
	uint64_t has[REASSEMBLY_UNITS / 64];
	uint8_t header[IPV4_BYTES_MAX];
	uint8_t payload[REASSEMBLY_UNITS * 8];
};

// The datagram with this key, or NULL.
struct datagram *reassembly_find(struct worker *worker, const struct datagram_key *key);
// Begins one for a holder (REASSEMBLY_HOLDER_*). NULL: none has more than its part, and no slot is free.
struct datagram *reassembly_begin(
	struct worker *worker, const struct datagram_key *key, uint32_t holder);
// Moves a datagram to another holder: its first fragment has said whose it is.
void reassembly_set_holder(struct worker *worker, struct datagram *datagram, uint32_t holder);
uint32_t reassembly_holder(const struct worker *worker, const struct datagram *datagram);
// Counts what waits of it as dropped.
void reassembly_give_up(struct worker *worker, struct datagram *datagram);
// Frees its slot; nothing of it waits.
void reassembly_end(struct worker *worker, struct datagram *datagram);
