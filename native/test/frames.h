// SPDX-License-Identifier: Apache-2.0

// Frames for the C tests, written rather than captured:
//
//   frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 100)
//   with_ttl(frame_tcp(frame_ipv4(...), 4000, 80, TCP_SYN, 0), 1)
//
// Each constructor returns a frame out of a small ring, checksums complete; with_* change one thing and
// mend the IPv4 checksum. frame_sums_error says what is wrong with a frame that came out.
#pragma once
#include "packet/packet.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame {
	uint8_t data[PACKET_BYTES_MAX];
	uint32_t bytes;
	uint8_t checksum, gso_type;
	uint16_t checksum_start, checksum_offset, gso_bytes;
	uint16_t port; // by which it left, of one that came out
};

static inline uint32_t address_of(const char *text)
{
	struct in_addr address;
	if (inet_pton(AF_INET, text, &address) != 1)
		abort();
	return ntohl(address.s_addr);
}

static inline struct frame *frame_new(void)
{
	enum { RING = 16 };
	static struct frame ring[RING];
	static uint32_t next;
	struct frame *frame = &ring[next++ % RING];
	memset(frame, 0, sizeof *frame);
	return frame;
}

static inline uint8_t *frame_ip(struct frame *frame)
{
	return frame->data + ETHERNET_BYTES;
}

static inline uint8_t *frame_l4(struct frame *frame)
{
	return frame_ip(frame) + ipv4_header_bytes(frame_ip(frame));
}

static inline struct frame *frame_mend_ip(struct frame *frame)
{
	uint8_t *ip = frame_ip(frame);
	write16(ip + IPV4_CHECKSUM, 0);
	write16(ip + IPV4_CHECKSUM, (uint16_t)~checksum_sum(ip, ipv4_header_bytes(ip)));
	return frame;
}

// An IPv4 header without payload. Destination MAC: filled in by gateway_send.
static inline struct frame *frame_ipv4(const char *source, const char *destination)
{
	struct frame *frame = frame_new();
	static uint16_t id = 1;
	write16(frame->data + ETHERNET_TYPE, ETHERTYPE_IS_IPV4);
	uint8_t *ip = frame_ip(frame);
	ip[0] = 0x45;
	write16(ip + IPV4_TOTAL, IPV4_BYTES_MIN);
	write16(ip + IPV4_ID, id++);
	ip[IPV4_TTL] = 64;
	write32(ip + IPV4_SOURCE, address_of(source));
	write32(ip + IPV4_DESTINATION, address_of(destination));
	frame->bytes = ETHERNET_BYTES + IPV4_BYTES_MIN;
	return frame_mend_ip(frame);
}

// Appends a transport header and its payload, and sets lengths.
static inline uint8_t *frame_append(
	struct frame *frame, uint8_t protocol, uint32_t header, uint32_t payload)
{
	uint8_t *ip = frame_ip(frame), *l4 = frame_l4(frame);
	ip[IPV4_PROTOCOL] = protocol;
	for (uint32_t i = 0; i < payload; i++)
		l4[header + i] = (uint8_t)(i * 7 + 3);
	frame->bytes += header + payload;
	write16(ip + IPV4_TOTAL, (uint16_t)(frame->bytes - ETHERNET_BYTES));
	frame_mend_ip(frame);
	return l4;
}

static inline uint32_t frame_l4_bytes(struct frame *frame)
{
	return read16(frame_ip(frame) + IPV4_TOTAL) - ipv4_header_bytes(frame_ip(frame));
}

static inline uint16_t frame_pseudo(struct frame *frame)
{
	uint8_t *ip = frame_ip(frame);
	return checksum_fold(checksum_pseudo(read32(ip + IPV4_SOURCE),
		read32(ip + IPV4_DESTINATION), ip[IPV4_PROTOCOL], frame_l4_bytes(frame)));
}

