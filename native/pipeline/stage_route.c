// SPDX-License-Identifier: Apache-2.0

// Stage 4: where to. The gateway's networks choose the route of a first packet; every packet gets a
// path of its next-hop group, and is judged by TTL and by the MTU of the port it will leave by.
//
// RFC 1812 §5.2.4.3 (longest match), §5.3.1 (TTL), RFC 1191 (path MTU), RFC 2992 (a flow keeps its
// path). All judgments that end in an ICMP error stand before the packet is rewritten, so that the
// error quotes what its sender sent. A superframe is judged by its segments.
#include "neighbor/neighbor.h"
#include "packet/offload.h"
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "pipeline/trial.h"
#include "plan/decide.h"
#include "wire/header.h"

#include <stddef.h>

// The same for all packets of a flow, in one direction.
static uint32_t flow_hash(const struct packet *packet)
{
	uint64_t hash = ((uint64_t)packet->source << 32 | packet->destination) *
		0x9e3779b97f4a7c15ull;
	hash ^= ((uint64_t)packet->source_port << 32 | (uint64_t)packet->destination_port << 16 |
			packet->protocol) *
		0xc2b2ae3d27d4eb4full;
	hash ^= hash >> 29;
	return (uint32_t)(hash * 0xbf58476d1ce4e5b9ull >> 32);
}

// A packet whose source was (or will be) translated may only leave where that source lives.
static int may_exit(const struct worker *worker, const struct packet *packet, uint16_t slot)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, slot);
	if (packet->direction == SESSION_INBOUND)
		return port->role != EGRET_ROLE_NETWORKS;
	if (packet->network == 0) // the main table's gateways have no network to leave by
		return port->role != EGRET_ROLE_NETWORKS;
	return port->network == 0 || port->network == packet->network;
}

// 1 when the path's port is open, its neighbor's MAC address is known and it is not silent.
static int is_answering(const struct worker *worker, const struct egret_adjacency *path)
{
	return worker->ports[path->port].driver != NULL &&
		neighbor_is_answering(worker->neighbors, path->port, path->next_hop);
}

// Chooses the path. Of several, one whose neighbor answers is taken before one whose does not.
static enum egret_drop choose_path(struct worker *worker, struct packet *packet)
{
	int is_translated = packet->gateway != NULL || packet->trial == EGRET_TRIAL_NETWORK ||
		(packet_has_session(packet) && packet->direction == SESSION_OUTBOUND);
	uint32_t hash = flow_hash(packet);
	uint32_t destination = read32(packet_ip(packet) + IPV4_DESTINATION);
	if (packet->direction == SESSION_INBOUND && packet_has_session(packet))
		destination = worker->sessions->sessions[packet->session].inside_addr;
	else if (packet->direction == SESSION_INBOUND && packet->binding != EGRET_NONE)
		destination = worker->sessions->bindings[packet->binding].inside_addr;
	struct egret_adjacency exit;
	enum egret_drop drop = decide_exit(&worker->plan, &worker->fib, is_translated,
		packet->group, hash, destination, &exit);
	if (drop)
		return drop;
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	uint32_t count = fib_group_read(&worker->fib, packet->group, paths);
	for (uint32_t i = 1; i < count && !is_answering(worker, &exit); i++) {
		struct egret_adjacency other;
		if (decide_exit(&worker->plan, &worker->fib, is_translated, packet->group, hash + i,
			    destination, &other) == EGRET_DROP_NONE &&
			is_answering(worker, &other))
			exit = other;
	}
	if (!may_exit(worker, packet, exit.port))
		return EGRET_DROP_NETWORK_EXIT;
	packet->out_port = exit.port;
	packet->next_hop = exit.next_hop;
	return EGRET_DROP_NONE;
}

static void drop_without_path(struct worker *worker, struct packet *packet, enum egret_drop drop)
{
	uint8_t code = drop == EGRET_DROP_NO_ROUTE ? UNREACHABLE_NETWORK
		: drop == EGRET_DROP_PORT_DOWN     ? UNREACHABLE_HOST
						   : UNREACHABLE_PROHIBITED;
	icmp_drop(worker, packet, drop, ICMP_IS_UNREACHABLE, code);
}

// RFC 1191 §4, judged by what will be on the wire.
static void check_mtu(struct worker *worker, struct packet *packet)
{
	uint32_t mtu = plan_port(&worker->plan, packet->out_port)->mtu;
	if (mtu == 0 || offload_wire_bytes(packet) <= mtu)
		return;
	if (read16(packet_ip(packet) + IPV4_FRAGMENT) & IPV4_DF) {
		icmp_send_error(worker, packet, ICMP_IS_UNREACHABLE, UNREACHABLE_TOO_BIG,
			(uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu));
		packet_drop(packet, EGRET_DROP_TOO_BIG);
		return;
	}
	uint32_t header = packet->gso_type ? offload_header_bytes(packet) : 0;
	if ((packet->gso_type & ~OFFLOAD_GSO_ECN) == OFFLOAD_GSO_TCP4) {
		// A byte stream may be cut anywhere: into segments that fit.
		if (mtu > header)
			packet->gso_bytes = (uint16_t)(mtu - header);
		else
			packet_drop(packet, EGRET_DROP_TOO_BIG);
	}
	// Everything else is cut by stage_transmit.
}

static void route(struct worker *worker, struct packet *packet)
{
	if (trial_is_own_session(worker, packet))
		return; // for egretd: no route leads there
	if (!packet->is_decided &&
		!decide_route(&worker->fib, packet->gateway, packet->destination, &packet->network,
			&packet->group)) {
		drop_without_path(worker, packet, EGRET_DROP_NO_ROUTE);
		return;
	}
	packet->is_decided = 1;
	enum egret_drop drop = choose_path(worker, packet);
	if (drop)
		drop_without_path(worker, packet, drop);
	else if (packet_ip(packet)[IPV4_TTL] <= 1)
		icmp_drop(worker, packet, EGRET_DROP_TTL_EXCEEDED, ICMP_IS_TIME_EXCEEDED, 0);
	else
		check_mtu(worker, packet);
}

void stage_route(struct worker *worker, struct batch *batch)
{
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict == PACKET_LIVE && !packet->is_generated)
			route(worker, packet);
	}
}
