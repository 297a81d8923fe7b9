// SPDX-License-Identifier: Apache-2.0

// Stage 5: a session for a first packet, with an outside port if its endpoint has none yet.
//
// RFC 4787 REQ-1 and REQ-2 (one outside endpoint for an inside one), RFC 5382 REQ-2 (TCP begins with
// SYN), RFC 6888 REQ-4 (limit of a client; shares of the table: nat/session_share.h), RFC 5508 REQ-8 and RFC 6888 REQ-11 (what cannot get a
// session is answered with an error; no live session is evicted).
#include "nat/session_share.h"
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "wire/header.h"

#include <netinet/in.h>

// A packet of the same batch may have made it a moment ago.
static uint32_t find_again(const struct worker *worker, const struct packet *packet)
{
	struct index_key key = packet_session_key(packet, packet->network_outside);
	uint64_t hash = index_hash(&worker->sessions->session_index, key);
	return session_find(worker->sessions, hash, key, packet->direction);
}

// RFC 6888 REQ-4, and the shares of the table. Sessions that a remote begins count, too, or one could fill
// the table through an endpoint that it knows. `share` is where the session will count.
static int may_have_more(const struct worker *worker, uint32_t address, uint16_t network,
	enum session_direction begun, uint16_t *share, enum egret_drop *drop)
{
	uint32_t max = worker->plan.plan->client_sessions_max;
	const struct egret_plan_client *client = plan_client(&worker->plan, address);
	if (max > 0 && session_client_count(worker->sessions, address) >= max) {
		*drop = EGRET_DROP_CLIENT_LIMIT;
		return 0;
	}
	if (!client) {
		*drop = EGRET_DROP_NOT_A_CLIENT;
		return 0;
	}
	*share = session_share_of(worker->sessions, client);
	return session_share_allows(worker->sessions, network, *share, begun);
}

static uint32_t create_outbound(
	struct worker *worker, const struct packet *packet, enum egret_drop *drop)
{
	const struct egret_plan *plan = worker->plan.plan;
	if (packet->protocol == IPPROTO_TCP &&
		(packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN) {
		*drop = EGRET_DROP_TCP_NO_SYN;
		return EGRET_NONE;
	}
	int is_own = packet->trial == EGRET_TRIAL_GATEWAY; // of no client, and few
	uint16_t share = 0;
	if (!is_own &&
		!may_have_more(
			worker, packet->source, packet->network, SESSION_OUTBOUND, &share, drop))
		return EGRET_NONE;
	struct session_request request = {
		.inside_addr = packet->source,
		.remote_addr = packet->destination,
		.inside_port = packet->source_port,
		.remote_port = packet->protocol == IPPROTO_ICMP ? 0 : packet->destination_port,
		.protocol = packet->protocol,
		.is_shared = plan->mapping == 0,
		.network = packet->network,
		.outside_addr = packet->gateway->address,
		.address_slot = packet->gateway->slot,
	};
	uint32_t at = session_create(worker->sessions, &request,
		(uint32_t)(worker_random(worker) >> 32), worker->now_tick, drop);
	if (at != EGRET_NONE && !is_own)
		session_share_settle(worker->sessions, at, share);
	return at;
}

static uint32_t create_inbound(
	struct worker *worker, const struct packet *packet, enum egret_drop *drop)
{
	uint32_t binding = packet->binding;
	uint16_t share;
	if (!may_have_more(worker, worker->sessions->bindings[binding].inside_addr,
		    packet->network_outside, SESSION_INBOUND, &share, drop))
		return EGRET_NONE;
	uint32_t at = session_create_inbound(worker->sessions, binding, packet->network_outside,
		packet->source, packet->source_port, worker->now_tick, drop);
	if (at == EGRET_NONE)
		return at;
	session_share_settle(worker->sessions, at, share);
	session_share_from_outside(worker->sessions, at);
	return at;
}

static void allocate(struct worker *worker, struct packet *packet)
{
	enum egret_drop drop = EGRET_DROP_SESSIONS_FULL;
	uint32_t at = find_again(worker, packet);
	if (at == EGRET_NONE) {
		at = packet->direction == SESSION_OUTBOUND ? create_outbound(worker, packet, &drop)
							   : create_inbound(worker, packet, &drop);
		if (at == EGRET_NONE) {
			if (drop == EGRET_DROP_TCP_NO_SYN || packet->direction == SESSION_INBOUND)
				packet_drop(packet, drop);
			else
				icmp_drop(worker, packet, drop, ICMP_IS_UNREACHABLE,
					UNREACHABLE_PROHIBITED);
			return;
		}
		// Caches the decision that was just made.
		session_decide(worker, &worker->sessions->sessions[at]);
	}
	packet->session = at;
}

void stage_allocate(struct worker *worker, struct batch *batch)
{
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict == PACKET_LIVE && !packet_has_session(packet) &&
			(packet->gateway || packet->binding != EGRET_NONE))
			allocate(worker, packet);
	}
}
