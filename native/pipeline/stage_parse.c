// SPDX-License-Identifier: Apache-2.0

// Stage 1: from bytes to addresses and ports; what is malformed, and what is the kernel's.
//
// IEEE 802.3, RFC 791, RFC 1812 §5.2.2 (header checks), §5.3.4 (link broadcasts), §5.3.7 (martians),
// RFC 7126 (source routes), RFC 5508 §3.2 (ICMP errors and their quotes). AF_PACKET only taps, so
// "left to the kernel" means that nothing is done: the kernel has its own copy.
// Absent: VLAN tags (a tagged frame belongs to an interface of its own; the port takes the tag of VLAN 0
// for none), IPv6 beyond recognizing it.
#include "packet/offload.h"
#include "packet/tunnel.h"
#include "pipeline/reassembly.h"
#include "pipeline/stage.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>
#include <string.h>

static int is_kernel_ethertype(uint16_t type)
{
	return type < ETHERTYPE_MIN || type == ETHERTYPE_IS_VLAN || type == ETHERTYPE_IS_QINQ ||
		type == ETHERTYPE_IS_SLOW || type == ETHERTYPE_IS_EAPOL ||
		type == ETHERTYPE_IS_LLDP;
}

// 1 when the kernel handles an IPv6 packet: link-local, multicast, neighbor discovery.
static int is_kernel_ipv6(const uint8_t *ip)
{
	const uint8_t *source = ip + IPV6_SOURCE, *destination = ip + IPV6_DESTINATION;
	if (destination[0] == 0xff)
		return 1;
	if (destination[0] == 0xfe && (destination[1] & 0xc0) == 0x80)
		return 1;
	return source[0] == 0xfe && (source[1] & 0xc0) == 0x80;
}

static void parse_ipv6(struct packet *packet)
{
	const uint8_t *ip = packet_ip(packet);
	uint32_t bytes = packet_ip_bytes(packet);
	if (bytes < IPV6_BYTES)
		packet_drop(packet, EGRET_DROP_TOO_SHORT);
	else if (is_kernel_ipv6(ip) ||
		(ip[IPV6_NEXT_HEADER] == IPV6_IS_ICMP && bytes > IPV6_BYTES &&
			ip[IPV6_BYTES] >= 133 && ip[IPV6_BYTES] <= 137))
		packet->verdict = PACKET_KERNEL;
	else
		packet_drop(packet, EGRET_DROP_IPV6);
}

// Walks the options. Returns the drop reason, or NONE.
static enum egret_drop check_options(const uint8_t *ip, uint32_t header)
{
	for (uint32_t at = IPV4_BYTES_MIN; at < header;) {
		uint8_t kind = ip[at];
		if (kind == IPV4_OPTION_END)
			return EGRET_DROP_NONE;
		if (kind == IPV4_OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > header || ip[at + 1] < 2 || at + ip[at + 1] > header)
			return EGRET_DROP_BAD_HEADER;
		if (kind == IPV4_OPTION_LSRR || kind == IPV4_OPTION_SSRR)
			return EGRET_DROP_SOURCE_ROUTE;
		at += ip[at + 1];
	}
	return EGRET_DROP_NONE;
}

// RFC 1812 §5.2.2, in its order. Returns the drop reason, or NONE.
static enum egret_drop check_header(const uint8_t *ip, uint32_t bytes)
{
	if (bytes < IPV4_BYTES_MIN)
		return EGRET_DROP_TOO_SHORT;
	if (ip[0] >> 4 != 4)
		return EGRET_DROP_BAD_HEADER;
	uint32_t header = ipv4_header_bytes(ip), total = read16(ip + IPV4_TOTAL);
	if (header < IPV4_BYTES_MIN || total < header)
		return EGRET_DROP_BAD_HEADER;
	if (total > bytes)
		return EGRET_DROP_TOO_SHORT;
	if (checksum_sum(ip, header) != 0xffff)
		return EGRET_DROP_BAD_CHECKSUM;
	return EGRET_DROP_NONE;
}

