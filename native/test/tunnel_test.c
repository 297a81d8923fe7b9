// SPDX-License-Identifier: Apache-2.0

// Superframes inside a UDP tunnel: cut into segments of which every header and checksum is right.
#include "packet/offload.h"
#include "steps.h"

enum { VXLAN_BYTES = 8, VXLAN_PORT = 4789, SEGMENT = 1380 };

// A frame inside VXLAN inside UDP, as a sender hands it to its device: one segment of any size. type: of
// what is inside; a segment takes `SEGMENT` bytes of payload.
static struct frame *in_tunnel(struct frame *inside, uint8_t type, int has_checksum)
{
	uint32_t bytes = VXLAN_BYTES + inside->bytes;
	struct frame *outer = frame_udp(
		frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, VXLAN_PORT, bytes);
	uint8_t *at = frame_l4(outer) + UDP_BYTES + VXLAN_BYTES;
	int is_tcp = type == OFFLOAD_GSO_TCP4 || type == OFFLOAD_GSO_TCP6;
	uint32_t header = inside->data[ETHERNET_BYTES] >> 4 == 6 ? IPV6_BYTES : IPV4_BYTES_MIN;
	memcpy(at, inside->data, inside->bytes);
	if (has_checksum)
		frame_mend_l4(outer);
	else
		write16(frame_l4(outer) + UDP_CHECKSUM, 0);
	outer->checksum = CHECKSUM_PARTIAL;
	outer->checksum_start = (uint16_t)(at - outer->data + ETHERNET_BYTES + header);
	outer->checksum_offset = is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
	outer->gso_type = type;
	outer->gso_bytes = SEGMENT;
	return outer;
}

static struct frame *inner_tcp(uint32_t bytes)
{
	struct frame *frame = frame_tcp(frame_ipv4("10.99.0.1", "10.99.0.2"), 5001, 5002,
		TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, bytes);
	for (uint32_t i = 0; i < bytes; i++)
		frame->data[frame->bytes - bytes + i] = (uint8_t)(i * 7 + i / 251);
	return with_df(frame);
}

static const uint8_t *inner_ip(struct frame *out)
{
	return frame_l4(out) + UDP_BYTES + VXLAN_BYTES + ETHERNET_BYTES;
}

// What is wrong with the segments that left; NULL: they are the payload of `inside`, whole and in order.
static const char *segments_error(struct frame *inside, uint32_t headers)
{
	uint32_t total = inside->bytes - headers, done = 0;
	uint16_t first_id = 0;
	for (uint32_t i = 0; i < g->out_count; i++) {
		struct frame *out = g->out[i];
		const uint8_t *ip = inner_ip(out);
		uint32_t bytes = (uint32_t)(out->data + out->bytes - ip) + ETHERNET_BYTES - headers;
		int is_last = done + bytes == total;
		if (out->gso_type || out->checksum != CHECKSUM_COMPLETE)
			return "offload is left";
		if (bytes != SEGMENT && !is_last)
			return "size of a segment";
		if (memcmp(ip + headers - ETHERNET_BYTES, inside->data + headers + done, bytes))
			return "payload";
		if (read16(frame_l4(out) + UDP_LENGTH) != out->bytes - 34)
			return "length of the outer datagram";
		if (ip[0] >> 4 == 4) {
			const char *problem = quote_sums_error(ip, out->bytes);
			if (problem)
				return problem;
			first_id = i ? first_id : read16(ip + IPV4_ID);
			if (read16(ip + IPV4_ID) != (uint16_t)(first_id + i))
				return "inner identification";
		}
		done += bytes;
	}
	return done == total ? NULL : "some of the payload is missing";
}

static void test_tcp(int has_checksum)
{
	g = gateway_make();
	struct frame *inside = inner_tcp(20000);
	struct frame *out = gateway_send(
		g, CLIENT_PORT, in_tunnel(inside, OFFLOAD_GSO_TCP4, has_checksum));
	const char *problem = segments_error(inside, 54);
	tap_ok(g->out_count == 15 && is_from(out, "10.50.0.2", "192.0.2.10") && !problem,
		"TCP in a tunnel: %u segments, %s", g->out_count, problem ? problem : "whole");
	tap_ok((read16(frame_l4(out) + UDP_CHECKSUM) != 0) == has_checksum,
		"the outer checksum is there when the sender wants one: %d", has_checksum);
	int flags = 0;
	uint32_t sequence = read32(inside->data + 34 + TCP_SEQUENCE);
	for (uint32_t i = 0; i < g->out_count; i++) {
		const uint8_t *tcp = inner_ip(g->out[i]) + IPV4_BYTES_MIN;
		uint8_t wanted = TCP_ACK;
		wanted |= i == 0 ? TCP_CWR : 0;
		wanted |= i == g->out_count - 1 ? TCP_PSH | TCP_FIN : 0;
		flags += tcp[TCP_FLAGS] == wanted &&
			read32(tcp + TCP_SEQUENCE) == sequence + i * SEGMENT;
	}
	tap_ok(flags == 15, "sequence numbers and flags of each: %d of 15", flags);
	CLEAN();
	gateway_free(g);
}

