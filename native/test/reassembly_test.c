// SPDX-License-Identifier: Apache-2.0

// Who gets the room in which fragments wait, while others flood it, and how fragments that are made here
// are numbered. What makes a whole of fragments is in parse_test.c.
#include "pipeline/reassembly.h"
#include "steps.h"

enum { FLOOD = 4 * REASSEMBLY_DATAGRAMS };

static struct frame *large(
	const char *source, uint16_t sport, const char *destination, uint16_t dport, uint16_t id)
{
	return with_id(frame_udp(frame_ipv4(source, destination), sport, dport, 1192), id);
}

// A session of a client with 192.0.2.10, port 53. Returns its port outside.
static uint16_t session_of(const char *client)
{
	return source_port(gateway_send(g, CLIENT_PORT, udp(client, 4000, "192.0.2.10", 53)));
}

// First fragments from sources that exist nowhere, for a pool address.
static void flood_from_outside(uint16_t port, const char *pool)
{
	char source[32];
	for (int i = 0; i < FLOOD; i++) {
		snprintf(source, sizeof source, "192.0.2.%d", 100 + i % 150);
		gateway_send(
			g, port, frame_fragment(large(source, 9, pool, 9, (uint16_t)i), 0, 600, 0));
	}
}

// A datagram in two fragments: 1 when it arrived whole.
static int passes(uint16_t port, struct frame *whole)
{
	gateway_send(g, port, frame_fragment(whole, 0, 600, 0));
	struct frame *out = gateway_send(g, port, frame_fragment(whole, 600, 600, 1));
	return out && out->bytes == 34 + 1200;
}

static void test_flood_from_a_network(void)
{
	g = gateway_make();
	uint16_t red = session_of("10.1.0.2"), blue = session_of("10.1.0.3");
	flood_from_outside(RED_PORT, "10.50.0.2");
	tap_ok(gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_HELD) == REASSEMBLY_DATAGRAMS,
		"a flood takes all the room that no other asks for");
	int count = 0;
	for (uint16_t i = 0; i < 100; i++)
		count += passes(CLIENT_PORT, large("10.1.0.3", 4000, "192.0.2.10", 53, i));
	tap_ok(count == 100, "clients' fragments pass: %d of 100", count);
	for (uint16_t i = count = 0; i < 100; i++)
		count += passes(BLUE_PORT, large("192.0.2.10", 53, "10.60.0.2", blue, i));
	tap_ok(count == 100, "and those of sessions in another network: %d of 100", count);
	flood_from_outside(RED_PORT, "10.50.0.2");
	for (uint16_t i = count = 0; i < 100; i++)
		count += passes(RED_PORT, large("192.0.2.10", 53, "10.50.0.2", red, i));
	tap_ok(count == 100, "and those of sessions in the same one: %d of 100", count);
	CLEAN();
	gateway_free(g);
}

// The first fragment comes last: until then nothing distinguishes a datagram from the flood's.
static void test_reversed(void)
{
	g = gateway_make();
	uint16_t blue = session_of("10.1.0.3");
	flood_from_outside(RED_PORT, "10.50.0.2");
	int count = 0;
	for (uint16_t i = 0; i < 20; i++) {
		struct frame *whole = large("192.0.2.10", 53, "10.60.0.2", blue, i);
		gateway_send(g, BLUE_PORT, frame_fragment(whole, 600, 600, 1));
		struct frame *out = gateway_send(g, BLUE_PORT, frame_fragment(whole, 0, 600, 0));
		count += out && out->bytes == 34 + 1200;
	}
	tap_ok(count == 20, "last fragments first: %d of 20 pass", count);
	gateway_free(g);
}

static void test_flood_of_a_client(void)
{
	g = gateway_make();
	g->plan.clients[0].prefix = address_of("10.1.0.128"); // 10.1.0.2 owns a /25 now
	g->plan.clients[0].prefix_length = 25;
	gateway_publish(g);
	uint16_t blue = session_of("10.1.0.3");
	char source[32];
	for (int i = 0; i < FLOOD; i++) {
		snprintf(source, sizeof source, "10.1.0.%d", 128 + i % 127);
		gateway_send(g, CLIENT_PORT,
			frame_fragment(large(source, 9, "192.0.2.10", 9, (uint16_t)i), 0, 600, 0));
	}
	tap_ok(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == REASSEMBLY_DATAGRAMS,
		"one client takes all the room that no other asks for");
	int count = 0;
	for (uint16_t i = 0; i < 100; i++)
		count += passes(CLIENT_PORT, large("10.1.0.3", 4000, "192.0.2.10", 53, i));
	tap_ok(count == 100, "another client's fragments pass: %d of 100", count);
	for (uint16_t i = count = 0; i < 100; i++)
		count += passes(BLUE_PORT, large("192.0.2.10", 53, "10.60.0.2", blue, i));
	tap_ok(count == 100, "and a network's: %d of 100", count);
	CLEAN();
	gateway_wait(g, 2100000000ull);
	tap_ok(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == 0,
		"after two seconds nothing waits");
	gateway_free(g);
}

// Fragments of one datagram by two uplinks of a network are one datagram.
static void test_two_uplinks(void)
{
	g = gateway_make();
	g->plan.ports[OFFICE_PORT].role = EGRET_ROLE_NETWORKS;
	g->plan.ports[OFFICE_PORT].network = RED;
	gateway_publish(g);
	uint16_t red = session_of("10.1.0.2");
	struct frame *whole = large("192.0.2.10", 53, "10.50.0.2", red, 77);
	gateway_send(g, RED_PORT, frame_fragment(whole, 0, 600, 0));
	struct frame *out = gateway_send(g, OFFICE_PORT, frame_fragment(whole, 600, 600, 1));
	tap_ok(out && out->bytes == 34 + 1200, "halves by two uplinks make a whole");
	whole = with_id(whole, 78);
	gateway_send(g, RED_PORT, frame_fragment(whole, 0, 600, 0));
	out = gateway_send(g, BLUE_PORT, frame_fragment(whole, 600, 600, 1));
	tap_ok(!out, "one of another network does not");
	gateway_wait(g, 2100000000ull);
	CLEAN();
	gateway_free(g);
}

// The identification of a client's datagram that is cut here.
static uint16_t id_of_cut(const char *client, const char *remote)
{
	struct frame *out = gateway_send(
		g, CLIENT_PORT, frame_udp(frame_ipv4(client, remote), 4000, 53, 1192));
	return out ? read16(frame_ip(out) + IPV4_ID) : 0;
}

static void test_identifications(void)
{
	g = gateway_make();
	g->plan.ports[RED_PORT].mtu = g->plan.ports[BLUE_PORT].mtu = 600;
	gateway_publish(g);
	int steps = 0, close = 0;
	for (int i = 0; i < 50; i++) {
		uint16_t red = id_of_cut("10.1.0.2", "192.0.2.10");
		uint16_t blue = id_of_cut("10.1.0.3", "192.0.2.10");
		uint16_t again = id_of_cut("10.1.0.2", "192.0.2.10");
		steps += (uint16_t)(again - red) == 1;
		close += (uint16_t)(blue - red) <= 2;
	}
	tap_ok(steps == 50, "a pair of addresses counts by itself: %d of 50", steps);
	tap_ok(close <= 1, "and another pair is nowhere near: %d of 50", close);
	gateway_free(g);
}

int main(void)
{
	test_flood_from_a_network();
	test_reversed();
	test_flood_of_a_client();
	test_two_uplinks();
	test_identifications();
	return tap_done();
}
