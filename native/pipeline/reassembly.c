// SPDX-License-Identifier: Apache-2.0

// Fragments that arrive. See reassembly.h.
#include "pipeline/reassembly.h"

#include "nat/session.h"
#include "packet/rewrite.h"
#include "pipeline/reassembly_room.h"
#include "wire/header.h"

#include <netinet/in.h>
#include <string.h>

enum { PAYLOAD_MAX = 65535 - IPV4_BYTES_MIN };

// Would the whole datagram be forwarded, as a client's or to a pool address? If not, its fragments are
// dropped at once and take no room.
static int is_wanted(const struct worker *worker, struct packet *packet)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	if (plan_address(&worker->plan, packet->destination))
		return 1;
	if (port->role == EGRET_ROLE_NETWORKS) {
		packet_drop(packet,
			plan_client(&worker->plan, packet->source) ? EGRET_DROP_WRONG_INTERFACE
								   : EGRET_DROP_NOT_FORWARDED);
		return 0;
	}
	if (plan_client(&worker->plan, packet->source) ||
		plan_client(&worker->plan, packet->destination))
		return 1;
	packet_drop(packet, EGRET_DROP_NOT_A_CLIENT);
	return 0;
}

static struct datagram_key key_of(
	const struct worker *worker, const struct packet *packet, const uint8_t *ip)
{
	uint16_t network = plan_port(&worker->plan, packet->port)->network;
	return (struct datagram_key){
		.source = packet->source,
		.destination = packet->destination,
		.id = read16(ip + IPV4_ID),
		.scope = network ? network : packet->port,
		.is_port = network == 0,
		.protocol = ip[IPV4_PROTOCOL],
	};
}

struct fragment {
	const uint8_t *payload;
	uint32_t offset, bytes; // of the datagram's payload
	uint8_t protocol;
	uint8_t is_last;
};

static struct fragment read_fragment(const uint8_t *ip)
{
	uint32_t header = ipv4_header_bytes(ip);
	uint16_t field = read16(ip + IPV4_FRAGMENT);
	return (struct fragment){
		.payload = ip + header,
		.offset = (field & IPV4_OFFSET) * 8u,
		.bytes = read16(ip + IPV4_TOTAL) - header,
		.protocol = ip[IPV4_PROTOCOL],
		.is_last = !(field & IPV4_MF),
	};
}

// Does a first fragment from outside belong to a session of this network?
static int is_of_session(const struct worker *worker, const struct packet *packet,
	const struct fragment *f, uint16_t network)
{
	uint16_t outside_port, remote_port;
	if (f->protocol == IPPROTO_ICMP && f->payload[0] == ICMP_IS_ECHO_REPLY) {
		outside_port = remote_port = read16(f->payload + ICMP_ID);
	} else if (f->protocol == IPPROTO_TCP || f->protocol == IPPROTO_UDP) {
		remote_port = read16(f->payload);
		outside_port = read16(f->payload + 2);
	} else {
		return 0;
	}
	const struct session_table *sessions = worker->sessions;
	struct index_key key = session_outside_key(network, f->protocol, packet->destination,
		outside_port, packet->source, remote_port);
	uint64_t hash = index_hash(&sessions->session_index, key);
	return session_find(sessions, hash, key, SESSION_INBOUND) != EGRET_NONE;
}

// For whom a fragment takes room. A later one says too little to know it by.
static uint32_t holder_of(const struct worker *worker, const struct packet *packet,
	const struct fragment *f, const struct datagram_key *key)
{
	const struct egret_plan_address *address = plan_address(&worker->plan, packet->destination);
	const struct egret_plan_client *client = address
		? NULL
		: plan_client(&worker->plan, packet->source);
	if (client)
		return REASSEMBLY_HOLDER_CLIENT | (uint32_t)(client - worker->plan.clients);
	uint32_t scope = key->scope | (uint32_t)key->is_port << 16;
	if (!address || f->offset > 0 || f->bytes < UDP_BYTES)
		return REASSEMBLY_HOLDER_UNKNOWN | scope;
	int has_session = !key->is_port && is_of_session(worker, packet, f, key->scope);
	for (uint16_t i = 0; key->is_port && i < address->network_count && !has_session; i++)
		has_session = is_of_session(worker, packet, f, address->networks[i]);
	if (key->is_port && address->network_count == 0)
		has_session = is_of_session(worker, packet, f, 0);
	return (has_session ? REASSEMBLY_HOLDER_SESSIONS : REASSEMBLY_HOLDER_UNKNOWN) | scope;
}

// The datagram of a fragment, begun when there is none; NULL: no room.
static struct datagram *datagram_of(struct worker *worker, const struct packet *packet,
	const struct fragment *f, const uint8_t *ip)
{
	struct datagram_key key = key_of(worker, packet, ip);
	struct datagram *d = reassembly_find(worker, &key);
	if (!d)
		return reassembly_begin(worker, &key, holder_of(worker, packet, f, &key));
	if (f->offset == 0 && reassembly_holder(worker, d) & REASSEMBLY_HOLDER_UNKNOWN)
		reassembly_set_holder(worker, d, holder_of(worker, packet, f, &key));
	return d;
}

