// SPDX-License-Identifier: Apache-2.0

// The Internet checksum: RFC 1071 sums, RFC 1624 updates, and partial sums that a NIC completes.
//
// Sums are of 16-bit words in host order as read from big-endian bytes, kept in 32 or 64 bits and
// folded at the end. A field on the wire holds the complement of the sum; a partial field
// (CHECKSUM_PARTIAL) holds the sum itself, of the pseudo-header alone.
#pragma once
#include <stdint.h>
#include <string.h>

static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// RFC 1071 §2: the folded sum of bytes, an odd one padded with zero. Not complemented.
// Sums in memory order, 8 bytes at a time, and swaps once: the sum does not mind (RFC 1071 §2B).
static inline uint16_t checksum_sum(const uint8_t *bytes, uint32_t n)
{
	uint64_t sum = 0;
	for (; n >= 8; n -= 8, bytes += 8) {
		uint64_t word;
		memcpy(&word, bytes, 8);
		sum += word;
		sum += sum < word;
	}
	uint64_t tail = 0;
	memcpy(&tail, bytes, n);
	sum += tail;
	sum += sum < tail;
	return __builtin_bswap16(checksum_fold(sum));
}

// The sum of the pseudo-header of UDP and TCP (RFC 768, RFC 9293 §3.1), not folded.
static inline uint32_t checksum_pseudo(
	uint32_t source, uint32_t destination, uint8_t protocol, uint32_t bytes)
{
	return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) +
		protocol + (bytes >> 16) + (bytes & 0xffff);
}

// RFC 1624 eqn. 3: the field after a 16-bit word changed from `old` to `new`.
static inline uint16_t checksum_update16(uint16_t field, uint16_t old, uint16_t new)
{
	return (uint16_t)~checksum_fold((uint64_t)(uint16_t)~field + (uint16_t)~old + new);
}

static inline uint16_t checksum_update32(uint16_t field, uint32_t old, uint32_t new)
{
	return (uint16_t)~checksum_fold((uint64_t)(uint16_t)~field + (uint16_t) ~(old >> 16) +
		(uint16_t)~old + (new >> 16) + (new & 0xffff));
}

// A partial field after an address of the pseudo-header changed: a sum, not its complement.
static inline uint16_t checksum_update_partial(uint16_t field, uint32_t old, uint32_t new)
{
	return checksum_fold((uint64_t)field + (uint16_t) ~(old >> 16) + (uint16_t)~old +
		(new >> 16) + (new & 0xffff));
}
