// SPDX-License-Identifier: Apache-2.0

// The session table while one client, one network or the remotes of one network fill it: the others still
// get sessions.
#include "steps.h"

enum { SESSIONS = 64 };

// New sessions of a client, one for each remote port. Returns how many it got.
static uint32_t open_sessions(const char *client, uint16_t first, uint32_t wanted)
{
	uint64_t before = worker_counter(EGRET_WORKER_COUNTER_SESSIONS);
	for (uint32_t i = 0; i < wanted; i++)
		gateway_send(
			g, CLIENT_PORT, udp(client, 4000, "192.0.2.10", (uint16_t)(first + i)));
	return (uint32_t)(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) - before);
}

// Remotes that speak first to a known endpoint. Returns how many got a session.
static uint32_t intrude(uint16_t network_port, const char *pool, uint16_t port, uint32_t wanted)
{
	char remote[32];
	uint64_t before = worker_counter(EGRET_WORKER_COUNTER_SESSIONS);
	for (uint32_t i = 0; i < wanted; i++) {
		snprintf(remote, sizeof remote, "192.0.2.%u", 20 + i);
		gateway_send(g, network_port, udp(remote, 9, pool, port));
	}
	return (uint32_t)(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) - before);
}

static void test_network(void)
{
	g = gateway_make_with(SESSIONS, 2 * SESSIONS);
	gateway_wait(g, 1); // the plan's parts
	uint32_t count = open_sessions("10.1.0.2", 100, 2 * SESSIONS);
	tap_ok(count > SESSIONS / 2 && count <= SESSIONS * 3 / 4 + 1,
		"one network's client gets three quarters of the table: %u of %d", count, SESSIONS);
	tap_ok(gateway_drops(g, EGRET_DROP_SESSIONS_FULL) > 0, "and is refused more");
	count = open_sessions("10.1.0.3", 100, 6);
	tap_ok(count == 6, "a client of another network gets all that it asks for: %u of 6", count);
	gateway_free(g);
}

static void test_client(void)
{
	g = gateway_make_with(SESSIONS, 2 * SESSIONS);
	gateway_wait(g, 1);
	uint32_t count = open_sessions("10.1.0.3", 100, 2 * SESSIONS);
	tap_ok(count <= SESSIONS * 3 / 4 + 1, "one client takes %u of %d", count, SESSIONS);
	uint32_t other = open_sessions("10.1.0.2", 100, 4);
	tap_ok(other == 4, "a client of another network gets 4: %u", other);
	gateway_free(g);

	// Both in one network, which has not more than its part.
	g = gateway_make_with(SESSIONS, 2 * SESSIONS);
	gateway_wait(g, 1);
	open_sessions("10.1.0.3", 100, 24);
	open_sessions("10.1.0.2", 100, 25);
	count = open_sessions("10.1.0.3", 1000, 8);
	tap_ok(count == 0, "when room is scarce, a client with more than its part gets no more");
	other = open_sessions("10.1.0.4", 100, 4);
	tap_ok(other == 4, "and its neighbor in the same network does: %u of 4", other);
	CLEAN();
	gateway_free(g);
}

static void test_outside(void)
{
	g = gateway_make_with(SESSIONS, 2 * SESSIONS);
	g->plan.plan.filtering = 2; // endpoint independent
	gateway_publish(g);
	gateway_wait(g, 1);
	uint16_t red = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	uint32_t count = intrude(RED_PORT, "10.50.0.2", red, 100);
	tap_ok(count > 0 && count <= SESSIONS / 8 + 1,
		"remotes that speak first get an eighth of the table: %u of %d", count, SESSIONS);
	uint32_t inside = open_sessions("10.1.0.3", 100, 8);
	tap_ok(inside == 8, "clients of the other network get theirs");
	inside = open_sessions("10.1.0.2", 100, 8);
	tap_ok(inside == 8, "and those of the same one");
	open_sessions("10.1.0.3", 200, 12);
	uint16_t blue = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53)));
	count = intrude(BLUE_PORT, "10.60.0.2", blue, 10);
	tap_ok(count == 0, "when half is taken, remotes are refused first");
	inside = open_sessions("10.1.0.4", 100, 8);
	tap_ok(inside == 8, "clients are not");
	CLEAN();
	gateway_free(g);
}

// Counts go down with the sessions, and are right after a restart and a new plan.
static void test_counts(void)
{
	g = gateway_make_with(SESSIONS, 2 * SESSIONS);
	gateway_wait(g, 1);
	open_sessions("10.1.0.2", 100, 2 * SESSIONS);
	gateway_publish(g);
	gateway_wait(g, 1);
	tap_ok(open_sessions("10.1.0.2", 1000, 4) == 0, "a new plan forgets nothing");
	worker_free(g->worker);
	gateway_start_worker(g);
	gateway_wait(g, 1);
	tap_ok(open_sessions("10.1.0.2", 2000, 4) == 0, "nor does a restart");
	gateway_wait(g, 400ull * 1000000000ull);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0, "all end");
	uint32_t count = open_sessions("10.1.0.2", 100, 2 * SESSIONS);
	tap_ok(count > SESSIONS / 2, "and there is room again: %u", count);
	gateway_free(g);
}

int main(void)
{
	test_network();
	test_client();
	test_outside();
	test_counts();
	return tap_done();
}
