// Sessions: mapping, filtering, limits, the states of TCP, and that ports are used again.
#include "steps.h"

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
	gateway_send(g, CLIENT_PORT, tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_ACK));
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED, "SYN both ways: established");
	gateway_wait(g, 7000000000000ull);
	tap_ok(only_phase() == EGRET_SESSION_STATE_TCP_ESTABLISHED,
		"RFC 5382 REQ-5: idle for 7000 s and still there");
	gateway_send(g, RED_PORT, tcp("192.0.2.10", 80, "10.50.0.2", port, TCP_RST));
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

int main(void)
{
	test_mapping_and_filtering();
	test_limits();
	test_ten_thousand_sessions();
	test_tcp();
	return tap_done();
}