// Computes the transport checksum again.
static inline struct frame *frame_mend_l4(struct frame *frame)
{
	uint8_t *ip = frame_ip(frame), *l4 = frame_l4(frame);
	uint8_t protocol = ip[IPV4_PROTOCOL];
	uint32_t at = protocol == IPPROTO_TCP ? TCP_CHECKSUM
		: protocol == IPPROTO_UDP     ? UDP_CHECKSUM
					      : ICMP_CHECKSUM;
	write16(l4 + at, 0);
	uint32_t sum = protocol == IPPROTO_ICMP ? 0 : frame_pseudo(frame);
	uint16_t field = (uint16_t)~checksum_fold(
		(uint64_t)sum + checksum_sum(l4, frame_l4_bytes(frame)));
	if (field == 0 && protocol == IPPROTO_UDP)
		field = 0xffff;
	write16(l4 + at, field);
	return frame;
}

static inline struct frame *frame_udp(
	struct frame *frame, uint16_t source, uint16_t destination, uint32_t payload)
{
	uint8_t *udp = frame_append(frame, IPPROTO_UDP, UDP_BYTES, payload);
	write16(udp, source);
	write16(udp + 2, destination);
	write16(udp + UDP_LENGTH, (uint16_t)(UDP_BYTES + payload));
	return frame_mend_l4(frame);
}

static inline struct frame *frame_tcp(
	struct frame *frame, uint16_t source, uint16_t destination, uint8_t flags, uint32_t payload)
{
	uint8_t *tcp = frame_append(frame, IPPROTO_TCP, TCP_BYTES_MIN, payload);
	write16(tcp, source);
	write16(tcp + 2, destination);
	write32(tcp + TCP_SEQUENCE, 0x11223344);
	tcp[TCP_OFFSET] = 5 << 4;
	tcp[TCP_FLAGS] = flags;
	return frame_mend_l4(frame);
}

// Sequence and acknowledgment of a TCP frame, which has TCP_ACK or ignores the second.
static inline struct frame *with_numbers(
	struct frame *frame, uint32_t sequence, uint32_t acknowledgment)
{
	write32(frame_l4(frame) + TCP_SEQUENCE, sequence);
	write32(frame_l4(frame) + TCP_ACKNOWLEDGMENT, acknowledgment);
	return frame_mend_l4(frame);
}

static inline struct frame *frame_echo(
	struct frame *frame, uint8_t type, uint16_t id, uint32_t payload)
{
	uint8_t *icmp = frame_append(frame, IPPROTO_ICMP, ICMP_BYTES, payload);
	icmp[0] = type;
	write16(icmp + ICMP_ID, id);
	return frame_mend_l4(frame);
}

// An ICMP error that quotes the first `bytes` of another frame's IPv4 packet.
static inline struct frame *frame_error(
	struct frame *frame, uint8_t type, uint8_t code, struct frame *about, uint32_t bytes)
{
	uint8_t *icmp = frame_append(frame, IPPROTO_ICMP, ICMP_BYTES, bytes);
	memset(icmp, 0, ICMP_BYTES);
	icmp[0] = type;
	icmp[ICMP_CODE] = code;
	memcpy(icmp + ICMP_BYTES, frame_ip(about), bytes);
	return frame_mend_l4(frame);
}

static inline struct frame *with_ttl(struct frame *frame, uint8_t ttl)
{
	frame_ip(frame)[IPV4_TTL] = ttl;
	return frame_mend_ip(frame);
}

static inline struct frame *with_fragment(struct frame *frame, uint16_t field)
{
	write16(frame_ip(frame) + IPV4_FRAGMENT, field);
	return frame_mend_ip(frame);
}

static inline struct frame *with_df(struct frame *frame)
{
	return with_fragment(frame, IPV4_DF);
}

static inline struct frame *with_id(struct frame *frame, uint16_t id)
{
	write16(frame_ip(frame) + IPV4_ID, id);
	return frame_mend_ip(frame);
}

