// SPDX-License-Identifier: Apache-2.0

// What arrives broken, for others, or in pieces: header checks, the kernel's share, ARP, fragments, every
// truncation of every kind of packet.
#include "steps.h"

static void test_kernel_and_arp(void)
{
	g = gateway_make();
	gateway_send(g, RED_PORT, udp("172.16.1.140", 179, "172.16.1.1", 179));
	tap_ok(gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_KERNEL) == 1,
		"our own: the kernel's");
	gateway_send(g, RED_PORT, udp("172.16.1.140", 179, "224.0.0.5", 179));
	struct frame *dhcp = udp("0.0.0.1", 68, "255.255.255.255", 67);
	memset(dhcp->data, 0xff, 6);
	gateway_send_raw(g, CLIENT_PORT, dhcp);
	tap_ok(gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_KERNEL) == 2 &&
			gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_KERNEL) == 1,
		"groups and broadcasts too");
	gateway_route(g, RED, "10.50.0.0", 24, GROUP_RED_LINK);
	gateway_send_raw(g, RED_PORT, arp_request("10.50.0.2"));
	struct frame *out = g->out_count ? g->out[0] : NULL;
	tap_ok(out && out->port == RED_PORT && read16(out->data + 14 + ARP_OPERATION) == 2 &&
			memcmp(out->data + 14 + ARP_SENDER_MAC, "\x02\0\0\0\0\x01", 6) == 0 &&
			read32(out->data + 14 + ARP_SENDER_ADDRESS) == address_of("10.50.0.2"),
		"ARP for a pool address on the link is answered");
	tap_ok(gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_KERNEL) == 3,
		"and still left to the kernel");
	CLEAN();
	gateway_send_raw(g, BLUE_PORT, arp_request("10.50.0.2"));
	tap_ok(g->out_count == 0, "not in another network");
	gateway_send_raw(g, BLUE_PORT, arp_request("10.60.0.2"));
	tap_ok(g->out_count == 0, "not where the pool is not on the link");
	gateway_send_raw(g, RED_PORT, arp_request("172.16.1.1"));
	tap_ok(g->out_count == 0, "not for the kernel's own address");
	struct frame *v6 = frame_new();
	write16(v6->data + ETHERNET_TYPE, ETHERTYPE_IS_IPV6);
	v6->data[14] = 0x60;
	memset(v6->data + 14 + 8, 0x20, 32);
	v6->bytes = 100;
	DROPPED(CLIENT_PORT, v6, IPV6, "IPv6 is not forwarded");
	struct frame *strange = udp("10.1.0.2", 1, "192.0.2.10", 2);
	write16(strange->data + ETHERNET_TYPE, 0x4242);
	DROPPED(CLIENT_PORT, strange, NOT_IP, "an unknown ethertype");
	struct frame *other = to_gateway(BLUE_PORT, udp("10.1.0.2", 1, "192.0.2.10", 2));
	uint64_t before = gateway_drops(g, EGRET_DROP_OTHER_HOST);
	gateway_send_raw(g, CLIENT_PORT, other);
	tap_ok(is_only_dropped(EGRET_DROP_OTHER_HOST, before), "another station's MAC address");
	gateway_free(g);
}

// Sources that are the box's own, in the network in which they are, and in another one where they are
// a host's.
static void test_own_sources(void)
{
	g->plan.locals[g->plan.plan.local_count++].address = address_of("10.1.0.255");
	gateway_publish(g);
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 1, "192.0.2.10", 2)));
	struct frame sent = *g->out[0];
	DROPPED(CLIENT_PORT, udp("10.1.0.1", 1, "192.0.2.10", 2), MARTIAN_SOURCE,
		"the box's own address");
	DROPPED(CLIENT_PORT, udp("10.1.0.255", 1, "192.0.2.10", 2), MARTIAN_SOURCE,
		"a directed broadcast address");
	DROPPED(RED_PORT, udp("172.16.1.1", 2, "10.50.0.2", port), MARTIAN_SOURCE,
		"the box's own address in a network");
	DROPPED(RED_PORT, udp("10.50.0.3", 2, "10.50.0.2", port), MARTIAN_SOURCE,
		"a gateway's address in its network");
	struct frame *error = frame_error(
		frame_ipv4("10.1.0.1", "10.60.0.2"), ICMP_IS_UNREACHABLE, 1, &sent, 28);
	tap_ok(is_from(gateway_send(g, BLUE_PORT, error), "10.1.0.1", "10.1.0.3"),
		"what is ours elsewhere is a router's of another network");
	CLEAN();
}

