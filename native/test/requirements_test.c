// SPDX-License-Identifier: Apache-2.0

// Requirements of RFC 4787, RFC 5382, RFC 5508 and RFC 7857 that no other test shows: what refreshes a
// mapping and what does not, what ICMP errors may not do, TCP mappings and simultaneous opens.
// docs/rfc/ names the rows.
#include "steps.h"

enum { SECONDS_UDP = 300 };

static struct frame *error_from_router(struct frame *about)
{
	struct frame copy = *about;
	return frame_error(
		frame_ipv4("198.51.100.7", "10.50.0.2"), ICMP_IS_UNREACHABLE, 1, &copy, 28);
}

static void seconds(uint64_t count)
{
	gateway_wait(g, count * 1000000000ull);
}

static void test_udp_refresh(void)
{
	g = gateway_make();
	struct frame *first = udp("10.1.0.2", 4000, "192.0.2.10", 53);
	uint16_t port = source_port(gateway_send(g, CLIENT_PORT, first));
	seconds(SECONDS_UDP - 1);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1,
		"RFC 4787 REQ-5: an idle UDP mapping is there for five minutes");
	uint16_t again = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	seconds(SECONDS_UDP - 1);
	tap_ok(again == port && worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1,
		"RFC 4787 REQ-6: an outbound packet refreshes it");
	gateway_send(g, RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", port));
	seconds(SECONDS_UDP - 1);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1, "and so does an inbound one");
	struct frame *sent = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	struct frame *error = error_from_router(sent);
	seconds(SECONDS_UDP - 1);
	gateway_send(g, RED_PORT, error);
	seconds(2);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0,
		"RFC 5508 REQ-6: an ICMP error does not refresh it");
	CLEAN();
	gateway_free(g);
}

static void test_icmp_query(void)
{
	g = gateway_make();
	uint16_t ids[2];
	const char *remotes[2] = {"192.0.2.10", "192.0.2.11"};
	for (int i = 0; i < 2; i++) {
		struct frame *ping = gateway_send(g, CLIENT_PORT,
			frame_echo(frame_ipv4("10.1.0.2", remotes[i]), ICMP_IS_ECHO, 77, 32));
		ids[i] = ping ? read16(frame_l4(ping) + ICMP_ID) : (uint16_t)i;
	}
	tap_ok(ids[0] == ids[1],
		"RFC 5508 REQ-1a: one outside identifier for one inside identifier");
	seconds(59);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 2,
		"RFC 5508 REQ-2: an ICMP query session is there for 60 s");
	seconds(2);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0, "and then no longer");
	CLEAN();
	gateway_free(g);
}

static void test_icmp_ends_nothing(void)
{
	for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
		g = gateway_make();
		struct frame *first = is_tcp ? tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN)
					     : udp("10.1.0.2", 4000, "192.0.2.10", 80);
		struct frame *sent = gateway_send(g, CLIENT_PORT, first);
		uint16_t port = source_port(sent);
		struct frame *error = error_from_router(sent);
		gateway_send(g, RED_PORT, error);
		struct frame *next = gateway_send(g, CLIENT_PORT,
			is_tcp ? tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN)
			       : udp("10.1.0.2", 4000, "192.0.2.10", 80));
		tap_ok(is_from(next, "10.50.0.2", "192.0.2.10") && source_port(next) == port &&
				worker_counter(EGRET_WORKER_COUNTER_SESSIONS_CREATED) == 1,
			"an ICMP error does not end a mapping: %s", is_tcp ? "TCP" : "UDP");
		CLEAN();
		gateway_free(g);
	}
}

static void test_own_errors(void)
{
	g = gateway_make();
	struct frame *error = gateway_send(
		g, CLIENT_PORT, with_ttl(udp("10.1.0.2", 4000, "192.0.2.10", 33434), 1));
	tap_ok(error && frame_ip(error)[IPV4_TOS] == 0xc0,
		"RFC 1812 §4.3.2.5: an ICMP error has the precedence of internetwork control");
	CLEAN();
	gateway_free(g);
}

static uint8_t phase(void)
{
	uint32_t cursor = 0;
	struct egret_session_row row = {.state = 255};
	egret_sessions_read(g->arena, &cursor, &row, 1);
	return row.state;
}

static void test_tcp_opens(void)
{
	g = gateway_make();
	uint16_t first = source_port(
		gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN)));
	gateway_send(g, RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", first, TCP_SYN));
	gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN | TCP_ACK));
	struct frame *back = gateway_send(
		g, RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", first, TCP_SYN | TCP_ACK));
	tap_ok(is_from(back, "192.0.2.10", "10.1.0.2") &&
			phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"RFC 5382 REQ-2: a simultaneous open");
	uint16_t second = source_port(
		gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.11", 81, TCP_SYN)));
	tap_ok(first == second, "RFC 5382 REQ-1: one outside port for one inside endpoint");
	uint16_t other = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 80)));
	tap_ok(other && worker_counter(EGRET_WORKER_COUNTER_BINDINGS) == 2,
		"RFC 7857 §5: a mapping belongs to one protocol");
	DROPPED(RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", first ^ 1, TCP_SYN), NO_SESSION,
		"RFC 5382 REQ-4: an unsolicited SYN gets no answer");
	gateway_free(g);
}

// Two clients behind one outside address, with packets of equal identification that must be cut.
static void test_fragment_ids(void)
{
	g = gateway_make();
	g->plan.ports[BLUE_PORT].mtu = 1000;
	gateway_publish(g);
	uint16_t ids[2];
	const char *clients[2] = {"10.1.0.3", "10.1.0.4"};
	for (int i = 0; i < 2; i++) {
		struct frame *big = frame_udp(frame_ipv4(clients[i], "192.0.2.10"), 4000, 53, 1400);
		struct frame *piece = gateway_send(g, CLIENT_PORT, with_id(big, 999));
		ids[i] = piece ? read16(frame_ip(piece) + IPV4_ID) : 999;
		tap_ok(g->out_count == 2 && is_from(piece, "10.60.0.2", "192.0.2.10") &&
				read16(frame_ip(g->out[1]) + IPV4_ID) == ids[i],
			"both pieces have one identification");
	}
	tap_ok(ids[0] != ids[1], "RFC 7857 §10: and two clients' fragments have different ones");
	gateway_free(g);
}

int main(void)
{
	test_udp_refresh();
	test_icmp_query();
	test_icmp_ends_nothing();
	test_own_errors();
	test_tcp_opens();
	test_fragment_ids();
	return tap_done();
}
