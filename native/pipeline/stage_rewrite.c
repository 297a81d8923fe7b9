// SPDX-License-Identifier: Apache-2.0

// Stage 6: the packet becomes that of the other side.
//
// RFC 3022 §4, RFC 1624 (checksums are updated, never recomputed, so that corruption stays visible),
// RFC 1812 §5.3.1 (TTL), RFC 5508 §4.2 (errors: the quote is translated back, the router that sent an
// error from outside stays its source, one from inside is shown as the gateway address). Errors
// neither refresh nor end a session (RFC 5508 REQ-6, RFC 7857 §7). A RST that cannot be genuine is dropped
// here, where its session is known and touched.
#include "packet/rewrite.h"
#include "pipeline/stage.h"
#include "wire/checksum.h"
#include "wire/header.h"

// Changes an address of the outer header alone.
static void replace_address(uint8_t *ip, uint32_t at, uint32_t address)
{
	uint32_t old = read32(ip + at);
	write32(ip + at, address);
	write16(ip + IPV4_CHECKSUM, checksum_update32(read16(ip + IPV4_CHECKSUM), old, address));
}

// The quote of an error from outside shows the outside endpoint as source; the client knows the
// inside one. The quote of an error from inside shows the inside endpoint as destination.
static void rewrite_error(const struct packet *packet, const struct session_record *session)
{
	uint8_t *ip = packet_ip(packet), *icmp = packet->data + packet->l4;
	uint8_t *inner = packet->data + packet->inner_l3;
	uint32_t inner_bytes = packet->bytes - packet->inner_l3;
	if (packet->direction == SESSION_INBOUND) {
		replace_address(ip, IPV4_DESTINATION, session->inside_addr);
		rewrite_endpoint(inner, inner_bytes, 1, session->inside_addr, session->inside_port,
			CHECKSUM_COMPLETE);
	} else {
		replace_address(ip, IPV4_SOURCE, session->outside_addr);
		rewrite_endpoint(inner, inner_bytes, 0, session->outside_addr,
			session->outside_port, CHECKSUM_COMPLETE);
	}
	// It was right (stage_parse), and much of what it covers has changed.
	write16(icmp + ICMP_CHECKSUM, 0);
	write16(icmp + ICMP_CHECKSUM, (uint16_t)~checksum_sum(icmp, packet->bytes - packet->l4));
}

static void rewrite_packet(const struct packet *packet, const struct session_record *session)
{
	int is_outbound = packet->direction == SESSION_OUTBOUND;
	rewrite_endpoint(packet_ip(packet), packet_ip_bytes(packet), is_outbound,
		is_outbound ? session->outside_addr : session->inside_addr,
		is_outbound ? session->outside_port : session->inside_port,
		(enum packet_checksum)packet->checksum);
}

void stage_rewrite(struct worker *worker, struct batch *batch)
{
	struct session_table *table = worker->sessions;
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict != PACKET_LIVE || packet->is_generated)
			continue;
		if (packet_has_session(packet) && !packet->is_icmp_error &&
			session_touch(table, worker->plan.plan, packet->session,
				(enum session_direction)packet->direction,
				packet->data + packet->l4, worker->now_tick) < 0) {
			packet_drop(packet, EGRET_DROP_TCP_SEQUENCE);
			continue;
		}
		uint8_t *ip = packet_ip(packet);
		rewrite_ttl(ip, (uint8_t)(ip[IPV4_TTL] - 1));
		packet->is_rewritten = 1;
		if (!packet_has_session(packet))
			continue; // routed by the main table as it is
		const struct session_record *session = &table->sessions[packet->session];
		if (packet->is_icmp_error)
			rewrite_error(packet, session);
		else
			rewrite_packet(packet, session);
	}
}