static void test_header_checks(void)
{
	g = gateway_make();
	struct frame *f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	frame_ip(f)[IPV4_CHECKSUM] ^= 1;
	DROPPED(CLIENT_PORT, f, BAD_CHECKSUM, "IPv4 checksum");
	f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	frame_ip(f)[0] = 0x44;
	DROPPED(CLIENT_PORT, f, BAD_HEADER, "header length under 20");
	f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	frame_ip(f)[0] = 0x65;
	DROPPED(CLIENT_PORT, f, BAD_HEADER, "version");
	f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	write16(frame_ip(f) + IPV4_TOTAL, 500);
	DROPPED(CLIENT_PORT, frame_mend_ip(f), TOO_SHORT, "total length beyond the frame");
	DROPPED(CLIENT_PORT, udp("127.0.0.1", 1, "192.0.2.10", 2), MARTIAN_SOURCE, "127/8");
	DROPPED(CLIENT_PORT, udp("224.0.0.1", 1, "192.0.2.10", 2), MARTIAN_SOURCE, "a group");
	DROPPED(CLIENT_PORT, udp("10.1.0.2", 1, "240.0.0.1", 2), MARTIAN_DESTINATION, "240/4");
	test_own_sources();
	f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	f->data[0] = 1;
	gateway_send_raw(g, CLIENT_PORT, f);
	tap_ok(gateway_drops(g, EGRET_DROP_OTHER_HOST) == 1,
		"RFC 1812 §5.3.4: a link broadcast with a unicast destination");
	f = frame_ipv4("10.1.0.2", "192.0.2.10");
	frame_ip(f)[0] = 0x46;
	memcpy(frame_ip(f) + 20, "\x83\x03\x04\x00", 4);
	f->bytes += 4;
	f = frame_udp(f, 1, 2, 8);
	DROPPED(CLIENT_PORT, f, SOURCE_ROUTE, "a loose source route");
	f = frame_ipv4("10.1.0.2", "192.0.2.10");
	frame_ip(f)[0] = 0x46;
	memcpy(frame_ip(f) + 20, "\x94\x04\x00\x00", 4);
	f->bytes += 4;
	f = frame_udp(f, 1, 2, 8);
	struct frame *out = gateway_send(g, CLIENT_PORT, f);
	tap_ok(out && memcmp(frame_ip(out) + 20, "\x94\x04\x00\x00", 4) == 0,
		"another option passes unchanged");
	CLEAN();
	f = udp("10.1.0.2", 1, "192.0.2.10", 2);
	f->bytes += 20;
	out = gateway_send(g, CLIENT_PORT, f);
	tap_ok(out && out->bytes == f->bytes - 20, "padding is not forwarded");
	f = frame_ipv4("10.1.0.2", "192.0.2.10");
	frame_append(f, 47, 8, 8);
	DROPPED(CLIENT_PORT, f, PROTOCOL, "GRE is not translated");
	gateway_free(g);
}

