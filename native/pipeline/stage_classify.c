// SPDX-License-Identifier: Apache-2.0

// Stage 3: what may begin. A packet without session needs a client, a rule and a gateway address; one
// from outside needs a binding whose filtering lets it in.
//
// RFC 4787 §5 (filtering), RFC 6888. Fails closed: what nothing decides is dropped. A client's packet
// that finds no gateway is answered with "administratively prohibited" (RFC 1812 §5.2.7.1); that of an
// unknown sender is not answered. Rules without gateway (EGRET_ACTION_MAIN) are routed by the main table without session;
// their return traffic is what comes for a client, by a port that is no network's, from where such a
// rule leads.
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "plan/decide.h"
#include "wire/header.h"

#include <netinet/in.h>

// Inbound, no session. A binding whose filtering admits this remote gets a session for it.
static void classify_inbound(struct worker *worker, struct packet *packet)
{
	struct session_table *table = worker->sessions;
	uint32_t filtering = worker->plan.plan->filtering;
	uint32_t binding = EGRET_NONE;
	if (!packet->is_icmp_error)
		binding = binding_find_outside(
			table, packet->protocol, packet->destination, packet->destination_port);
	if (binding == EGRET_NONE) {
		packet_drop(packet,
			packet->is_icmp_error ? EGRET_DROP_ICMP_INNER : EGRET_DROP_NO_SESSION);
		return;
	}
	int is_admitted = filtering == FILTER_NOTHING ||
		(filtering == FILTER_ADDRESS &&
			binding_has_remote(table, binding, packet->network, packet->source));
	if (!is_admitted || !table->bindings[binding].is_shared ||
		packet->protocol == IPPROTO_ICMP) {
		packet_drop(packet, EGRET_DROP_FILTERED);
		return;
	}
	if (packet->protocol == IPPROTO_TCP &&
		(packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
		packet_drop(packet, EGRET_DROP_TCP_NO_SYN);
		return;
	}
	// The session is made by stage_allocate, once it is known that the packet can be delivered.
	packet->group = fib_lookup(&worker->fib, 0, table->bindings[binding].inside_addr);
	packet->binding = binding;
	packet->network_outside = packet->network;
	packet->network = 0;
	packet->is_decided = 1;
}

// 1 for return traffic of a rule without gateway.
static int is_main_return(const struct worker *worker, const struct packet *packet)
{
	struct decide_source found;
	return read32(packet_ip(packet) + IPV4_DESTINATION) == packet->destination &&
		decide_source(&worker->plan, packet->destination, packet->source, &found) == 0 &&
		found.rule->action == EGRET_ACTION_MAIN;
}

static void route_by_main(struct worker *worker, struct packet *packet, uint32_t destination)
{
	packet->network = 0;
	packet->group = fib_lookup(&worker->fib, 0, destination);
	packet->is_decided = 1;
}

static int begins_session(const struct packet *packet)
{
	if (packet->is_icmp_error)
		return 0;
	return packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
		(packet->protocol == IPPROTO_ICMP && packet->icmp_type == ICMP_IS_ECHO);
}

// A trial whose source is this box's own (trial.h): no client, no rule.
static void classify_own(struct worker *worker, struct packet *packet)
{
	uint32_t source = read32(packet_ip(packet) + IPV4_SOURCE);
	if (packet->trial == EGRET_TRIAL_NETWORK) {
		packet->group = fib_lookup(&worker->fib, packet->network, packet->destination);
		packet->is_decided = 1;
		return;
	}
	packet->gateway = plan_address(&worker->plan, source);
	if (!packet->gateway || !packet->gateway->is_ready)
		packet_drop(packet, EGRET_DROP_NO_GATEWAY);
	else if (!begins_session(packet))
		packet_drop(packet, packet_untranslatable(packet));
}

static void classify_outbound(struct worker *worker, struct packet *packet)
{
	if (packet->trial > EGRET_TRIAL_CLIENT) {
		classify_own(worker, packet);
		return;
	}
	struct decide_source found;
	enum egret_drop drop = decide_source(
		&worker->plan, packet->source, packet->destination, &found);
	if (drop == EGRET_DROP_NOT_A_CLIENT) {
		if (is_main_return(worker, packet)) {
			packet->direction = SESSION_INBOUND;
			route_by_main(worker, packet, packet->destination);
		} else {
			packet_drop(packet, EGRET_DROP_NOT_A_CLIENT);
		}
		return;
	}
	uint32_t group = fib_lookup(&worker->fib, 0, packet->source);
	if (!fib_group_leads(&worker->fib, group, packet->port, 0)) {
		packet_drop(packet, EGRET_DROP_WRONG_INTERFACE);
		return;
	}
	if (drop) {
		icmp_drop(worker, packet, drop, ICMP_IS_UNREACHABLE, UNREACHABLE_PROHIBITED);
		return;
	}
	if (found.rule->action == EGRET_ACTION_MAIN) {
		route_by_main(worker, packet, read32(packet_ip(packet) + IPV4_DESTINATION));
		return;
	}
	if (!begins_session(packet)) {
		packet_drop(packet, packet_untranslatable(packet));
		return;
	}
	packet->gateway = found.address;
}

void stage_classify(struct worker *worker, struct batch *batch)
{
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict != PACKET_LIVE || packet->is_generated ||
			packet_has_session(packet))
			continue;
		if (packet->direction == SESSION_INBOUND)
			classify_inbound(worker, packet);
		else
			classify_outbound(worker, packet);
	}
}