// What an ICMP error quotes: its endpoints, swapped, as those of a packet that would answer it.
// Returns the drop reason, or NONE.
static enum egret_drop parse_quote(struct packet *packet)
{
	uint32_t at = packet->l4 + ICMP_BYTES;
	if (checksum_sum(packet->data + packet->l4, packet->bytes - packet->l4) != 0xffff)
		return EGRET_DROP_BAD_CHECKSUM;
	if (at + IPV4_BYTES_MIN > packet->bytes)
		return EGRET_DROP_ICMP_INNER;
	const uint8_t *inner = packet->data + at;
	uint32_t header = ipv4_header_bytes(inner);
	if (inner[0] >> 4 != 4 || header < IPV4_BYTES_MIN || at + header + 8 > packet->bytes ||
		checksum_sum(inner, header) != 0xffff ||
		(read16(inner + IPV4_FRAGMENT) & IPV4_OFFSET))
		return EGRET_DROP_ICMP_INNER;
	uint8_t protocol = inner[IPV4_PROTOCOL];
	const uint8_t *transport = inner + header;
	packet->is_icmp_error = 1;
	packet->inner_l3 = (uint16_t)at;
	packet->inner_l4 = (uint16_t)(at + header);
	packet->source = read32(inner + IPV4_DESTINATION);
	packet->destination = read32(inner + IPV4_SOURCE);
	packet->protocol = protocol;
	if (protocol == IPPROTO_ICMP) {
		if (icmp_type_is_error(transport[0]))
			return EGRET_DROP_ICMP_INNER; // an error about an error
		packet->source_port = packet->destination_port = read16(transport + ICMP_ID);
	} else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		packet->source_port = read16(transport + 2);
		packet->destination_port = read16(transport);
	}
	return EGRET_DROP_NONE;
}

static enum egret_drop parse_icmp(struct packet *packet)
{
	const uint8_t *icmp = packet->data + packet->l4;
	if (packet->bytes - packet->l4 < ICMP_BYTES)
		return EGRET_DROP_TOO_SHORT;
	packet->icmp_type = icmp[0];
	if (icmp_type_is_error(icmp[0]))
		return parse_quote(packet);
	packet->source_port = packet->destination_port = read16(icmp + ICMP_ID);
	return EGRET_DROP_NONE;
}

// A superframe that the NIC put together and verified: it will be cut again, by us or by a NIC, which
// needs a partial checksum.
static void make_partial(struct packet *packet, uint32_t field)
{
	uint32_t sum = checksum_pseudo(
		packet->source, packet->destination, packet->protocol, packet->bytes - packet->l4);
	packet->checksum = CHECKSUM_PARTIAL;
	packet->checksum_start = packet->l4;
	packet->checksum_offset = (uint16_t)field;
	write16(packet->data + packet->l4 + field, checksum_fold(sum));
}

// A partial checksum that is not the one we will rewrite (that of a tunnel's inner packet) is
// completed here; a superframe that we cannot describe is not forwarded.
static enum egret_drop check_offload(struct packet *packet)
{
	uint32_t field = packet->protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
	int is_ours = (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) &&
		packet->checksum_start == packet->l4 && packet->checksum_offset == field;
	uint8_t gso = packet->gso_type & (uint8_t)~OFFLOAD_GSO_ECN;
	if (gso == OFFLOAD_GSO_UDP) { // one datagram for the link to fragment: so it is for us
		packet->gso_type = 0;
		gso = 0;
	}
	if (tunnel_is_superframe(packet))
		return tunnel_take(packet) < 0 ? EGRET_DROP_BAD_HEADER : EGRET_DROP_NONE;
	if (packet->checksum == CHECKSUM_PARTIAL && (!is_ours || packet->is_icmp_error) &&
		(packet->checksum_start < packet->l4 || offload_complete(packet) < 0))
		return EGRET_DROP_BAD_HEADER;
	if (gso == 0)
		return EGRET_DROP_NONE;
	uint8_t protocol = gso == OFFLOAD_GSO_TCP4 ? IPPROTO_TCP : IPPROTO_UDP;
	if ((gso != OFFLOAD_GSO_TCP4 && gso != OFFLOAD_GSO_UDP_L4) || packet->gso_bytes == 0 ||
		packet->protocol != protocol || packet->is_icmp_error)
		return EGRET_DROP_BAD_HEADER;
	if (packet->checksum == CHECKSUM_COMPLETE)
		make_partial(packet, field);
	return EGRET_DROP_NONE;
}

