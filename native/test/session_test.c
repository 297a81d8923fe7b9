// SPDX-License-Identifier: Apache-2.0

// Sessions: mapping, filtering, limits, the states of TCP, and that ports are used again.
#include "steps.h"

#include <time.h>

static void test_mapping_and_filtering(void)
{
	g = gateway_make();
	uint16_t first = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	uint16_t second = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.11", 99)));
	uint16_t other = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4001, "192.0.2.10", 53)));
	tap_ok(first >= 1024 && first == second && first != other,
		"RFC 4787 REQ-1: one outside port for one inside endpoint");
	g->plan.plan.filtering = 1;
	gateway_publish(g);
	gateway_send_raw(g, RED_PORT, arp_request("172.16.1.1"));
	gateway_wait(g, 0); // the sweep that follows a new plan
	tap_ok(is_from(gateway_send(g, RED_PORT, udp("192.0.2.10", 777, "10.50.0.2", first)),
		       "192.0.2.10", "10.1.0.2"),
		"address dependent: another port of a known remote gets in");
	DROPPED(RED_PORT, udp("192.0.2.12", 777, "10.50.0.2", first), FILTERED,
		"address dependent: an unknown remote");
	g->plan.plan.filtering = 2;
	gateway_publish(g);
	tap_ok(is_from(gateway_send(g, RED_PORT, udp("192.0.2.12", 777, "10.50.0.2", first)),
		       "192.0.2.12", "10.1.0.2"),
		"endpoint independent: anybody gets in");
	g->plan.plan.mapping = 1;
	gateway_publish(g);
	first = source_port(gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 5000, "192.0.2.10", 1)));
	second = source_port(gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 5000, "192.0.2.10", 2)));
	tap_ok(first && second && first != second, "endpoint dependent: a port for each remote");
	CLEAN();
	gateway_free(g);
}

static void test_limits(void)
{
	g = gateway_make_with(4, 4);
	for (uint16_t i = 0; i < 4; i++)
		gateway_send(
			g, CLIENT_PORT, udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53));
	struct frame *out = gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 1, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_SESSIONS_FULL) == 1 &&
			is_from(out, "10.1.0.1", "10.1.0.3") && frame_l4(out)[1] == 13,
		"a full table: dropped and said so (RFC 5508 REQ-8)");
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(is_from(out, "10.50.0.2", "192.0.2.10"), "no session was evicted");
	CLEAN();
	gateway_free(g);

	g = gateway_make();
	g->plan.plan.client_sessions_max = 3;
	g->plan.plan.filtering = 1;
	gateway_publish(g);
	uint16_t known = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	for (uint16_t i = 1; i < 4; i++)
		gateway_send(
			g, CLIENT_PORT, udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53));
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 1, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_CLIENT_LIMIT) == 1 &&
			is_from(out, "10.60.0.2", "192.0.2.10"),
		"RFC 6888 REQ-4: one client's limit is its own");
	DROPPED(RED_PORT, udp("192.0.2.10", 54, "10.50.0.2", known), CLIENT_LIMIT,
		"nor does a remote that it knows get more");
	CLEAN();
	gateway_free(g);
}

// CPU time of so many packets from unknown remotes, by network red, to a port of the client's.
static double unknown_remotes(uint16_t port, uint32_t packets)
{
	clock_t begun = clock();
	for (uint32_t i = 0; i < packets; i++)
		gateway_send(g, RED_PORT, udp("192.0.2.99", 777, "10.50.0.2", port));
	return (double)(clock() - begun);
}

static void test_address_dependent_filtering(void)
{
	enum { MANY = 30000, PACKETS = 2000 };
	g = gateway_make_with(65536, 65536);
	g->plan.plan.filtering = 1;
	g->plan.plan.udp_timeout_ns = 100000000000ull;
	gateway_publish(g);
	uint16_t few = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 54));
	uint16_t many = 0;
	for (uint32_t i = 0; i < MANY; i++)
		many = source_port(gateway_send(
			g, CLIENT_PORT, udp("10.1.0.2", 4001, "192.0.2.11", (uint16_t)(1024 + i))));
	double one = unknown_remotes(few, PACKETS), other = unknown_remotes(many, PACKETS);
	tap_ok(gateway_drops(g, EGRET_DROP_FILTERED) == 2 * PACKETS && other < 5 * one,
		"an unknown remote costs the same, with 2 sessions on the port and with 30,000");
	tap_ok(is_from(gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 1, "192.0.2.10", 53)),
		       "10.60.0.2", "192.0.2.10"),
		"and a client of the other network begins as ever");
	gateway_wait(g, 60000000000ull);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 54));
	gateway_wait(g, 60000000000ull); // the session with port 53 expires
	tap_ok(is_from(gateway_send(g, RED_PORT, udp("192.0.2.10", 9, "10.50.0.2", few)),
		       "192.0.2.10", "10.1.0.2"),
		"a remote is known as long as one session with it is there");
	DROPPED(RED_PORT, udp("192.0.2.11", 9, "10.50.0.2", few), FILTERED,
		"the remote of another port");
	DROPPED(RED_PORT, udp("192.0.2.11", 1024, "10.50.0.2", many), NO_SESSION,
		"and none that has expired");
	CLEAN();
	gateway_free(g);
}

