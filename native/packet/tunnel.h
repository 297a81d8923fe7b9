// SPDX-License-Identifier: Apache-2.0

// Superframes inside a UDP tunnel (VXLAN, GENEVE): one TCP segment or UDP datagram of many times the size,
// with the headers of the tunnel in front of it. A virtio-net header says how large a segment is and
// where the inner transport header begins, but not that there is a tunnel, so it cannot be handed to a port
// again: its segments are cut here, each with all headers and all checksums.
#pragma once
#include "packet/packet.h"

#include <stdint.h>

// The outer IPv4 header to the inner transport header; a superframe with more is not taken.
enum { TUNNEL_HEADERS_MAX = 512 };

// 1 when the packet, UDP by its outer header, is such a superframe.
int tunnel_is_superframe(const struct packet *packet);
// Makes it a packet with OFFLOAD_GSO_TUNNEL whose outer checksum is left out until it is cut. Returns 0, or
// -1 when no inner IPv4 or IPv6 header of the right length is where it should be.
int tunnel_take(struct packet *packet);
// Bytes of all headers, the outer IPv4 header first.
uint32_t tunnel_header_bytes(const struct packet *packet);
// Writes lengths, identifications, sequence number, flags and checksums of one segment: a copy of all
// headers with `bytes` of payload behind them, which begin at `offset` of the superframe's `total`.
void tunnel_write_segment(
	struct packet *segment, uint32_t bytes, uint32_t offset, uint32_t total, uint32_t number);
