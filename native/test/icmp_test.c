// SPDX-License-Identifier: Apache-2.0

// ICMP: queries by id, errors that pass through, errors of our own, and path MTU.
#include "steps.h"

static void test_icmp_queries_and_errors(void)
{
	g = gateway_make();
	struct frame *out = gateway_send(g, CLIENT_PORT,
		frame_echo(frame_ipv4("10.1.0.2", "192.0.2.10"), ICMP_IS_ECHO, 77, 56));
	tap_ok(is_from(out, "10.50.0.2", "192.0.2.10"), "a ping leaves");
	uint16_t id = out ? read16(frame_l4(out) + ICMP_ID) : 0;
	struct frame *back = gateway_send(g, RED_PORT,
		frame_echo(frame_ipv4("192.0.2.10", "10.50.0.2"), ICMP_IS_ECHO_REPLY, id, 56));
	tap_ok(is_from(back, "192.0.2.10", "10.1.0.2") && read16(frame_l4(back) + ICMP_ID) == 77,
		"its answer comes back with the id it left with");
	CLEAN();
	for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
		struct frame *sent = gateway_send(g, CLIENT_PORT,
			is_tcp ? tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN)
			       : udp("10.1.0.2", 4000, "192.0.2.10", 53));
		struct frame copy = *sent;
		uint32_t sizes[] = {28, copy.bytes - ETHERNET_BYTES};
		for (uint32_t i = 0; i < 2; i++) {
			back = gateway_send(g, RED_PORT,
				frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"),
					ICMP_IS_UNREACHABLE, 1, &copy, sizes[i]));
			uint8_t *inner = back ? frame_l4(back) + ICMP_BYTES : NULL;
			tap_ok(is_from(back, "198.51.100.7", "10.1.0.2") &&
					read32(inner + IPV4_SOURCE) == address_of("10.1.0.2") &&
					read16(inner + 20) == 4000,
				"%s: an error from a router on the way, %u bytes quoted",
				is_tcp ? "TCP" : "UDP", sizes[i]);
			CLEAN();
		}
		DROPPED(BLUE_PORT,
			frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"), 3, 1, &copy, 28),
			WRONG_NETWORK, "an error from the other network");
		frame_ip(&copy)[IPV4_CHECKSUM] ^= 1;
		DROPPED(RED_PORT,
			frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"), 3, 1, &copy, 28),
			ICMP_INNER, "a quote with a wrong header checksum");
	}
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4100, "192.0.2.10", 53)));
	struct frame delivered = *gateway_send(
		g, RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", port));
	struct frame *error = gateway_send(g, CLIENT_PORT,
		frame_error(frame_ipv4("10.1.0.2", "192.0.2.10"), ICMP_IS_UNREACHABLE, 3,
			&delivered, delivered.bytes - ETHERNET_BYTES));
	uint8_t *inner = error ? frame_l4(error) + ICMP_BYTES : NULL;
	tap_ok(is_from(error, "10.50.0.2", "192.0.2.10") && error->port == RED_PORT &&
			read32(inner + IPV4_DESTINATION) == address_of("10.50.0.2") &&
			read16(inner + 22) == port,
		"an error from inside leaves as the gateway's (RFC 5508 REQ-5)");
	CLEAN();
	struct frame *unrelated = udp("10.50.0.2", 9, "192.0.2.10", 9);
	DROPPED(RED_PORT, frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"), 3, 1, unrelated, 28),
		ICMP_INNER, "an error about nothing of ours");
	DROPPED(RED_PORT, frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"), 5, 1, unrelated, 28),
		ICMP_TYPE, "a redirect");
	struct frame *nested = frame_error(
		frame_ipv4("10.50.0.2", "192.0.2.10"), 3, 1, unrelated, 28);
	DROPPED(RED_PORT, frame_error(frame_ipv4("198.51.100.7", "10.50.0.2"), 3, 1, nested, 56),
		ICMP_INNER, "an error about an error");
	DROPPED(CLIENT_PORT, frame_echo(frame_ipv4("10.1.0.2", "192.0.2.10"), 13, 1, 12), ICMP_TYPE,
		"an ICMP type that is not translated");
	gateway_free(g);
}