static void test_ten_thousand_sessions(void)
{
	g = gateway_make_with(16384, 16384);
	static uint8_t seen[65536];
	memset(seen, 0, sizeof seen);
	uint32_t unique = 0;
	for (uint32_t i = 0; i < 10000; i++) {
		struct frame *out = gateway_send(
			g, CLIENT_PORT, udp("10.1.0.2", (uint16_t)(2000 + i), "192.0.2.10", 53));
		uint16_t port = source_port(out);
		unique += out && !seen[port];
		seen[port] = 1;
		if (g->problem)
			break;
	}
	struct egret_pool_row row;
	egret_pool_read(g->arena, 0, &row);
	tap_ok(unique == 10000 && row.udp_used == 10000, "10,000 unique outside endpoints");
	CLEAN();
	gateway_wait(g, 301000000000ull);
	egret_pool_read(g->arena, 0, &row);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0 && row.udp_used == 0 &&
			row.quarantined == 10000,
		"all expire without a packet");
	gateway_wait(g, 121000000000ull);
	egret_pool_read(g->arena, 0, &row);
	tap_ok(row.quarantined == 0, "and their quarantine ends (RFC 6888 REQ-8)");
	gateway_free(g);
}

static uint8_t only_phase(void)
{
	uint32_t cursor = 0;
	struct egret_session_row row = {.state = 255};
	egret_sessions_read(g->arena, &cursor, &row, 1);
	return row.state;
}

static void test_tcp(void)
{
	g = gateway_make();
	DROPPED(CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_ACK), TCP_NO_SYN,
		"TCP that does not begin with SYN");
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN)));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_OPENING, "SYN: opening");
	gateway_send(g, RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_SYN | TCP_ACK));
	gateway_send(g, CLIENT_PORT,
		with_numbers(tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_ACK), 1, 5000));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED, "SYN both ways: established");
	gateway_wait(g, 7000000000000ull);
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"RFC 5382 REQ-5: idle for 7000 s and still there");
	gateway_send(g, RED_PORT,
		with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST), 5000, 0));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSED, "RST: closed");
	gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_ACK));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"RFC 7857 §2: data after a RST takes it back");
	gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_FIN | TCP_ACK));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSING, "one FIN: closing");
	gateway_send(g, RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_FIN | TCP_ACK));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSED, "two: closed");
	struct frame *again = gateway_send(
		g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_OPENING && source_port(again) == port,
		"SYN from inside opens it again, with the same port");
	gateway_wait(g, 239000000000ull);
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_OPENING, "transitory: there at 239 s");
	gateway_wait(g, 2000000000ull);
	tap_ok(only_phase() == 255, "removed at 241 s");
	CLEAN();
	gateway_free(g);
}

// Opens 192.0.2.10:80 from 10.1.0.x:4000, the client's SYN at 99, the server's at 4999. The last word is
// the client's, that it expects 5000. Returns the outside port.
static uint16_t open_tcp(const char *client, const char *outside, uint16_t network_port)
{
	uint16_t port = source_port(gateway_send(
		g, CLIENT_PORT, with_numbers(tcp(client, 4000, "192.0.2.10", 80, TCP_SYN), 99, 0)));
	gateway_send(g, network_port,
		with_numbers(tcp("192.0.2.10", 80, outside, port, TCP_SYN | TCP_ACK), 4999, 100));
	gateway_send(g, CLIENT_PORT,
		with_numbers(tcp(client, 4000, "192.0.2.10", 80, TCP_ACK), 100, 5000));
	return port;
}

static uint32_t count_phase(uint8_t phase)
{
	uint32_t cursor = 0, count = 0;
	struct egret_session_row row;
	while (egret_sessions_read(g->arena, &cursor, &row, 1) == 1)
		count += row.state == phase;
	return count;
}

