// SPDX-License-Identifier: Apache-2.0

// Stage 2: which side a packet comes from, and which session it belongs to.
//
//   destination is a pool address ─▶ inbound: key (network, outside endpoint, remote endpoint)
//   otherwise                     ─▶ outbound: key (inside endpoint, remote endpoint)
//
// The network is that of the arrival port. Where several networks share a port it is the one of the
// pool address whose route to the remote leaves by that port. Strict reverse path (RFC 3704 §2.2) for
// clients: the main table must reach the client by the arrival port. A session that is found is
// checked against the current plan and FIB (session_decide.c).
// RFC 5508 REQ-1, REQ-4, REQ-5: ICMP queries by id, errors by what they quote. In both directions an error
// is sent to the sender of the quoted packet only (RFC 792): with another destination it would use the
// route and the policy of a packet that it is not about.
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "wire/header.h"

#include <netinet/in.h>

// What pass 1 learned of a packet for the passes after it.
struct lookup {
	uint64_t hash;
	struct index_key key;
	uint8_t is_wanted;
};

// 1 when a packet of its kind can belong to a session in this direction.
static int is_translatable(const struct packet *packet)
{
	if (packet->is_icmp_error && !icmp_type_is_translated(packet->icmp_type))
		return 0;
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP)
		return 1;
	if (packet->protocol != IPPROTO_ICMP)
		return 0;
	if (packet->is_icmp_error)
		return 1;
	return packet->icmp_type ==
		(packet->direction == SESSION_OUTBOUND ? ICMP_IS_ECHO : ICMP_IS_ECHO_REPLY);
}

// The network by which a packet for a pool address may have come. Returns 1, or 0: another's.
static int inbound_network(const struct worker *worker, struct packet *packet,
	const struct egret_plan_port *port, const struct egret_plan_address *address)
{
	if (port->network != 0 || address->network_count == 0) {
		packet->network = port->network;
		return port->network == 0 ? address->network_count == 0
					  : plan_address_in_network(address, port->network);
	}
	if (port->role != EGRET_ROLE_NETWORKS)
		return 0;
	for (uint32_t i = 0; i < address->network_count; i++) {
		uint16_t network = address->networks[i];
		uint32_t group = fib_lookup(&worker->fib, network, packet->source);
		if (fib_group_leads(&worker->fib, group, port->slot, 0)) {
			packet->network = network;
			return 1;
		}
	}
	return 0;
}

// A miss is dropped without an answer (stage_allocate); but that this box is on the way is no secret,
// so traceroute is answered whether there is a session or not.
static void classify_inbound(struct worker *worker, struct packet *packet,
	const struct egret_plan_port *port, const struct egret_plan_address *address,
	uint32_t destination)
{
	packet->direction = SESSION_INBOUND;
	if (!inbound_network(worker, packet, port, address))
		packet_drop(packet, EGRET_DROP_WRONG_NETWORK);
	else if (packet_ip(packet)[IPV4_TTL] <= 1)
		icmp_drop(worker, packet, EGRET_DROP_TTL_EXCEEDED, ICMP_IS_TIME_EXCEEDED, 0);
	else if (packet->is_icmp_error && packet->destination != destination)
		packet_drop(packet, EGRET_DROP_ICMP_INNER);
	else if (packet->protocol == IPPROTO_ICMP && !packet->is_icmp_error &&
		packet->icmp_type == ICMP_IS_ECHO)
		packet_drop(packet, EGRET_DROP_NO_SESSION);
	else if (!is_translatable(packet))
		packet_drop(packet, packet_untranslatable(packet));
}

// Side and key of one packet. Returns 1 when a session is to be looked for.
static int prepare(struct worker *worker, struct packet *packet, struct lookup *lookup)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	uint32_t destination = read32(packet_ip(packet) + IPV4_DESTINATION);
	const struct egret_plan_address *address = plan_address(&worker->plan, destination);
	if (packet->trial > EGRET_TRIAL_CLIENT && !address) {
		packet->direction = SESSION_OUTBOUND;
		if (packet->trial == EGRET_TRIAL_NETWORK)
			return 0; // from the box's own address: without translation
	} else if (address) {
		classify_inbound(worker, packet, port, address, destination);
	} else {
		packet->direction = SESSION_OUTBOUND;
		if (port->role == EGRET_ROLE_NETWORKS || port->network != 0)
			packet_drop(packet,
				plan_client(&worker->plan, packet->source)
					? EGRET_DROP_WRONG_INTERFACE
					: EGRET_DROP_NOT_FORWARDED);
		else if (packet->is_icmp_error && packet->destination != destination)
			packet_drop(packet, EGRET_DROP_ICMP_INNER);
	}
	if (packet->verdict != PACKET_LIVE || !is_translatable(packet))
		return 0;
	lookup->key = packet_session_key(packet, packet->network);
	lookup->hash = index_hash(&worker->sessions->session_index, lookup->key);
	index_prefetch(&worker->sessions->session_index, lookup->hash);
	return 1;
}

// Binds the packet to a session it belongs to, unless the session is no longer allowed.
static void use_session(struct worker *worker, struct packet *packet, uint32_t at)
{
	struct session_table *table = worker->sessions;
	struct session_record *session = &table->sessions[at];
	if (!session_is_current(worker, session) &&
		session_decide(worker, session) == SESSION_REVOKED) {
		table->counters[EGRET_WORKER_COUNTER_SESSIONS_REVOKED]++;
		session_remove(
			table, at, worker->now_tick, session_quarantine_ticks(worker->plan.plan));
		return; // the packet is processed as a first one
	}
	if (packet->direction == SESSION_OUTBOUND) {
		if (packet->trial <= EGRET_TRIAL_CLIENT &&
			!fib_group_leads(&worker->fib, session->client_group, packet->port, 0)) {
			packet_drop(packet, EGRET_DROP_WRONG_INTERFACE);
			return;
		}
		packet->network = session->network;
		packet->group = session->network_group;
	} else {
		packet->network = 0; // the main table leads to the client
		packet->group = session->client_group;
	}
	packet->session = at;
	packet->is_decided = 1;
}

void stage_session(struct worker *worker, struct batch *batch)
{
	struct lookup lookups[BATCH_MAX];
	const struct session_table *table = worker->sessions;
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		lookups[i].is_wanted = packet->verdict == PACKET_LIVE && !packet->is_generated &&
			prepare(worker, packet, &lookups[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cursor = 0, at;
		if (lookups[i].is_wanted &&
			(at = index_next(&table->session_index, lookups[i].hash, &cursor)) !=
				EGRET_NONE)
			__builtin_prefetch(&table->sessions[at], 1);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!lookups[i].is_wanted)
			continue;
		struct packet *packet = &batch->packets[i];
		uint32_t at = session_find(
			table, lookups[i].hash, lookups[i].key, packet->direction);
		if (at != EGRET_NONE)
			use_session(worker, packet, at);
	}
}