static void test_fragments(void)
{
	g = gateway_make();
	for (int is_reversed = 0; is_reversed < 2; is_reversed++) {
		struct frame *whole = frame_udp(
			frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 1192);
		to_gateway(CLIENT_PORT, whole);
		struct frame *one = frame_fragment(whole, 0, 600, 0);
		struct frame *two = frame_fragment(whole, 600, 600, 1);
		gateway_send(g, CLIENT_PORT, is_reversed ? two : one);
		tap_ok(g->out_count == 0 &&
				gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == 1,
			"a fragment waits");
		struct frame *out = gateway_send(g, CLIENT_PORT, is_reversed ? one : two);
		tap_ok(is_from(out, "10.50.0.2", "192.0.2.10") && out->bytes == 34 + 1200 &&
				memcmp(frame_l4(out) + 8, frame_l4(whole) + 8, 1192) == 0,
			"the whole is forwarded (%s)", is_reversed ? "out of order" : "in order");
		CLEAN();
	}
	struct frame *whole = frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 1192);
	for (int i = 0; i < 2; i++)
		gateway_send(g, CLIENT_PORT, frame_fragment(whole, 600, 600, 1));
	tap_ok(gateway_drops(g, EGRET_DROP_FRAGMENT) == 1, "a repeated fragment is dropped");
	tap_ok(is_from(gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 600, 0)), "10.50.0.2",
		       "192.0.2.10"),
		"and no more than that");
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 600, 0));
	struct frame *forged = frame_fragment(whole, 0, 600, 0);
	frame_l4(forged)[599] ^= 1;
	gateway_send(g, CLIENT_PORT, forged);
	tap_ok(g->out_count == 0 && gateway_drops(g, EGRET_DROP_FRAGMENT) == 3,
		"another one in its place: the datagram is dropped");
	whole = with_id(whole, 997);
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 600, 0));
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 592, 608, 1));
	tap_ok(g->out_count == 0 && gateway_drops(g, EGRET_DROP_FRAGMENT) == 5,
		"and so does an overlap");
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 600, 600, 1));
	tap_ok(gateway_drops(g, EGRET_DROP_FRAGMENT) == 6, "and what still comes of it");
	// As many units as the whole has, but one fragment behind its end and a gap in the middle.
	whole = with_id(frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 2392), 998);
	write16(frame_l4(whole) + UDP_LENGTH, 1800);
	write16(frame_l4(whole) + UDP_CHECKSUM, 0);
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 1800, 600, 0));
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 1200, 600, 1));
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 600, 0));
	tap_ok(g->out_count == 0 && gateway_drops(g, EGRET_DROP_FRAGMENT) == 9,
		"one behind the last one's end, too: no gap passes for a whole");
	struct frame *tiny = frame_fragment(
		with_id(tcp("10.1.0.2", 1, "192.0.2.10", 80, TCP_SYN), 999), 0, 8, 0);
	DROPPED(CLIENT_PORT, tiny, FRAGMENT, "RFC 1858: a first fragment without TCP's flags");
	for (uint16_t i = 0; i < 100; i++) {
		whole = with_id(frame_udp(frame_ipv4("10.1.0.3", "192.0.2.10"), 1, 2, 100),
			(uint16_t)(5000 + i));
		gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 48, 0));
	}
	whole = frame_udp(frame_ipv4("10.1.0.4", "192.0.2.10"), 1, 2, 100);
	gateway_send(g, CLIENT_PORT, frame_fragment(whole, 0, 48, 0));
	tap_ok(is_from(gateway_send(g, CLIENT_PORT, frame_fragment(whole, 48, 60, 1)), "10.60.0.2",
		       "192.0.2.10"),
		"a flood of one source's fragments leaves room for others");
	gateway_wait(g, 2100000000ull);
	tap_ok(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == 0,
		"after two seconds nothing waits");
	CLEAN();
	gateway_free(g);
}

// Every length of every kind of packet, both ways, with and without a matching total length.
static void test_truncations(void)
{
	g = gateway_make();
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	struct frame about = *gateway_send(
		g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN));
	uint32_t steps = 0, problems = 0;
	for (int kind = 0; kind < 8; kind++) {
		for (uint32_t bytes = 0; bytes < 120; bytes++) {
			for (int is_mended = 0; is_mended < 2; is_mended++) {
				struct frame *kinds[] = {
					frame_udp(
						frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 60),
					frame_tcp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 80, 2,
						60),
					frame_echo(frame_ipv4("10.1.0.2", "192.0.2.10"), 8, 5, 60),
					frame_error(frame_ipv4("10.9.9.9", "10.50.0.2"), 3, 1,
						&about, 40),
					frame_udp(frame_ipv4("192.0.2.10", "10.50.0.2"), 53, port,
						60),
					with_partial(frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"),
						4000, 53, 60)),
					arp_request("10.50.0.2"),
					with_gso(frame_tcp(frame_ipv4("10.1.0.2", "192.0.2.10"),
							 4000, 80, 16, 60),
						1, 20),
				};
				struct frame *f = kinds[kind];
				uint16_t at = kind == 3 || kind == 4 ? RED_PORT : CLIENT_PORT;
				if (f->bytes > bytes)
					f->bytes = bytes;
				if (is_mended && kind != 6 && f->bytes >= 34) {
					write16(frame_ip(f) + IPV4_TOTAL,
						(uint16_t)(f->bytes - 14));
					frame_mend_ip(f);
				}
				to_gateway(at, f);
				gateway_put(g, at, f);
				g->worker->now_ns = g->now_ns;
				worker_process(g->worker);
				steps++;
				problems += !gateway_is_balanced(g);
			}
		}
	}
	gateway_collect(g);
	tap_ok(problems == 0, "%u truncated frames: nothing read beyond, all balanced", steps);
	gateway_free(g);
}

int main(void)
{
	test_kernel_and_arp();
	test_header_checks();
	test_fragments();
	test_truncations();
	return tap_done();
}