static enum egret_drop parse_transport(struct packet *packet)
{
	const uint8_t *ip = packet_ip(packet);
	uint32_t header = ipv4_header_bytes(ip);
	packet->l4 = (uint16_t)(packet->l3 + header);
	packet->protocol = ip[IPV4_PROTOCOL];
	const uint8_t *transport = packet->data + packet->l4;
	uint32_t bytes = packet->bytes - packet->l4;
	enum egret_drop drop = EGRET_DROP_NONE;
	if (packet->protocol == IPPROTO_ICMP) {
		drop = parse_icmp(packet);
	} else if (packet->protocol == IPPROTO_UDP) {
		if (bytes < UDP_BYTES || read16(transport + UDP_LENGTH) < UDP_BYTES ||
			(read16(transport + UDP_LENGTH) > bytes && !packet->gso_type))
			return EGRET_DROP_TOO_SHORT;
	} else if (packet->protocol == IPPROTO_TCP) {
		if (bytes < TCP_BYTES_MIN || (transport[TCP_OFFSET] >> 4) * 4u > bytes)
			return EGRET_DROP_TOO_SHORT;
		if (transport[TCP_OFFSET] >> 4 < 5)
			return EGRET_DROP_BAD_HEADER;
		packet->tcp_flags = transport[TCP_FLAGS];
	}
	if (packet->protocol != IPPROTO_ICMP && !packet->is_icmp_error &&
		(packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_TCP)) {
		packet->source_port = read16(transport);
		packet->destination_port = read16(transport + 2);
	}
	return drop ? drop : check_offload(packet);
}

// Destinations that are the kernel's: this box, everybody, a group.
static int is_kernel_destination(const struct worker *worker, uint32_t destination)
{
	if (plan_address(&worker->plan, destination))
		return 0;
	return destination >> 28 == 14 || destination == UINT32_MAX ||
		plan_is_local(&worker->plan, destination);
}

static void parse_ipv4(struct worker *worker, struct packet *packet,
	const struct egret_plan_port *port, int is_broadcast)
{
	const uint8_t *ip = packet_ip(packet);
	enum egret_drop drop = check_header(ip, packet_ip_bytes(packet));
	if (drop) {
		packet_drop(packet, drop);
		return;
	}
	uint32_t source = read32(ip + IPV4_SOURCE), destination = read32(ip + IPV4_DESTINATION);
	packet->source = source;
	packet->destination = destination;
	if (is_kernel_destination(worker, destination)) {
		packet->verdict = PACKET_KERNEL;
		return;
	}
	// What follows the packet in the frame is padding.
	packet->bytes = packet->l3 + read16(ip + IPV4_TOTAL);
	drop = check_options(ip, ipv4_header_bytes(ip));
	if (is_broadcast)
		drop = EGRET_DROP_OTHER_HOST;
	else if (ipv4_is_martian(source) ||
		(packet->trial <= EGRET_TRIAL_CLIENT &&
			plan_is_own_source(&worker->plan, port->network, source)))
		drop = EGRET_DROP_MARTIAN_SOURCE;
	else if (ipv4_is_martian(destination))
		drop = EGRET_DROP_MARTIAN_DESTINATION;
	if (drop) {
		packet_drop(packet, drop);
		return;
	}
	if (read16(ip + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET)) {
		reassembly_take(worker, packet);
		if (packet->verdict != PACKET_LIVE)
			return;
	}
	drop = parse_transport(packet);
	if (drop)
		packet_drop(packet, drop);
}

static void parse_frame(struct worker *worker, struct packet *packet)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	if (packet->bytes < ETHERNET_BYTES) {
		packet_drop(packet, EGRET_DROP_TOO_SHORT);
		return;
	}
	if (!port) {
		packet_drop(packet, EGRET_DROP_NOT_FORWARDED);
		return;
	}
	const uint8_t *ethernet = packet->data;
	int is_broadcast = ethernet[ETHERNET_DESTINATION] & 1;
	if (!is_broadcast && memcmp(ethernet + ETHERNET_DESTINATION, port->mac, MAC_BYTES) != 0) {
		packet_drop(packet, EGRET_DROP_OTHER_HOST);
		return;
	}
	uint16_t type = read16(ethernet + ETHERNET_TYPE);
	packet->l3 = ETHERNET_BYTES;
	if (type == ETHERTYPE_IS_IPV4) {
		parse_ipv4(worker, packet, port, is_broadcast);
	} else if (type == ETHERTYPE_IS_ARP) {
		packet->verdict = PACKET_KERNEL;
		arp_receive(worker, packet);
	} else if (type == ETHERTYPE_IS_IPV6) {
		parse_ipv6(packet);
	} else if (is_kernel_ethertype(type)) {
		packet->verdict = PACKET_KERNEL;
	} else {
		packet_drop(packet, EGRET_DROP_NOT_IP);
	}
}

void stage_parse(struct worker *worker, struct batch *batch)
{
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++)
		__builtin_prefetch(batch->packets[i].data);
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict == PACKET_LIVE && !packet->is_generated)
			parse_frame(worker, packet);
	}
}
