// SPDX-License-Identifier: Apache-2.0

// Headers as on the wire: offsets and values, read and written byte by byte (nothing is aligned).
//
// RFC 791, 792, 768, 9293, 826, and IEEE 802.3. Values are in host order once read.
#pragma once
#include <stdint.h>

enum {
	ETHERNET_BYTES = 14,
	ETHERNET_DESTINATION = 0,
	ETHERNET_SOURCE = 6,
	ETHERNET_TYPE = 12,
	MAC_BYTES = 6,

	ETHERTYPE_IS_IPV4 = 0x0800,
	ETHERTYPE_IS_ARP = 0x0806,
	ETHERTYPE_IS_VLAN = 0x8100,
	ETHERTYPE_IS_IPV6 = 0x86dd,
	ETHERTYPE_IS_SLOW = 0x8809, // LACP
	ETHERTYPE_IS_EAPOL = 0x888e,
	ETHERTYPE_IS_QINQ = 0x88a8,
	ETHERTYPE_IS_LLDP = 0x88cc,
	ETHERTYPE_MIN = 0x0600, // below: a length (IEEE 802.3)

	ARP_BYTES = 28,
	ARP_OPERATION = 6,
	ARP_SENDER_MAC = 8,
	ARP_SENDER_ADDRESS = 14,
	ARP_TARGET_MAC = 18,
	ARP_TARGET_ADDRESS = 24,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,

	IPV4_BYTES_MIN = 20,
	IPV4_BYTES_MAX = 60,
	IPV4_TOS = 1,
	IPV4_TOTAL = 2,
	IPV4_ID = 4,
	IPV4_FRAGMENT = 6,
	IPV4_TTL = 8,
	IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10,
	IPV4_SOURCE = 12,
	IPV4_DESTINATION = 16,
	IPV4_DF = 0x4000,
	IPV4_MF = 0x2000,
	IPV4_OFFSET = 0x1fff, // in units of 8 bytes
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_COPIED = 0x80, // RFC 791 §3.1: copied into fragments
	IPV4_OPTION_LSRR = 131,
	IPV4_OPTION_SSRR = 137,

	IPV6_BYTES = 40,
	IPV6_NEXT_HEADER = 6,
	IPV6_SOURCE = 8,
	IPV6_DESTINATION = 24,
	IPV6_IS_ICMP = 58,

	UDP_BYTES = 8,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,

	TCP_BYTES_MIN = 20,
	TCP_SEQUENCE = 4,
	TCP_ACKNOWLEDGMENT = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,

	ICMP_BYTES = 8,
	ICMP_CODE = 1,
	ICMP_CHECKSUM = 2,
	ICMP_ID = 4,
	ICMP_NEXT_HOP_MTU = 6,
	ICMP_IS_ECHO_REPLY = 0,
	ICMP_IS_UNREACHABLE = 3,
	ICMP_IS_QUENCH = 4,
	ICMP_IS_REDIRECT = 5,
	ICMP_IS_ECHO = 8,
	ICMP_IS_TIME_EXCEEDED = 11,
	ICMP_IS_PARAMETER = 12,

	// Codes of ICMP unreachable (RFC 792, RFC 1812 §5.2.7.1).
	UNREACHABLE_NETWORK = 0,
	UNREACHABLE_HOST = 1,
	UNREACHABLE_TOO_BIG = 4,
	UNREACHABLE_PROHIBITED = 13,
};

static inline uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void write32(uint8_t *at, uint32_t value)
{
	write16(at, (uint16_t)(value >> 16));
	write16(at + 2, (uint16_t)value);
}

// Length of an IPv4 header, as its first byte says.
static inline uint32_t ipv4_header_bytes(const uint8_t *ip)
{
	return (ip[0] & 0x0fu) * 4;
}

// RFC 1812 §5.3.7: no host has such an address, and nothing is forwarded to it.
static inline int ipv4_is_martian(uint32_t address)
{
	return address >> 24 == 0 || address >> 24 == 127 || address >> 28 >= 14;
}

static inline int icmp_type_is_error(uint8_t type)
{
	return type == ICMP_IS_UNREACHABLE || type == ICMP_IS_QUENCH || type == ICMP_IS_REDIRECT ||
		type == ICMP_IS_TIME_EXCEEDED || type == ICMP_IS_PARAMETER;
}

// RFC 5508 REQ-9 and REQ-10: what is translated. Source quench is dead (RFC 6633), and a redirect is
// for its own link.
static inline int icmp_type_is_translated(uint8_t type)
{
	return type == ICMP_IS_UNREACHABLE || type == ICMP_IS_TIME_EXCEEDED ||
		type == ICMP_IS_PARAMETER;
}