static void test_udp_and_ipv6(void)
{
	g = gateway_make();
	struct frame *inside = frame_udp(frame_ipv4("10.99.0.1", "10.99.0.2"), 7, 9, 5000);
	gateway_send(g, CLIENT_PORT, in_tunnel(inside, OFFLOAD_GSO_UDP_L4, 0));
	const char *problem = segments_error(inside, 42);
	tap_ok(g->out_count == 4 && !problem, "UDP in a tunnel: %u datagrams, %s", g->out_count,
		problem ? problem : "whole");
	// The same TCP segment, with an IPv6 header in front of it.
	struct frame *four = inner_tcp(5000), *six = frame_new();
	memcpy(six->data, four->data, ETHERNET_BYTES);
	write16(six->data + ETHERNET_TYPE, ETHERTYPE_IS_IPV6);
	uint8_t *ip = six->data + ETHERNET_BYTES;
	memset(ip, 0, IPV6_BYTES);
	ip[0] = 0x60;
	write16(ip + 4, (uint16_t)(four->bytes - 34));
	ip[IPV6_NEXT_HEADER] = IPPROTO_TCP;
	ip[IPV6_SOURCE] = ip[IPV6_DESTINATION] = 0xfd;
	ip[IPV6_DESTINATION + 15] = 1;
	memcpy(ip + IPV6_BYTES, four->data + 34, four->bytes - 34);
	six->bytes = four->bytes + IPV6_BYTES - IPV4_BYTES_MIN;
	gateway_send(g, CLIENT_PORT, in_tunnel(six, OFFLOAD_GSO_TCP6, 1));
	problem = segments_error(six, 74);
	uint32_t right = 0;
	for (uint32_t i = 0; i < g->out_count; i++) {
		const uint8_t *at = inner_ip(g->out[i]);
		uint32_t bytes = read16(at + 4);
		uint64_t sum = checksum_sum(at + IPV6_SOURCE, 32) + (uint64_t)IPPROTO_TCP + bytes +
			checksum_sum(at + IPV6_BYTES, bytes);
		right += checksum_fold(sum) == 0xffff &&
			bytes == g->out[i]->bytes - (uint32_t)(at - g->out[i]->data) - IPV6_BYTES;
	}
	tap_ok(g->out_count == 4 && right == 4 && !problem, "IPv6 inside: %u of 4 segments, %s",
		right, problem ? problem : "whole");
	CLEAN();
	gateway_free(g);
}

static void test_small_link(void)
{
	g = gateway_make();
	g->plan.ports[RED_PORT].mtu = 1200;
	gateway_publish(g);
	struct frame *inside = inner_tcp(20000);
	struct frame *out = gateway_send(
		g, CLIENT_PORT, with_df(in_tunnel(inside, OFFLOAD_GSO_TCP4, 0)));
	tap_ok(is_from(out, "10.1.0.1", "10.1.0.2") && g->out_count == 1 &&
			read16(frame_l4(out) + 6) == 1200,
		"segments that are too large are answered with the MTU");
	gateway_send(g, CLIENT_PORT, in_tunnel(inside, OFFLOAD_GSO_TCP4, 0));
	tap_ok(g->out_count == 29, "without DF each is cut: %u fragments", g->out_count);
	CLEAN();
	gateway_free(g);
}

static void test_damaged(void)
{
	g = gateway_make();
	for (int damage = 0; damage < 5; damage++) {
		struct frame *frame = in_tunnel(inner_tcp(20000), OFFLOAD_GSO_TCP4, 0);
		uint8_t *inner = frame_l4(frame) + UDP_BYTES + VXLAN_BYTES + ETHERNET_BYTES;
		if (damage == 0)
			inner[0] = 0x55;
		if (damage == 1)
			write16(inner + IPV4_TOTAL, 99);
		if (damage == 2)
			frame->gso_bytes = 0;
		if (damage == 3)
			frame->checksum_start = (uint16_t)(frame->bytes - 3);
		if (damage == 4)
			inner[IPV4_BYTES_MIN + TCP_OFFSET] = 0x10;
		DROPPED(CLIENT_PORT, frame, BAD_HEADER, "a damaged one is dropped");
	}
	CLEAN();
	gateway_free(g);
}

int main(void)
{
	test_tcp(0);
	test_tcp(1);
	test_udp_and_ipv6();
	test_small_link();
	test_damaged();
	return tap_done();
}
