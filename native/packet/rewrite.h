// SPDX-License-Identifier: Apache-2.0

// Changes of a packet's endpoints, with their checksums (RFC 1624), on whole packets and on the
// headers that ICMP errors quote.
#pragma once
#include "packet/packet.h"

#include <stdint.h>

// Replaces source or destination (address, and port or ICMP query id) of an IPv4 packet. `bytes` is
// what there is of it: of a quoted packet perhaps 8 bytes after the header. What is not there is not
// touched. A UDP checksum of 0 stays 0, and no other becomes 0.
// checksum: whether the transport checksum is complete or that of the pseudo-header alone.
void rewrite_endpoint(uint8_t *ip, uint32_t bytes, int is_source, uint32_t address, uint16_t port,
	enum packet_checksum checksum);
// Sets the TTL of an IPv4 header.
void rewrite_ttl(uint8_t *ip, uint8_t ttl);
// Computes the header checksum of an IPv4 header in full.
void rewrite_header_checksum(uint8_t *ip);
// Writes length and checksum of a UDP datagram of `bytes` behind an IPv4 header.
void rewrite_datagram(const uint8_t *ip, uint8_t *udp, uint32_t bytes);