// The checksum is left to the NIC: the field holds the sum of the pseudo-header.
static inline struct frame *with_partial(struct frame *frame)
{
	uint8_t *l4 = frame_l4(frame);
	int is_tcp = frame_ip(frame)[IPV4_PROTOCOL] == IPPROTO_TCP;
	frame->checksum = CHECKSUM_PARTIAL;
	frame->checksum_start = (uint16_t)(l4 - frame->data);
	frame->checksum_offset = is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
	write16(l4 + frame->checksum_offset, frame_pseudo(frame));
	return frame;
}

static inline struct frame *with_gso(struct frame *frame, uint8_t type, uint16_t segment)
{
	with_partial(frame);
	frame->gso_type = type;
	frame->gso_bytes = segment;
	return frame;
}

// One fragment of a datagram: `bytes` of its payload from `offset` on.
static inline struct frame *frame_fragment(
	struct frame *whole, uint32_t offset, uint32_t bytes, int is_last)
{
	struct frame *piece = frame_new();
	uint32_t header = ipv4_header_bytes(frame_ip(whole));
	memcpy(piece->data, whole->data, ETHERNET_BYTES + header);
	memcpy(piece->data + ETHERNET_BYTES + header, frame_ip(whole) + header + offset, bytes);
	piece->bytes = ETHERNET_BYTES + header + bytes;
	write16(frame_ip(piece) + IPV4_TOTAL, (uint16_t)(header + bytes));
	return with_fragment(piece, (uint16_t)((is_last ? 0 : IPV4_MF) | offset / 8));
}

static inline const char *quote_sums_error(const uint8_t *inner, uint32_t bytes)
{
	if (bytes < IPV4_BYTES_MIN || checksum_sum(inner, ipv4_header_bytes(inner)) != 0xffff)
		return "quoted IPv4 checksum";
	uint32_t header = ipv4_header_bytes(inner), total = read16(inner + IPV4_TOTAL);
	uint8_t protocol = inner[IPV4_PROTOCOL];
	if (total > bytes || protocol == IPPROTO_ICMP)
		return NULL;
	if (protocol == IPPROTO_UDP && read16(inner + header + UDP_CHECKSUM) == 0)
		return NULL;
	uint64_t sum = checksum_pseudo(read32(inner + IPV4_SOURCE),
		read32(inner + IPV4_DESTINATION), protocol, total - header);
	sum += checksum_sum(inner + header, total - header);
	return checksum_fold(sum) == 0xffff ? NULL : "quoted transport checksum";
}

// NULL, or which checksum of an IPv4 frame that left is not what a full computation gives.
static inline const char *frame_sums_error(struct frame *frame)
{
	if (read16(frame->data + ETHERNET_TYPE) != ETHERTYPE_IS_IPV4)
		return NULL;
	uint8_t *ip = frame_ip(frame), *l4 = frame_l4(frame);
	if (read16(ip + IPV4_TOTAL) != frame->bytes - ETHERNET_BYTES)
		return "total length";
	if (checksum_sum(ip, ipv4_header_bytes(ip)) != 0xffff)
		return "IPv4 checksum";
	if (read16(ip + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET))
		return NULL;
	uint8_t protocol = ip[IPV4_PROTOCOL];
	uint32_t bytes = frame_l4_bytes(frame);
	if (protocol == IPPROTO_ICMP) {
		if (checksum_sum(l4, bytes) != 0xffff)
			return "ICMP checksum";
		return icmp_type_is_error(l4[0])
			? quote_sums_error(l4 + ICMP_BYTES, bytes - ICMP_BYTES)
			: NULL;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return NULL;
	uint16_t field = read16(l4 + (protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM));
	if (frame->checksum == CHECKSUM_PARTIAL)
		return field == frame_pseudo(frame) ? NULL : "partial checksum";
	if (protocol == IPPROTO_UDP && field == 0)
		return NULL;
	uint64_t sum = (uint64_t)frame_pseudo(frame) + checksum_sum(l4, bytes);
	return checksum_fold(sum) == 0xffff ? NULL : "transport checksum";
}
