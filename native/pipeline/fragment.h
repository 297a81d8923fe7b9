// SPDX-License-Identifier: Apache-2.0

// Cuts packets that are larger than the link takes, in order, first piece first.
//
// RFC 791 §3.2, RFC 1812 §4.2.2.7 (multiples of 8, options copied by their flag). Superframes are
// cut into their datagrams before. The packet itself becomes the first piece; the others are made
// here and counted as generated.
#pragma once
#include "packet/worker.h"

// Takes a piece that is ready to be sent, in order.
typedef void fragment_emit(struct worker *worker, struct packet *piece);
// A fresh packet for another piece; may send what waits to make room. NULL: none to be had.
typedef struct packet *fragment_room(struct worker *worker, const struct packet *cause);

// Cuts an IPv4 packet (checksum complete, no GSO) into pieces of at most `mtu` bytes.
void fragment_packet(struct worker *worker, struct packet *packet, uint32_t mtu,
	fragment_room *room, fragment_emit *emit);
// Cuts a superframe of UDP, or inside a tunnel, into its datagrams, and those into fragments if need be.
// mtu 0: the link has no limit.
void fragment_superframe(struct worker *worker, struct packet *packet, uint32_t mtu,
	fragment_room *room, fragment_emit *emit);