// An error that quotes a packet which the client did get, but that is sent to another address.
static void test_errors_for_others(void)
{
	g = gateway_make();
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4100, "192.0.2.10", 53)));
	struct frame quoted = *gateway_send(g, RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", port));
	static const char *const others[] = {"192.0.2.11", "203.0.113.1", "10.9.0.9"};
	for (uint32_t i = 0; i < 3; i++)
		DROPPED(CLIENT_PORT,
			frame_error(frame_ipv4("10.1.0.2", others[i]), ICMP_IS_UNREACHABLE, 3,
				&quoted, 28),
			ICMP_INNER, "an error from inside to another than the quoted sender");
	struct frame *answer = udp("10.9.0.9", 53, "10.1.0.2", 4100);
	struct frame untranslated = *answer;
	struct frame *error = gateway_send(g, CLIENT_PORT,
		frame_error(frame_ipv4("10.1.0.2", "10.9.0.9"), ICMP_IS_UNREACHABLE, 3,
			&untranslated, 28));
	tap_ok(is_from(error, "10.1.0.2", "10.9.0.9") && error->port == OFFICE_PORT,
		"one about a packet without translation passes as it is");
	DROPPED(CLIENT_PORT,
		frame_error(frame_ipv4("10.1.0.2", "10.1.0.3"), ICMP_IS_UNREACHABLE, 3,
			&untranslated, 28),
		ICMP_INNER, "and not to another client");
	CLEAN();
	gateway_free(g);
}

static void test_ttl_and_arrival_address(void)
{
	g = gateway_make();
	struct frame *probe = with_ttl(udp("10.1.0.2", 4000, "192.0.2.10", 33434), 1);
	struct frame *error = gateway_send(g, CLIENT_PORT, probe);
	tap_ok(is_from(error, "10.1.0.1", "10.1.0.2") && error->port == CLIENT_PORT &&
			frame_l4(error)[0] == ICMP_IS_TIME_EXCEEDED &&
			memcmp(frame_l4(error) + 8, frame_ip(probe), 28) == 0,
		"a traceroute sees the arrival interface's address, and its own packet");
	tap_ok(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_GENERATED) == 1 &&
			worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0,
		"counted as generated, and no session was made");
	CLEAN();
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 33434)));
	error = gateway_send(g, RED_PORT, with_ttl(udp("192.0.2.10", 33434, "10.50.0.2", port), 1));
	tap_ok(is_from(error, "172.16.1.1", "192.0.2.10") && error->port == RED_PORT,
		"and so does one from a network");
	CLEAN();
	for (int i = 0; i < 30; i++)
		gateway_send(g, CLIENT_PORT, with_ttl(udp("10.1.0.2", 4000, "192.0.2.10", 1), 1));
	uint64_t sent = gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_GENERATED);
	uint64_t limited = gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_ICMP_LIMITED);
	tap_ok(sent <= 11 && sent >= 8 && sent + limited == 31,
		"RFC 1812 §4.3.2.8: ten a second (%u sent, %u not)", (unsigned)sent,
		(unsigned)limited);
	gateway_send(g, CLIENT_PORT, with_ttl(udp("10.1.0.2", 4001, "192.0.2.10", 1), 1));
	tap_ok(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_GENERATED) == sent + 1,
		"a flow's first error is sent at once");
	for (uint16_t i = 0; i < 30; i++)
		gateway_send(
			g, CLIENT_PORT, with_ttl(udp("10.1.0.2", 5000 + i, "192.0.2.10", 1), 1));
	sent = gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_GENERATED);
	tap_ok(sent >= 13 && sent <= 16, "and all of them get no more than the reserve (%u sent)",
		(unsigned)sent);
	gateway_free(g);
}

