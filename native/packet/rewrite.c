// SPDX-License-Identifier: Apache-2.0

// Endpoints and their checksums. See rewrite.h.
#include "packet/rewrite.h"

#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>

// Where the transport checksum stands in its header; 0: nowhere.
static uint32_t checksum_at(uint8_t protocol)
{
	if (protocol == IPPROTO_TCP)
		return TCP_CHECKSUM;
	return protocol == IPPROTO_UDP ? UDP_CHECKSUM : ICMP_CHECKSUM;
}

// Updates a transport checksum for a changed address (not ICMP) and a changed 16-bit word.
static void update_transport(uint8_t *field, uint8_t protocol, enum packet_checksum checksum,
	uint32_t old_addr, uint32_t new_addr, uint16_t old_port, uint16_t new_port)
{
	uint16_t value = read16(field);
	if (checksum == CHECKSUM_PARTIAL) {
		if (protocol != IPPROTO_ICMP)
			write16(field, checksum_update_partial(value, old_addr, new_addr));
		return;
	}
	if (protocol == IPPROTO_UDP && value == 0)
		return;
	if (protocol != IPPROTO_ICMP)
		value = checksum_update32(value, old_addr, new_addr);
	value = checksum_update16(value, old_port, new_port);
	if (protocol == IPPROTO_UDP && value == 0)
		value = 0xffff;
	write16(field, value);
}

void rewrite_endpoint(uint8_t *ip, uint32_t bytes, int is_source, uint32_t address, uint16_t port,
	enum packet_checksum checksum)
{
	uint32_t header = ipv4_header_bytes(ip);
	uint8_t protocol = ip[IPV4_PROTOCOL];
	uint8_t *at = ip + (is_source ? IPV4_SOURCE : IPV4_DESTINATION);
	uint32_t old_addr = read32(at);
	write32(at, address);
	write16(ip + IPV4_CHECKSUM,
		checksum_update32(read16(ip + IPV4_CHECKSUM), old_addr, address));
	uint32_t port_at = header + (protocol == IPPROTO_ICMP ? ICMP_ID : is_source ? 0 : 2);
	if (port_at + 2 > bytes)
		return;
	uint16_t old_port = read16(ip + port_at);
	write16(ip + port_at, port);
	uint32_t field = header + checksum_at(protocol);
	if (field + 2 <= bytes)
		update_transport(ip + field, protocol, checksum, old_addr, address, old_port, port);
}

void rewrite_ttl(uint8_t *ip, uint8_t ttl)
{
	uint16_t old = read16(ip + IPV4_TTL);
	ip[IPV4_TTL] = ttl;
	write16(ip + IPV4_CHECKSUM,
		checksum_update16(read16(ip + IPV4_CHECKSUM), old, read16(ip + IPV4_TTL)));
}

void rewrite_header_checksum(uint8_t *ip)
{
	write16(ip + IPV4_CHECKSUM, 0);
	write16(ip + IPV4_CHECKSUM, (uint16_t)~checksum_sum(ip, ipv4_header_bytes(ip)));
}

void rewrite_datagram(const uint8_t *ip, uint8_t *udp, uint32_t bytes)
{
	write16(udp + UDP_LENGTH, (uint16_t)bytes);
	write16(udp + UDP_CHECKSUM, 0);
	uint32_t pseudo = checksum_pseudo(
		read32(ip + IPV4_SOURCE), read32(ip + IPV4_DESTINATION), IPPROTO_UDP, bytes);
	uint16_t field = (uint16_t)~checksum_fold((uint64_t)pseudo + checksum_sum(udp, bytes));
	write16(udp + UDP_CHECKSUM, field ? field : 0xffff);
}
