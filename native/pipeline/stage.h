// SPDX-License-Identifier: Apache-2.0

// The stages of the pipeline: each a function over a batch, in the order of pipeline.c.
//
// A stage touches only packets that are live, and passes over those made here (is_generated), which
// have all that stage_transmit needs. Tables are looked up in two passes: hash and prefetch for the
// whole batch, then probe. No allocation, no system call (but the port's), no log.
#pragma once
#include "nat/session.h"
#include "packet/worker.h"
#include "wire/header.h"

#include <netinet/in.h>

// struct egret_plan.filtering (RFC 4787 §5).
enum { FILTER_ADDRESS_AND_PORT = 0, FILTER_ADDRESS = 1, FILTER_NOTHING = 2 };

// Headers, RFC 1812 §5.2.2 checks, ARP, fragments; decides what is left to the kernel.
void stage_parse(struct worker *worker, struct batch *batch);
// Which side a packet comes from, and its session, checked against the current plan and FIB.
void stage_session(struct worker *worker, struct batch *batch);
// For packets without session: client, rule, gateway address; or, inbound, filtering.
void stage_classify(struct worker *worker, struct batch *batch);
// Next-hop group, path, TTL, MTU.
void stage_route(struct worker *worker, struct batch *batch);
// Outside port and session for a first packet.
void stage_allocate(struct worker *worker, struct batch *batch);
// Addresses, ports, TTL, checksums; the session's timer.
void stage_rewrite(struct worker *worker, struct batch *batch);
// Neighbor, fragments, Ethernet, ports.
void stage_transmit(struct worker *worker, struct batch *batch);

// The key under which a packet's session is found. An ICMP query id is the inside (or outside) port;
// its remote end has none.
static inline struct index_key packet_session_key(const struct packet *packet, uint16_t network)
{
	int has_remote_port = packet->protocol != IPPROTO_ICMP;
	if (packet->direction == SESSION_OUTBOUND)
		return session_inside_key(packet->protocol, packet->source, packet->source_port,
			packet->destination, has_remote_port ? packet->destination_port : 0);
	return session_outside_key(network, packet->protocol, packet->destination,
		packet->destination_port, packet->source,
		has_remote_port ? packet->source_port : 0);
}

// Why a packet that belongs to no session can get none.
static inline enum egret_drop packet_untranslatable(const struct packet *packet)
{
	if (packet->is_icmp_error)
		return icmp_type_is_translated(packet->icmp_type) ? EGRET_DROP_ICMP_INNER
								  : EGRET_DROP_ICMP_TYPE;
	return packet->protocol == IPPROTO_ICMP ? EGRET_DROP_ICMP_TYPE : EGRET_DROP_PROTOCOL;
}

// Takes notice of an ARP message, and answers a request for a pool address that is on-link by this
// port (stage_arp.c).
void arp_receive(struct worker *worker, const struct packet *packet);

// What a session's decision has become (session_decide.c).
enum session_verdict { SESSION_KEPT, SESSION_REVOKED };
// 1 when the cached decision was made with the current plan and FIB.
int session_is_current(const struct worker *worker, const struct session_record *session);
// Makes the decision again and caches it, or says that the session may not go on.
enum session_verdict session_decide(struct worker *worker, struct session_record *session);
// Removes sessions that the current plan does not allow, at most `budget` records. 1: more wait.
int session_sweep(struct worker *worker, uint32_t budget);