static int is_in_range(const struct fragment *f)
{
	return f->bytes > 0 && f->offset + f->bytes <= PAYLOAD_MAX;
}

// A first fragment that hides the transport header, or one that would overwrite it (RFC 3128).
static int is_unsafe(const struct fragment *f)
{
	if (f->offset == 0)
		return f->bytes < (f->protocol == IPPROTO_TCP ? TCP_BYTES_MIN : UDP_BYTES);
	return f->protocol == IPPROTO_TCP && f->offset < TCP_BYTES_MIN;
}

static int has_unit(const struct datagram *d, uint32_t unit)
{
	return d->has[unit / 64] >> unit % 64 & 1;
}

// 1 when the fragment came before, byte for byte: a network that doubles packets means no harm
// (RFC 8200 §4.5).
static int is_repeated(const struct datagram *d, const struct fragment *f)
{
	if (!is_in_range(f))
		return 0;
	for (uint32_t unit = f->offset / 8; unit < (f->offset + f->bytes + 7) / 8; unit++)
		if (!has_unit(d, unit))
			return 0;
	return memcmp(d->payload + f->offset, f->payload, f->bytes) == 0;
}

// Notes the units of a fragment. Returns 0 when one of them has come before.
static int take_units(struct datagram *d, const struct fragment *f)
{
	uint32_t first = f->offset / 8, end = (f->offset + f->bytes + 7) / 8;
	for (uint32_t unit = first; unit < end; unit++) {
		if (has_unit(d, unit))
			return 0;
		d->has[unit / 64] |= 1ull << unit % 64;
	}
	d->units += end - first;
	return 1;
}

// Adds a fragment. Returns 0 when the datagram must be dropped for it. No fragment may reach beyond the
// end of the last one: completeness is judged by the number of units, so a unit beyond the end could
// hide a gap, and the datagram would be sent with old content of the buffer.
static int add(struct datagram *d, const struct fragment *f, const uint8_t *ip)
{
	uint32_t end = f->offset + f->bytes;
	if (!is_in_range(f) || (!f->is_last && f->bytes % 8) || is_unsafe(f) || !take_units(d, f))
		return 0;
	if (f->is_last) {
		if (d->payload_bytes || d->end_bytes > end)
			return 0;
		d->payload_bytes = end;
	} else if (d->payload_bytes && end > d->payload_bytes) {
		return 0;
	}
	if (d->end_bytes < end)
		d->end_bytes = end;
	if (f->offset == 0) {
		d->header_bytes = (uint8_t)(f->payload - ip);
		memcpy(d->header, ip, d->header_bytes);
	}
	memcpy(d->payload + f->offset, f->payload, f->bytes);
	return 1;
}

// The packet that completed it becomes the whole datagram.
static void finish(struct worker *worker, struct packet *packet, struct datagram *d)
{
	uint8_t *ip = packet_ip(packet);
	memcpy(ip, d->header, d->header_bytes);
	memcpy(ip + d->header_bytes, d->payload, d->payload_bytes);
	write16(ip + IPV4_TOTAL, (uint16_t)(d->header_bytes + d->payload_bytes));
	write16(ip + IPV4_FRAGMENT, 0); // it may be cut again
	rewrite_header_checksum(ip);
	packet->bytes = packet->l3 + d->header_bytes + d->payload_bytes;
	for (uint16_t port = 0; port < EGRET_PORT_MAX; port++) {
		worker_count(worker, port, EGRET_PORT_COUNTER_HELD, (uint64_t)0 - d->held[port]);
		worker_count(worker, port, EGRET_PORT_COUNTER_ABSORBED, d->held[port]);
	}
	reassembly_end(worker, d);
}

void reassembly_take(struct worker *worker, struct packet *packet)
{
	const uint8_t *ip = packet_ip(packet);
	if (!is_wanted(worker, packet))
		return;
	struct fragment fragment = read_fragment(ip);
	struct datagram *d = packet->checksum == CHECKSUM_COMPLETE && !packet->gso_type
		? datagram_of(worker, packet, &fragment, ip)
		: NULL;
	if (!d || d->is_dropped || is_repeated(d, &fragment)) {
		packet_drop(packet, EGRET_DROP_FRAGMENT);
		return;
	}
	if (!add(d, &fragment, ip)) {
		reassembly_give_up(worker, d);
		d->is_dropped = 1;
		packet_drop(packet, EGRET_DROP_FRAGMENT);
		return;
	}
	if (d->payload_bytes && d->header_bytes && d->units == (d->payload_bytes + 7) / 8 &&
		d->header_bytes + d->payload_bytes <= 65535) {
		finish(worker, packet, d);
		return;
	}
	packet->verdict = PACKET_HELD;
	d->held[packet->port]++;
	worker_count(worker, packet->port, EGRET_PORT_COUNTER_HELD, 1);
}