// Probes with forged sources from one network: none of them has a session.
static uint32_t forged_probes(uint32_t rounds)
{
	uint64_t before = gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_GENERATED);
	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t host = 1; host < 255; host++) {
			char source[16];
			snprintf(source, sizeof source, "192.0.2.%u", host);
			gateway_send(g, RED_PORT, with_ttl(udp(source, 1, "10.50.0.2", 33434), 1));
		}
	}
	return (uint32_t)(gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_GENERATED) - before);
}

static void test_limit_of_the_box(void)
{
	g = gateway_make();
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	uint32_t sent = forged_probes(10);
	tap_ok(sent >= 850 && sent <= 1150,
		"RFC 1812 §4.3.2.8: a hundred times an address's limit for the box (%u of 2540)",
		sent);
	struct frame *error = gateway_send(
		g, CLIENT_PORT, with_ttl(udp("10.1.0.4", 4000, "192.0.2.10", 53), 1));
	tap_ok(!error, "then a client without sessions waits like the others");
	error = gateway_send(g, CLIENT_PORT, with_ttl(udp("10.1.0.3", 4000, "192.0.2.10", 53), 1));
	tap_ok(is_from(error, "10.1.0.1", "10.1.0.3"),
		"and a client of the other network that has some gets its error at once");
	CLEAN();
	uint32_t told = 0;
	sent = 0;
	for (uint32_t tenth = 0; tenth < 50; tenth++) {
		gateway_wait(g, 100000000);
		sent += forged_probes(2);
		told += gateway_send(g, CLIENT_PORT,
				with_ttl(udp("10.1.0.3", 4000, "192.0.2.10", 53), 1)) != NULL;
	}
	tap_ok(told == 50, "each time, in five seconds of such a flood (%u of 50)", told);
	tap_ok(sent > 4000 && sent < 6000, "which gets the rate and no more (%u of 25400)", sent);
	CLEAN();
	gateway_free(g);
}

static void test_mtu(void)
{
	g = gateway_make();
	g->plan.ports[RED_PORT].mtu = 1000;
	gateway_publish(g);
	struct frame *big = frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 1400);
	struct frame *error = gateway_send(g, CLIENT_PORT, with_df(big));
	tap_ok(is_from(error, "10.1.0.1", "10.1.0.2") && frame_l4(error)[0] == 3 &&
			frame_l4(error)[1] == 4 && read16(frame_l4(error) + 6) == 1000 &&
			error->bytes <= ETHERNET_BYTES + 576,
		"RFC 1191: DF and too big: the next hop's MTU");
	CLEAN();
	gateway_send(
		g, CLIENT_PORT, frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 1400));
	uint32_t first = g->out_count ? read16(frame_ip(g->out[0]) + IPV4_FRAGMENT) : 0;
	tap_ok(g->out_count == 2 && first == IPV4_MF && g->out[0]->bytes <= 1014 &&
			(g->out[0]->bytes - 34) % 8 == 0 &&
			read16(frame_ip(g->out[1]) + IPV4_FRAGMENT) == (g->out[0]->bytes - 34) / 8,
		"without DF: two fragments, in order");
	tap_ok(g->out_count == 2 && g->out[0]->bytes + g->out[1]->bytes == 2 * 34 + 8 + 1400 &&
			frame_l4(g->out[1])[10] ==
				(uint8_t)((g->out[0]->bytes - 34 - 8 + 10) * 7 + 3),
		"and nothing is lost between them");
	CLEAN();
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	g->plan.ports[CLIENT_PORT].mtu = 600;
	gateway_publish(g);
	error = gateway_send(g, RED_PORT,
		with_df(frame_udp(frame_ipv4("192.0.2.10", "10.50.0.2"), 53, port, 900)));
	tap_ok(is_from(error, "172.16.1.1", "192.0.2.10") && read16(frame_l4(error) + 6) == 600 &&
			read32(frame_l4(error) + 8 + IPV4_DESTINATION) == address_of("10.50.0.2"),
		"the other way round, quoting what was sent");
	CLEAN();
	gateway_free(g);
}

int main(void)
{
	test_icmp_queries_and_errors();
	test_errors_for_others();
	test_ttl_and_arrival_address();
	test_limit_of_the_box();
	test_mtu();
	return tap_done();
}
