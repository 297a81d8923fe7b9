// SPDX-License-Identifier: Apache-2.0

// A packet on its way through the pipeline, and a batch of them.
//
// A packet is a whole Ethernet frame in a buffer of its own with headroom in front. What the port
// knew of checksums and segmentation (struct virtio_net_hdr) is kept with it: a superframe of 64 KB
// is one packet here. Stages fill in what they learn, set a verdict, and touch only live packets.
#pragma once
#include "abi.h"

#include <stdint.h>

enum {
	BATCH_PACKETS = 64, // received at once
	BATCH_GENERATED = 128, // made while a batch is processed (ICMP errors, fragments)
	BATCH_MAX = BATCH_PACKETS + BATCH_GENERATED,
	PACKET_BYTES_MAX = 65536 + 14 + 64, // a superframe with its Ethernet header
	PACKET_HEADROOM = 64,
};

enum packet_verdict {
	PACKET_LIVE = 0, // to be processed by the next stage; live at the end: transmit
	PACKET_DROP, // with packet.drop
	PACKET_KERNEL, // the kernel has its own copy and handles it
	PACKET_HELD, // copied into a neighbor's queue
	PACKET_ABSORBED, // merged into another packet
	PACKET_SENT, // handed to a port
	PACKET_COUNTED, // its verdict has been counted; the slot may be used again
};

// What a packet's transport checksum is.
enum packet_checksum {
	CHECKSUM_COMPLETE = 0, // as on a wire: update incrementally (RFC 1624)
	CHECKSUM_PARTIAL, // holds the pseudo-header sum; checksum_start/offset say where to complete it
};

struct packet {
	uint8_t *data; // Ethernet header
	uint32_t bytes; // of the frame
	uint16_t port; // slot by which it came (or whose packet caused it, when generated)
	uint8_t verdict; // enum packet_verdict
	uint8_t drop; // enum egret_drop, with PACKET_DROP
	uint8_t is_generated;
	uint8_t trial; // EGRET_TRIAL_* of a packet that egretd sends (pipeline/trial.h); 0: none

	uint8_t has_ethernet; // a generated frame whose Ethernet header is complete
	uint8_t is_ready; // a piece that stage_transmit has already seen
	uint8_t is_busy; // pieces are being cut from its buffer
	uint8_t is_rewritten; // addresses, ports and TTL are those of the other side

	// Offload, as in struct virtio_net_hdr.
	uint8_t checksum; // enum packet_checksum
	uint16_t checksum_start, checksum_offset; // from data; from there
	uint8_t gso_type; // VIRTIO_NET_HDR_GSO_*, or OFFLOAD_GSO_TUNNEL; 0: an ordinary frame
	uint16_t gso_bytes; // payload of one segment
	uint16_t gso_header_bytes;

	// From the parse stage. Addresses and ports in host order.
	uint16_t l3, l4; // offsets from data
	uint32_t source, destination;
	uint16_t source_port, destination_port; // or the ICMP query id, in both
	uint8_t protocol, tcp_flags, icmp_type;
	uint8_t is_icmp_error; // source..protocol are then those of the inner packet, swapped to its reply
	uint16_t inner_l3,
		inner_l4; // offsets of the headers that an ICMP error quotes, or a tunnel carries
	uint8_t tunnel_protocol, has_tunnel_checksum; // with OFFLOAD_GSO_TUNNEL (tunnel.h)

	// From session, classify and route.
	uint8_t direction; // enum session_direction (nat/session.h)
	uint8_t is_decided; // group is set
	const struct egret_plan_address *gateway; // of a packet that is to get a session; or NULL
	uint16_t network; // slot of the FIB that routes it
	uint16_t network_outside; // of a first packet from outside: whose remote it is
	uint32_t session; // record; or EGRET_NONE
	uint32_t binding; // record of a first packet from outside; or EGRET_NONE
	uint32_t group; // next-hop group
	uint16_t out_port; // slot
	uint32_t next_hop; // host order
};

struct batch {
	uint32_t count;
	struct packet packets[BATCH_MAX];
};

static inline void packet_drop(struct packet *packet, enum egret_drop drop)
{
	packet->verdict = PACKET_DROP;
	packet->drop = (uint8_t)drop;
}

static inline int packet_has_session(const struct packet *packet)
{
	return packet->session != EGRET_NONE;
}

// The IPv4 packet in the frame, and its bytes.
static inline uint8_t *packet_ip(const struct packet *packet)
{
	return packet->data + packet->l3;
}

static inline uint32_t packet_ip_bytes(const struct packet *packet)
{
	return packet->bytes - packet->l3;
}
