// SPDX-License-Identifier: Apache-2.0

// Fragments and datagrams of superframes. See fragment.h.
#include "pipeline/fragment.h"

#include "nat/session.h"
#include "packet/offload.h"
#include "packet/rewrite.h"
#include "packet/tunnel.h"
#include "wire/header.h"

#include <string.h>

// The header of the pieces after the first: only options with the copied flag, padded to a word.
static uint32_t copied_header(const uint8_t *header, uint32_t bytes, uint8_t *copy)
{
	memcpy(copy, header, IPV4_BYTES_MIN);
	uint32_t out = IPV4_BYTES_MIN;
	for (uint32_t at = IPV4_BYTES_MIN; at < bytes && header[at] != IPV4_OPTION_END;) {
		uint32_t length = header[at] == IPV4_OPTION_NOP ? 1
			: at + 1 < bytes                        ? header[at + 1]
								: 0;
		if (length == 0 || at + length > bytes)
			break;
		if (header[at] & IPV4_OPTION_COPIED) {
			memcpy(copy + out, header + at, length);
			out += length;
		}
		at += length;
	}
	while (out % 4)
		copy[out++] = IPV4_OPTION_END;
	copy[0] = (uint8_t)(4 << 4 | out / 4);
	return out;
}

static void write_piece(uint8_t *ip, uint32_t header, uint32_t payload, uint16_t fragment)
{
	write16(ip + IPV4_TOTAL, (uint16_t)(header + payload));
	write16(ip + IPV4_FRAGMENT, fragment);
	rewrite_header_checksum(ip);
}

// What a piece has in common with the packet it is of.
static void inherit(struct packet *piece, const struct packet *packet)
{
	memcpy(piece->data, packet->data, ETHERNET_BYTES);
	piece->l3 = packet->l3;
	piece->out_port = packet->out_port;
	piece->next_hop = packet->next_hop;
	piece->has_ethernet = 1;
	piece->is_ready = 1;
}

// The next identification for a pair of addresses: a counter that only few pairs share, from a keyed start,
// so that what one network sees says nothing of another (RFC 7739 §5.3, there for IPv6).
static uint16_t next_id(struct worker *worker, const uint8_t *ip)
{
	struct index_key pair = {
		(uint64_t)read32(ip + IPV4_SOURCE) << 32 | read32(ip + IPV4_DESTINATION),
		UINT64_MAX};
	uint64_t hash = index_hash(&worker->sessions->session_index, pair);
	return (uint16_t)(hash >> 16) + worker->fragment_ids[hash % WORKER_FRAGMENT_IDS]++;
}

// And a piece that is a datagram of its own, which may be cut again.
static void inherit_datagram(struct packet *piece, const struct packet *packet)
{
	piece->session = packet->session;
	piece->direction = packet->direction;
	piece->l4 = packet->l4;
	piece->protocol = packet->protocol;
	piece->inner_l3 = packet->inner_l3;
	piece->inner_l4 = packet->inner_l4;
	piece->tunnel_protocol = packet->tunnel_protocol;
	piece->has_tunnel_checksum = packet->has_tunnel_checksum;
}

static void cut(struct worker *worker, struct packet *packet, uint32_t mtu, fragment_room *room,
	fragment_emit *emit)
{
	uint8_t *ip = packet_ip(packet);
	uint8_t later[IPV4_BYTES_MAX];
	uint32_t first_header = ipv4_header_bytes(ip);
	// A translated source shares its identifications with others (RFC 6864 §5.3, RFC 7857 §10).
	if (packet_has_session(packet) && packet->direction == SESSION_OUTBOUND)
		write16(ip + IPV4_ID, next_id(worker, ip));
	uint32_t later_header = copied_header(ip, first_header, later);
	uint32_t total = read16(ip + IPV4_TOTAL) - first_header;
	uint16_t flags = read16(ip + IPV4_FRAGMENT);
	uint32_t base = flags & IPV4_OFFSET;
	const uint8_t *payload = ip + first_header;
	uint32_t done = (mtu - first_header) / 8 * 8;
	write_piece(ip, first_header, done, (uint16_t)(IPV4_MF | base));
	packet->bytes = packet->l3 + first_header + done;
	packet->has_ethernet = 1;
	packet->is_ready = 1;
	emit(worker, packet);
	while (done < total) {
		struct packet *piece = room(worker, packet);
		if (!piece)
			return;
		uint32_t bytes = (mtu - later_header) / 8 * 8;
		uint16_t more = IPV4_MF;
		if (bytes >= total - done) {
			bytes = total - done;
			more = flags & IPV4_MF;
		}
		inherit(piece, packet);
		uint8_t *piece_ip = packet_ip(piece);
		memcpy(piece_ip, later, later_header);
		memcpy(piece_ip + later_header, payload + done, bytes);
		write_piece(piece_ip, later_header, bytes, (uint16_t)(more | (base + done / 8)));
		piece->bytes = piece->l3 + later_header + bytes;
		done += bytes;
		emit(worker, piece);
	}
}

