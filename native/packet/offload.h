// SPDX-License-Identifier: Apache-2.0

// What a port would have done for us: completes checksums, cuts superframes.
//
// Packets keep the offload with which they came (struct virtio_net_hdr) whenever they can. They lose
// it before they are quoted, fragmented or cut here.
#pragma once
#include "packet/packet.h"

#include <stdint.h>

// VIRTIO_NET_HDR_GSO_*, spelled here for headers older than Linux 6.2.
enum {
	OFFLOAD_GSO_TCP4 = 1,
	OFFLOAD_GSO_UDP = 3,
	OFFLOAD_GSO_TCP6 = 4,
	OFFLOAD_GSO_UDP_L4 = 5,
	OFFLOAD_GSO_TUNNEL = 0x40, // ours: in a UDP tunnel (tunnel.h); no port is given one
	OFFLOAD_GSO_ECN = 0x80,
};

// Completes a partial transport checksum in place. Returns 0, or -1 when its offsets lie outside.
int offload_complete(struct packet *packet);
// Bytes of one segment's IPv4 packet as it will be on the wire; of the whole one without GSO.
uint32_t offload_wire_bytes(const struct packet *packet);
// Bytes of the IPv4 and transport headers that every segment repeats.
uint32_t offload_header_bytes(const struct packet *packet);
