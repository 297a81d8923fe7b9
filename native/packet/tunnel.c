// SPDX-License-Identifier: Apache-2.0

// See tunnel.h.
#include "packet/tunnel.h"

#include "packet/offload.h"
#include "packet/rewrite.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>

enum { IPV6_PAYLOAD = 4, IPV4_WORDS_MIN = 5, IPV4_WORDS_MAX = 15 };

int tunnel_is_superframe(const struct packet *packet)
{
	return packet->gso_type != 0 && packet->protocol == IPPROTO_UDP && !packet->is_icmp_error &&
		packet->checksum == CHECKSUM_PARTIAL &&
		packet->checksum_start >= packet->l4 + UDP_BYTES + IPV4_BYTES_MIN;
}

// Where the inner network header begins, which ends at `l4`; 0: there is none that fits.
static uint32_t find_inner(const struct packet *packet, uint32_t l4, uint8_t protocol)
{
	uint32_t first = packet->l4 + UDP_BYTES, whole = packet->bytes;
	for (uint32_t words = IPV4_WORDS_MIN; words <= IPV4_WORDS_MAX; words++) {
		uint32_t at = l4 - words * 4;
		const uint8_t *ip = packet->data + at;
		if (at >= first && ip[0] == (4 << 4 | words) && ip[IPV4_PROTOCOL] == protocol &&
			read16(ip + IPV4_TOTAL) == whole - at)
			return at;
	}
	uint32_t at = l4 - IPV6_BYTES;
	const uint8_t *ip = packet->data + at;
	if (l4 >= first + IPV6_BYTES && ip[0] >> 4 == 6 && ip[IPV6_NEXT_HEADER] == protocol &&
		read16(ip + IPV6_PAYLOAD) == whole - l4)
		return at;
	return 0;
}

static uint8_t inner_protocol(const struct packet *packet)
{
	uint8_t type = packet->gso_type & (uint8_t)~OFFLOAD_GSO_ECN;
	return type == OFFLOAD_GSO_TCP4 || type == OFFLOAD_GSO_TCP6 ? IPPROTO_TCP : IPPROTO_UDP;
}

static uint32_t transport_bytes(const struct packet *packet)
{
	const uint8_t *transport = packet->data + packet->inner_l4;
	return packet->tunnel_protocol == IPPROTO_TCP ? (transport[TCP_OFFSET] >> 4) * 4u
						      : UDP_BYTES;
}

int tunnel_take(struct packet *packet)
{
	uint8_t type = packet->gso_type & (uint8_t)~OFFLOAD_GSO_ECN;
	uint8_t protocol = inner_protocol(packet);
	uint32_t l4 = packet->checksum_start, least = protocol == IPPROTO_TCP ? 20 : UDP_BYTES;
	if ((type != OFFLOAD_GSO_TCP4 && type != OFFLOAD_GSO_TCP6 && type != OFFLOAD_GSO_UDP_L4) ||
		packet->gso_bytes == 0 || l4 + least > packet->bytes)
		return -1;
	uint32_t inner = find_inner(packet, l4, protocol);
	packet->inner_l3 = (uint16_t)inner;
	packet->inner_l4 = (uint16_t)l4;
	packet->tunnel_protocol = protocol;
	if (!inner || transport_bytes(packet) < least ||
		tunnel_header_bytes(packet) > TUNNEL_HEADERS_MAX ||
		l4 + transport_bytes(packet) >= packet->bytes)
		return -1;
	uint8_t *udp = packet->data + packet->l4;
	packet->has_tunnel_checksum = read16(udp + UDP_CHECKSUM) != 0;
	write16(udp + UDP_CHECKSUM, 0); // none, so that translation leaves it alone
	packet->gso_type = OFFLOAD_GSO_TUNNEL;
	packet->checksum = CHECKSUM_COMPLETE;
	packet->checksum_start = packet->checksum_offset = 0;
	return 0;
}

uint32_t tunnel_header_bytes(const struct packet *packet)
{
	return packet->inner_l4 - packet->l3 + transport_bytes(packet);
}

// The sum of the inner pseudo-header, of either family.
static uint64_t inner_pseudo(const uint8_t *ip, uint8_t protocol, uint32_t bytes)
{
	if (ip[0] >> 4 == 4)
		return checksum_pseudo(
			read32(ip + IPV4_SOURCE), read32(ip + IPV4_DESTINATION), protocol, bytes);
	return (uint64_t)checksum_sum(ip + IPV6_SOURCE, IPV6_BYTES - IPV6_SOURCE) + protocol +
		bytes;
}

static uint16_t checksum_field(uint64_t pseudo, const uint8_t *from, uint32_t bytes)
{
	return (uint16_t)~checksum_fold(pseudo + checksum_sum(from, bytes));
}

static void write_inner_transport(struct packet *segment, uint32_t offset, int is_last)
{
	uint8_t *ip = segment->data + segment->inner_l3;
	uint8_t *transport = segment->data + segment->inner_l4;
	uint32_t bytes = segment->bytes - segment->inner_l4;
	uint64_t pseudo = inner_pseudo(ip, segment->tunnel_protocol, bytes);
	if (segment->tunnel_protocol == IPPROTO_TCP) {
		write32(transport + TCP_SEQUENCE, read32(transport + TCP_SEQUENCE) + offset);
		if (!is_last)
			transport[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (offset > 0)
			transport[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		write16(transport + TCP_CHECKSUM, 0);
		write16(transport + TCP_CHECKSUM, checksum_field(pseudo, transport, bytes));
		return;
	}
	write16(transport + UDP_LENGTH, (uint16_t)bytes);
	write16(transport + UDP_CHECKSUM, 0);
	uint16_t field = checksum_field(pseudo, transport, bytes);
	write16(transport + UDP_CHECKSUM, field ? field : 0xffff);
}

void tunnel_write_segment(
	struct packet *segment, uint32_t bytes, uint32_t offset, uint32_t total, uint32_t number)
{
	segment->bytes = segment->l3 + tunnel_header_bytes(segment) + bytes;
	segment->gso_type = 0;
	segment->gso_bytes = segment->gso_header_bytes = 0;
	uint8_t *inner = segment->data + segment->inner_l3;
	if (inner[0] >> 4 == 4) {
		write16(inner + IPV4_TOTAL, (uint16_t)(segment->bytes - segment->inner_l3));
		write16(inner + IPV4_ID, (uint16_t)(read16(inner + IPV4_ID) + number));
		rewrite_header_checksum(inner);
	} else {
		write16(inner + IPV6_PAYLOAD, (uint16_t)(segment->bytes - segment->inner_l4));
	}
	write_inner_transport(segment, offset, offset + bytes == total);
	uint8_t *ip = packet_ip(segment), *udp = segment->data + segment->l4;
	uint32_t datagram = segment->bytes - segment->l4;
	write16(ip + IPV4_TOTAL, (uint16_t)(segment->bytes - segment->l3));
	write16(ip + IPV4_ID, (uint16_t)(read16(ip + IPV4_ID) + number));
	rewrite_header_checksum(ip);
	if (segment->has_tunnel_checksum)
		rewrite_datagram(ip, udp, datagram);
	else
		write16(udp + UDP_LENGTH,
			(uint16_t)datagram); // tunnel_take has left the checksum out
}
