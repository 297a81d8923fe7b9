// SPDX-License-Identifier: Apache-2.0

// Fragments that arrive. See reassembly.h.
#include "pipeline/reassembly.h"

#include "packet/rewrite.h"
#include "packet/verdict.h"
#include "wire/header.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAYLOAD_MAX = 65535 - IPV4_BYTES_MIN,
	UNITS = 8192, // of 8 bytes
};

struct datagram {
	uint32_t source, destination;
	uint16_t port, id;
	uint8_t protocol;
	uint8_t is_used;
	uint8_t is_condemned; // what comes of it now is dropped
	uint8_t header_bytes; // 0: the first fragment has not come
	uint32_t deadline_tick;
	uint32_t held; // frames of it that wait
	uint32_t payload_bytes; // 0: the last fragment has not come
	uint32_t end_bytes; // of the fragment that reaches furthest
	uint32_t units; // that have come
	uint64_t has[UNITS / 64];
	uint8_t header[IPV4_BYTES_MAX];
	uint8_t payload[UNITS * 8];
};

struct reassembly {
	struct datagram datagrams[REASSEMBLY_DATAGRAMS];
	uint32_t used;
};

struct reassembly *reassembly_make(void)
{
	return calloc(1, sizeof(struct reassembly));
}

void reassembly_free(struct reassembly *reassembly)
{
	free(reassembly);
}

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

static struct datagram *find(struct worker *worker, const struct packet *packet, const uint8_t *ip)
{
	struct reassembly *reassembly = worker->reassembly;
	struct datagram *empty = NULL;
	uint32_t of_source = 0;
	for (uint32_t i = 0; i < REASSEMBLY_DATAGRAMS; i++) {
		struct datagram *d = &reassembly->datagrams[i];
		if (!d->is_used) {
			empty = empty ? empty : d;
			continue;
		}
		of_source += d->source == packet->source;
		if (d->source == packet->source && d->destination == packet->destination &&
			d->port == packet->port && d->id == read16(ip + IPV4_ID) &&
			d->protocol == ip[IPV4_PROTOCOL])
			return d;
	}
	if (!empty || of_source >= REASSEMBLY_PER_SOURCE)
		return NULL;
	memset(empty, 0, offsetof(struct datagram, header));
	empty->source = packet->source;
	empty->destination = packet->destination;
	empty->port = packet->port;
	empty->id = read16(ip + IPV4_ID);
	empty->protocol = ip[IPV4_PROTOCOL];
	empty->is_used = 1;
	empty->deadline_tick = worker->now_tick + REASSEMBLY_WAIT_TICKS;
	reassembly->used++;
	return empty;
}

static void give_up_held(struct worker *worker, struct datagram *d)
{
	verdict_count_given_up(worker, d->port, EGRET_DROP_FRAGMENT, d->held);
	d->held = 0;
}

static void condemn(struct worker *worker, struct datagram *d)
{
	give_up_held(worker, d);
	d->is_condemned = 1;
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

static int is_in_range(const struct fragment *f)
{
	return f->bytes > 0 && f->offset + f->bytes <= PAYLOAD_MAX;
}

// A first fragment that hides the transport header, or one that would overwrite it (RFC 3128).
static int is_evil(const struct fragment *f)
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
	if (!is_in_range(f) || (!f->is_last && f->bytes % 8) || is_evil(f) || !take_units(d, f))
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
	worker_count(worker, d->port, EGRET_PORT_COUNTER_HELD, (uint64_t)0 - d->held);
	worker_count(worker, d->port, EGRET_PORT_COUNTER_ABSORBED, d->held);
	d->is_used = 0;
	worker->reassembly->used--;
}

void reassembly_take(struct worker *worker, struct packet *packet)
{
	const uint8_t *ip = packet_ip(packet);
	if (!is_wanted(worker, packet))
		return;
	struct datagram *d = packet->checksum == CHECKSUM_COMPLETE && !packet->gso_type
		? find(worker, packet, ip)
		: NULL;
	struct fragment fragment = read_fragment(ip);
	if (!d || d->is_condemned || is_repeated(d, &fragment)) {
		packet_drop(packet, EGRET_DROP_FRAGMENT);
		return;
	}
	if (!add(d, &fragment, ip)) {
		condemn(worker, d);
		packet_drop(packet, EGRET_DROP_FRAGMENT);
		return;
	}
	if (d->payload_bytes && d->header_bytes && d->units == (d->payload_bytes + 7) / 8 &&
		d->header_bytes + d->payload_bytes <= 65535) {
		finish(worker, packet, d);
		return;
	}
	packet->verdict = PACKET_HELD;
	d->held++;
	worker_count(worker, packet->port, EGRET_PORT_COUNTER_HELD, 1);
}

void reassembly_expire(struct worker *worker)
{
	struct reassembly *reassembly = worker->reassembly;
	for (uint32_t i = 0; reassembly->used > 0 && i < REASSEMBLY_DATAGRAMS; i++) {
		struct datagram *d = &reassembly->datagrams[i];
		if (!d->is_used || (int32_t)(d->deadline_tick - worker->now_tick) > 0)
			continue;
		give_up_held(worker, d);
		d->is_used = 0;
		reassembly->used--;
	}
}