// RSTs that no host sent, all over the sequence numbers, by one who knows addresses and ports.
static void test_forged_resets(void)
{
	enum { FORGED = 64512 };
	g = gateway_make();
	uint16_t port = open_tcp("10.1.0.2", "10.50.0.2", RED_PORT);
	open_tcp("10.1.0.3", "10.60.0.2", BLUE_PORT);
	uint32_t passed = 0;
	for (uint32_t i = 0; i < FORGED; i++) {
		uint32_t sequence = 5001 + i * (UINT32_MAX / FORGED);
		struct frame *out = gateway_send(g, RED_PORT,
			with_numbers(
				tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST), sequence, 0));
		passed += out != NULL;
	}
	tap_ok(count_phase(EGRET_SESSION_STATE_TCP_ESTABLISHED) == 2,
		"64,512 forged RSTs change no session");
	tap_ok(passed > 0 && passed < FORGED / 3 &&
			gateway_drops(g, EGRET_DROP_TCP_SEQUENCE) == FORGED - passed,
		"RFC 5961 §3.2: what may be in a window passes, to be challenged (%u)", passed);
	struct frame *challenge = gateway_send(g, CLIENT_PORT,
		with_numbers(tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_ACK), 100, 5000));
	tap_ok(is_from(challenge, "10.50.0.2", "192.0.2.10"), "and so does the challenge");
	gateway_wait(g, 7000000000000ull);
	tap_ok(count_phase(EGRET_SESSION_STATE_TCP_ESTABLISHED) == 2,
		"both are there 7000 s later");
	CLEAN();
	g->worker->sessions->sessions[0].ack_out = 0; // as one of an earlier build
	for (uint32_t i = 0; i < 3; i++)
		gateway_send(g, RED_PORT,
			with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST), 5100, 0));
	tap_ok(count_phase(EGRET_SESSION_STATE_TCP_ESTABLISHED) == 2,
		"nor does one about a session of which nothing is known yet");
	gateway_wait(g, 500000000000ull);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0,
		"a RST that does not count does not refresh");
	gateway_free(g);
}

// What another forges from outside, data and acknowledgments, changes nothing of what its RST is compared with.
static void test_forged_segments(void)
{
	g = gateway_make();
	uint16_t port = open_tcp("10.1.0.2", "10.50.0.2", RED_PORT);
	for (uint32_t i = 0; i < 4096; i++) {
		uint32_t sequence = 7000 + i * 1048573u;
		gateway_send(g, RED_PORT,
			with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_ACK), sequence,
				sequence));
		gateway_send(g, RED_PORT,
			with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_SYN | TCP_ACK),
				sequence - 1, sequence));
		gateway_send(g, RED_PORT,
			with_numbers(
				tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST), sequence, 0));
	}
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"forged segments make no forged RST exact");
	struct frame *out = gateway_send(g, CLIENT_PORT,
		with_numbers(tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_RST), 100, 0));
	tap_ok(is_from(out, "10.50.0.2", "192.0.2.10"), "nor do they stop a RST of the client");
	CLEAN();
	gateway_free(g);
}

static void test_genuine_resets(void)
{
	g = gateway_make();
	uint16_t port = open_tcp("10.1.0.2", "10.50.0.2", RED_PORT);
	gateway_send(g, RED_PORT,
		with_gso(with_partial(with_numbers(frame_tcp(frame_ipv4("192.0.2.10", "10.50.0.2"),
							   80, port, TCP_ACK, 8000),
				 5000, 400)),
			1, 1448));
	gateway_send(g, CLIENT_PORT,
		with_gso(with_partial(with_numbers(frame_tcp(frame_ipv4("10.1.0.2", "192.0.2.10"),
							   4000, 80, TCP_ACK, 4000),
				 400, 13000)),
			1, 1448));
	gateway_send(g, RED_PORT,
		with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST), 13000, 0));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSED,
		"superframes: a RST at what the client acknowledged in one counts");
	gateway_send(g, RED_PORT,
		with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_ACK), 13000, 4400));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"RFC 7857 §2: data after it brings the session back, from outside too");
	gateway_send(g, CLIENT_PORT,
		with_numbers(tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_RST), 4400, 0));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSED,
		"a client's RST at what the server acknowledged counts");
	gateway_wait(g, 241000000000ull);
	tap_ok(only_phase() == 255, "and after the transitory timeout the session is removed");
	port = source_port(gateway_send(g, CLIENT_PORT,
		with_numbers(tcp("10.1.0.2", 4001, "192.0.2.10", 80, TCP_SYN), 99, 0)));
	gateway_send(g, RED_PORT,
		with_numbers(tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST | TCP_ACK), 0, 100));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_CLOSED, "so does one that refuses a SYN");
	CLEAN();
	gateway_free(g);
}

int main(void)
{
	test_mapping_and_filtering();
	test_limits();
	test_address_dependent_filtering();
	test_ten_thousand_sessions();
	test_tcp();
	test_forged_resets();
	test_forged_segments();
	test_genuine_resets();
	return tap_done();
}
