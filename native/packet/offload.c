// SPDX-License-Identifier: Apache-2.0

// Checksums and sizes of superframes. See offload.h.
#include "packet/offload.h"

#include "packet/tunnel.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>

int offload_complete(struct packet *packet)
{
	if (packet->checksum != CHECKSUM_PARTIAL)
		return 0;
	uint32_t start = packet->checksum_start, field = start + packet->checksum_offset;
	if (field + 2 > packet->bytes)
		return -1;
	// The field holds the pseudo-header's sum, so it takes part as it is.
	uint16_t value = (uint16_t)~checksum_sum(packet->data + start, packet->bytes - start);
	if (value == 0 && packet->checksum_offset == UDP_CHECKSUM)
		value = 0xffff;
	write16(packet->data + field, value);
	packet->checksum = CHECKSUM_COMPLETE;
	packet->checksum_start = packet->checksum_offset = 0;
	return 0;
}

uint32_t offload_header_bytes(const struct packet *packet)
{
	if (packet->gso_type == OFFLOAD_GSO_TUNNEL)
		return tunnel_header_bytes(packet);
	uint32_t ip = packet->l4 - packet->l3;
	if (packet->protocol == IPPROTO_TCP)
		return ip + (packet->data[packet->l4 + TCP_OFFSET] >> 4) * 4u;
	return ip + UDP_BYTES;
}

uint32_t offload_wire_bytes(const struct packet *packet)
{
	if (!packet->gso_type)
		return packet_ip_bytes(packet);
	uint32_t segment = offload_header_bytes(packet) + packet->gso_bytes;
	uint32_t whole = packet_ip_bytes(packet);
	return segment < whole ? segment : whole;
}
