// SPDX-License-Identifier: Apache-2.0

// Reassembles fragments, before their ports are read.
//
// RFC 791 §3.2, RFC 1858 and RFC 3128 (a first fragment holds its transport header), and RFC 5722's
// rule applied to IPv4: fragments that overlap cause the whole datagram to be dropped, unless one is
// repeated byte for byte. Keyed by (network, source, destination, identification, protocol), so that the
// uplinks of a network may carry parts of one datagram. Bounded: REASSEMBLY_DATAGRAMS at once, few of one
// source, two seconds each, and shared among those that send (reassembly_room.h).
#pragma once
#include "packet/worker.h"

enum { REASSEMBLY_DATAGRAMS = 64, REASSEMBLY_PER_SOURCE = 16, REASSEMBLY_WAIT_TICKS = 20 };

struct reassembly *reassembly_make(void);
void reassembly_free(struct reassembly *reassembly);
// Takes a live fragment whose IPv4 header has been checked. Afterwards it is held, dropped, or live and
// the whole datagram.
void reassembly_take(struct worker *worker, struct packet *packet);
// Gives up datagrams whose time is over, counted as drops of the ports by which they came.
void reassembly_expire(struct worker *worker);
