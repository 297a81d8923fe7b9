// SPDX-License-Identifier: Apache-2.0

// Stage 7: the neighbor's MAC address, pieces of what is too large, and out.
//
// RFC 826, RFC 1122 §2.3.2.2 (packets wait for ARP; neighbor_hold.c). Frames for one port leave in one
// call, in the order in which they came. A packet that must be cut sends what waits whenever the
// batch has no room for more pieces.
#include "neighbor/neighbor.h"
#include "packet/generate.h"
#include "packet/offload.h"
#include "packet/verdict.h"
#include "pipeline/fragment.h"
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "wire/header.h"

#include <string.h>

// Sends all packets that are ready, port by port, and counts them: their slots are free again.
static void send_ready(struct worker *worker)
{
	struct packet *vector[BATCH_MAX];
	while (worker->ready_count > 0) {
		uint16_t slot = worker->ready[0]->out_port;
		uint32_t n = 0, kept = 0;
		for (uint32_t i = 0; i < worker->ready_count; i++) {
			if (worker->ready[i]->out_port == slot)
				vector[n++] = worker->ready[i];
			else
				worker->ready[kept++] = worker->ready[i];
		}
		worker->ready_count = kept;
		struct port *port = &worker->ports[slot];
		port->driver->transmit(port, vector, n);
		for (uint32_t i = 0; i < n; i++)
			verdict_count(worker, vector[i]);
	}
}

static void put_ready(struct worker *worker, struct packet *packet)
{
	if (worker->ready_count == BATCH_MAX)
		send_ready(worker);
	worker->ready[worker->ready_count++] = packet;
}

static struct packet *room_for_piece(struct worker *worker, const struct packet *cause)
{
	struct packet *piece = packet_generate(worker, cause);
	if (!piece)
		piece = packet_generate_again(worker, cause);
	if (piece)
		return piece;
	send_ready(worker);
	return packet_generate_again(worker, cause);
}

// Resolves the next hop and writes the Ethernet header. Returns 1 when the packet may be sent.
static int resolve(struct worker *worker, struct packet *packet)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->out_port);
	if (!port || !worker->ports[packet->out_port].driver) {
		icmp_drop(worker, packet, EGRET_DROP_PORT_DOWN, ICMP_IS_UNREACHABLE,
			UNREACHABLE_HOST);
		return 0;
	}
	if (packet->has_ethernet)
		return 1;
	uint8_t *ethernet = packet->data;
	if (!neighbor_find(worker->neighbors, packet->out_port, packet->next_hop,
		    ethernet + ETHERNET_DESTINATION)) {
		enum egret_drop drop;
		if (neighbor_hold(worker, packet, &drop))
			return 0;
		icmp_drop(worker, packet, drop, ICMP_IS_UNREACHABLE, UNREACHABLE_HOST);
		return 0;
	}
	memcpy(ethernet + ETHERNET_SOURCE, port->mac, MAC_BYTES);
	write16(ethernet + ETHERNET_TYPE, ETHERTYPE_IS_IPV4);
	return 1;
}

void stage_transmit(struct worker *worker, struct batch *batch)
{
	worker->ready_count = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict != PACKET_LIVE || packet->is_ready || !resolve(worker, packet))
			continue;
		uint32_t mtu = plan_port(&worker->plan, packet->out_port)->mtu;
		int fits = packet->has_ethernet || mtu == 0 || offload_wire_bytes(packet) <= mtu;
		if (packet->gso_type == OFFLOAD_GSO_TUNNEL || (packet->gso_type && !fits))
			fragment_superframe(worker, packet, mtu, room_for_piece, put_ready);
		else if (fits)
			put_ready(worker, packet);
		else
			fragment_packet(worker, packet, mtu, room_for_piece, put_ready);
	}
	send_ready(worker);
}