void fragment_packet(struct worker *worker, struct packet *packet, uint32_t mtu,
	fragment_room *room, fragment_emit *emit)
{
	uint32_t header = ipv4_header_bytes(packet_ip(packet));
	if (mtu < header + 8 || offload_complete(packet) < 0) {
		packet_drop(packet, EGRET_DROP_TOO_BIG);
		return;
	}
	uint8_t was_busy = packet->is_busy;
	packet->is_busy = 1; // its buffer is read until the last piece is made
	cut(worker, packet, mtu, room, emit);
	packet->is_busy = was_busy;
}

// Makes a datagram of `bytes` payload out of the headers in front of it.
static void write_datagram(struct packet *packet, uint32_t headers, uint32_t bytes, uint16_t id)
{
	uint8_t *ip = packet_ip(packet), *udp = ip + headers - UDP_BYTES;
	packet->bytes = packet->l3 + headers + bytes;
	packet->gso_type = 0;
	packet->gso_bytes = packet->gso_header_bytes = 0;
	packet->checksum = CHECKSUM_COMPLETE;
	write16(ip + IPV4_TOTAL, (uint16_t)(headers + bytes));
	write16(ip + IPV4_ID, id);
	rewrite_header_checksum(ip);
	rewrite_datagram(ip, udp, UDP_BYTES + bytes);
}

// Makes one segment of a superframe, whose headers stand in front of it.
static void write_segment(struct packet *piece, int is_tunnel, uint32_t headers, uint32_t bytes,
	uint32_t offset, uint32_t total, uint32_t number)
{
	if (is_tunnel)
		tunnel_write_segment(piece, bytes, offset, total, number);
	else
		write_datagram(piece, headers, bytes,
			(uint16_t)(read16(packet_ip(piece) + IPV4_ID) + number));
}

void fragment_superframe(struct worker *worker, struct packet *packet, uint32_t mtu,
	fragment_room *room, fragment_emit *emit)
{
	uint8_t headers[TUNNEL_HEADERS_MAX];
	int is_tunnel = packet->gso_type == OFFLOAD_GSO_TUNNEL;
	uint32_t header_bytes = offload_header_bytes(packet), segment = packet->gso_bytes;
	uint32_t total = packet_ip_bytes(packet) - header_bytes;
	const uint8_t *payload = packet_ip(packet) + header_bytes;
	memcpy(headers, packet_ip(packet), header_bytes);
	packet->is_busy = 1;
	for (uint32_t done = 0, number = 0; done < total; done += segment, number++) {
		struct packet *piece = packet;
		uint32_t bytes = total - done < segment ? total - done : segment;
		if (done > 0) {
			piece = room(worker, packet);
			if (!piece)
				break;
			inherit(piece, packet);
			inherit_datagram(piece, packet);
			memcpy(packet_ip(piece), headers, header_bytes);
			memcpy(packet_ip(piece) + header_bytes, payload + done, bytes);
		}
		write_segment(piece, is_tunnel, header_bytes, bytes, done, total, number);
		piece->has_ethernet = piece->is_ready = 1;
		if (mtu > 0 && packet_ip_bytes(piece) > mtu)
			fragment_packet(worker, piece, mtu, room, emit);
		else
			emit(worker, piece);
	}
	packet->is_busy = 0;
}
