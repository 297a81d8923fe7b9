// SPDX-License-Identifier: Apache-2.0

// Incremental checksums against full ones (RFC 1071, RFC 1624), on random and on nasty values.
#include "arena_fixture.h"
#include "packet/rewrite.h"
#include "tap.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>
#include <string.h>

static uint64_t seed = 0x1234567;

// RFC 1071 §4.1, word by word.
static uint16_t slow_sum(const uint8_t *bytes, uint32_t n)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void test_sum(void)
{
	uint8_t bytes[1600];
	uint32_t wrong = 0;
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t n = fixture_random(&seed) % 1500, skip = fixture_random(&seed) % 9;
		for (uint32_t i = 0; i < n; i++)
			bytes[skip + i] = round % 3 ? (uint8_t)fixture_random(&seed) : 0xff;
		wrong += checksum_sum(bytes + skip, n) != slow_sum(bytes + skip, n);
	}
	tap_ok(wrong == 0, "sums of any length and alignment are RFC 1071's");
}

static void test_updates(void)
{
	static const uint16_t nasty[] = {0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff};
	uint32_t wrong = 0;
	for (uint32_t round = 0; round < 200000; round++) {
		uint16_t words[4];
		for (uint32_t i = 0; i < 4; i++)
			words[i] = fixture_random(&seed) % 2 ? nasty[fixture_random(&seed) % 6]
							     : (uint16_t)fixture_random(&seed);
		words[3] |= 0x0800; // a protocol, a version: never all zero
		uint16_t before = (uint16_t)~checksum_fold(
			(uint64_t)words[0] + words[1] + words[2] + words[3]);
		uint32_t old = (uint32_t)words[0] << 16 | words[1];
		uint32_t new = round % 2 ? fixture_random(&seed) : 0xffffffff;
		uint16_t after = (uint16_t)~checksum_fold(
			(uint64_t)(new >> 16) + (new & 0xffff) + words[2] + words[3]);
		wrong += checksum_update32(before, old, new) != after;
		uint16_t partial = checksum_update_partial((uint16_t)~before, old, new);
		wrong += (uint32_t)partial + after != 0xffff;
		uint16_t half = (uint16_t)~checksum_fold(
			(uint64_t)(new & 0xffff) + words[1] + words[2] + words[3]);
		wrong += checksum_update16(before, words[0], (uint16_t) new) != half;
	}
	tap_ok(wrong == 0, "RFC 1624 eqn. 3 gives what a full sum gives");
}

static uint16_t full_udp(uint8_t *ip)
{
	uint8_t *udp = ip + 20;
	uint16_t bytes = read16(udp + UDP_LENGTH), kept = read16(udp + UDP_CHECKSUM);
	write16(udp + UDP_CHECKSUM, 0);
	uint64_t sum = checksum_pseudo(
		read32(ip + IPV4_SOURCE), read32(ip + IPV4_DESTINATION), IPPROTO_UDP, bytes);
	uint16_t field = (uint16_t)~checksum_fold(sum + checksum_sum(udp, bytes));
	write16(udp + UDP_CHECKSUM, kept);
	return field ? field : 0xffff;
}

static void test_endpoints(void)
{
	uint32_t wrong = 0, zeros = 0;
	for (uint32_t round = 0; round < 200000; round++) {
		uint8_t ip[30] = {0x45, 0, 0, 30, 0, 0, 0, 0, 64, IPPROTO_UDP};
		for (uint32_t i = 12; i < 30; i++)
			ip[i] = (uint8_t)fixture_random(&seed);
		write16(ip + 20 + UDP_LENGTH, 10);
		rewrite_header_checksum(ip);
		write16(ip + 20 + UDP_CHECKSUM, full_udp(ip));
		rewrite_endpoint(ip, 30, round & 1, fixture_random(&seed),
			(uint16_t)fixture_random(&seed), CHECKSUM_COMPLETE);
		// Drive the sum onto zero now and then: its field must become 0xffff.
		uint16_t word = read16(ip + 20);
		if (round % 4 == 0) {
			uint16_t field = read16(ip + 20 + UDP_CHECKSUM);
			rewrite_endpoint(ip, 30, 1, read32(ip + IPV4_SOURCE),
				checksum_fold((uint64_t)word + field), CHECKSUM_COMPLETE);
			zeros += read16(ip + 20 + UDP_CHECKSUM) == 0xffff;
		}
		wrong += read16(ip + 20 + UDP_CHECKSUM) != full_udp(ip);
		wrong += checksum_sum(ip, 20) != 0xffff;
	}
	tap_ok(wrong == 0 && zeros > 1000, "rewritten endpoints, %u of them with a UDP sum of zero",
		zeros);
}

static void test_short_quotes(void)
{
	for (uint32_t bytes = 20; bytes < 44; bytes++) {
		uint8_t *ip = malloc(bytes); // ASan watches its end
		memset(ip, 0, bytes);
		ip[0] = 0x45;
		ip[IPV4_PROTOCOL] = IPPROTO_TCP;
		rewrite_endpoint(ip, bytes, 1, 0x0a000001, 1234, CHECKSUM_COMPLETE);
		free(ip);
	}
	tap_ok(1, "a quote of any length is not read beyond");
}

int main(void)
{
	test_sum();
	test_updates();
	test_endpoints();
	test_short_quotes();
	return tap_done();
}
