// SPDX-License-Identifier: Apache-2.0

// The pipeline over memory ports: which network, which source, and what changes of plan and routes do
// to sessions that live. Every step also checks the counters' balance and all checksums.
#include "steps.h"

static void test_two_networks(void)
{
	g = gateway_make();
	struct frame *red = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(red && red->port == RED_PORT && is_from(red, "10.50.0.2", "192.0.2.10"),
		"red's client leaves by red with red's address");
	tap_ok(red && frame_ip(red)[IPV4_TTL] == 63 &&
			memcmp(red->data, "\x02\x01\xac\x10\x01\x8c", 6) == 0 &&
			memcmp(red->data + 6, "\x02\0\0\0\0\x01", 6) == 0,
		"TTL one less, to the router's MAC, from the port's");
	uint16_t red_port = source_port(red);
	CLEAN();
	struct frame *blue = gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	tap_ok(blue && blue->port == BLUE_PORT && is_from(blue, "10.60.0.2", "192.0.2.10"),
		"blue's client: the same remote by the other network");
	struct frame *back = gateway_send(
		g, RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", red_port));
	tap_ok(back && back->port == CLIENT_PORT && is_from(back, "192.0.2.10", "10.1.0.2") &&
			read16(frame_l4(back) + 2) == 4000,
		"the answer reaches the client");
	CLEAN();
	DROPPED(BLUE_PORT, udp("192.0.2.10", 53, "10.50.0.2", red_port), WRONG_NETWORK,
		"the same answer replayed by the other network's router");
	DROPPED(RED_PORT, udp("192.0.2.10", 53, "10.60.0.2", red_port), WRONG_NETWORK,
		"for the other network's pool");
	DROPPED(RED_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53), WRONG_INTERFACE,
		"a client's source from a network");
	DROPPED(OFFICE_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53), WRONG_INTERFACE,
		"a client's source, with a live session, from another interface");
	DROPPED(OFFICE_PORT, udp("10.1.0.2", 4001, "192.0.2.10", 53), WRONG_INTERFACE,
		"a client's source without session from there");
	DROPPED(RED_PORT, udp("192.0.2.10", 53, "192.0.2.99", 1), NOT_FORWARDED,
		"transit between networks");
	DROPPED(RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", (uint16_t)(red_port ^ 1)), NO_SESSION,
		"a port of the pool that is not in use");
	DROPPED(RED_PORT, udp("192.0.2.11", 53, "10.50.0.2", red_port), FILTERED,
		"another remote on a live port");
	DROPPED(CLIENT_PORT, udp("10.1.0.99", 53, "192.0.2.10", 53), NOT_A_CLIENT, "no client");
	DROPPED(RED_PORT, frame_echo(frame_ipv4("192.0.2.10", "10.50.0.2"), ICMP_IS_ECHO, 1, 8),
		NO_SESSION, "a ping to the pool");
	gateway_free(g);
}

static void test_two_networks_of_one_gateway(void)
{
	g = gateway_make();
	gateway_route(g, BLUE, "192.0.2.128", 25, GROUP_BLUE);
	struct frame *out = gateway_send(g, CLIENT_PORT, udp("10.1.0.5", 1, "192.0.2.10", 53));
	tap_ok(out->port == RED_PORT && is_from(out, "10.50.0.3", "192.0.2.10"),
		"of equal routes the first network's");
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.5", 2, "192.0.2.200", 53));
	tap_ok(out->port == BLUE_PORT, "the longer prefix wins");
	uint16_t port = source_port(out);
	tap_ok(gateway_send(g, BLUE_PORT, udp("192.0.2.200", 53, "10.50.0.3", port)) != NULL,
		"its answer comes back");
	DROPPED(RED_PORT, udp("192.0.2.200", 53, "10.50.0.3", port), FILTERED,
		"but not by the gateway's other network");
	gateway_route(g, BLUE, "192.0.2.128", 25, EGRET_GROUP_NONE);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.5", 2, "192.0.2.200", 53));
	tap_ok(out->port == RED_PORT && worker_counter(EGRET_WORKER_COUNTER_SESSIONS_REVOKED) == 1,
		"when the route moves to the other network the session begins again");
	CLEAN();
	gateway_free(g);
}

static void test_plan_changes(void)
{
	g = gateway_make();
	uint16_t red = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.4", 4000, "192.0.2.10", 53));
	gateway_publish(g);
	gateway_wait(g, 100000000);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 3 &&
			worker_counter(EGRET_WORKER_COUNTER_SESSIONS_REVOKED) == 0,
		"a plan that says the same touches nothing");
	uint64_t udp_timeout_ns = g->plan.plan.udp_timeout_ns;
	g->plan.plan.udp_timeout_ns = 2000000000;
	gateway_publish(g);
	gateway_wait(g, 100000000);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	gateway_wait(g, 2000000000);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1,
		"a shorter timeout holds for the sessions that exist");
	gateway_wait(g, 300000000);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0, "and for one used since");
	g->plan.plan.udp_timeout_ns = udp_timeout_ns;
	gateway_publish(g);
	red = source_port(gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.4", 4000, "192.0.2.10", 53));
	g->plan.clients[1] = g->plan.clients[2]; // 10.1.0.3 is no client any more
	g->plan.clients[2] = g->plan.clients[3];
	g->plan.plan.client_count--;
	gateway_publish(g);
	gateway_wait(g, 100000000);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 2 &&
			worker_counter(EGRET_WORKER_COUNTER_SESSIONS_REVOKED) == 1,
		"a client that is none any more loses its session without a packet");
	DROPPED(CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53), NOT_A_CLIENT, "and its way");
	g->plan.rules[1].first_address = 2; // red's clients now use 10.50.0.3
	gateway_publish(g);
	DROPPED(RED_PORT, udp("192.0.2.10", 53, "10.50.0.2", red), NO_SESSION,
		"an answer to an address that the policy no longer gives");
	struct frame *out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(is_from(out, "10.50.0.3", "192.0.2.10"), "the next packet begins a new one");
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 2,
		"the other client's session is untouched");
	g->plan.clients[0].rule_count = 0;
	gateway_publish(g);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_NO_POLICY) == 1 &&
			is_from(out, "10.1.0.1", "10.1.0.2") &&
			frame_l4(out)[1] == UNREACHABLE_PROHIBITED,
		"a policy that does not exist: administratively prohibited");
	CLEAN();
	gateway_free(g);
}

static void test_route_withdrawn(void)
{
	g = gateway_make();
	uint16_t port = source_port(
		gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	gateway_route(g, RED, "192.0.2.0", 24, EGRET_GROUP_NONE);
	struct frame *out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(is_from(out, "10.1.0.1", "10.1.0.2") && frame_l4(out)[0] == 3 &&
			frame_l4(out)[1] == UNREACHABLE_NETWORK,
		"a session whose route was withdrawn: network unreachable at once");
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4001, "192.0.2.10", 53));
	tap_ok(frame_l4(out)[0] == 3 && gateway_drops(g, EGRET_DROP_NO_ROUTE) == 2,
		"and a first packet too");
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	tap_ok(out->port == BLUE_PORT, "the other network still has the same prefix");
	gateway_route(g, RED, "192.0.2.0", 24, GROUP_RED);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(is_from(out, "10.50.0.2", "192.0.2.10") && source_port(out) == port,
		"the route is back, and the session with its port");
	g->plan.addresses[0].is_ready = 0;
	gateway_publish(g);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(g->out_count == 1 && frame_l4(out)[0] == 3,
		"a gateway that is not ready: unreachable");
	g->plan.addresses[0].is_ready = 1;
	gateway_publish(g);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(source_port(out) == port, "ready again: the same session");
	g->plan.ports[RED_PORT].is_up = 0;
	gateway_publish(g);
	out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_PORT_DOWN) == 1 && frame_l4(out)[1] == UNREACHABLE_HOST,
		"the egress port is down: host unreachable");
	gateway_route(g, RED, "192.0.2.0", 24, GROUP_BLUE);
	g->plan.ports[RED_PORT].is_up = 1;
	gateway_publish(g);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_NETWORK_EXIT) == 1 &&
			gateway_counter(g, BLUE_PORT, EGRET_PORT_COUNTER_TRANSMITTED) == 1,
		"a route that led into another network's port leaks nothing");
	CLEAN();
	gateway_free(g);
}

static void test_main_table(void)
{
	g = gateway_make();
	struct frame *out = gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "10.9.0.9", 53));
	tap_ok(out && out->port == OFFICE_PORT && is_from(out, "10.1.0.2", "10.9.0.9"),
		"a rule without gateway: routed as it is");
	out = gateway_send(g, OFFICE_PORT, udp("10.9.0.9", 53, "10.1.0.2", 4000));
	tap_ok(out && out->port == CLIENT_PORT && is_from(out, "10.9.0.9", "10.1.0.2"),
		"and so is what comes back");
	DROPPED(OFFICE_PORT, udp("10.9.0.9", 53, "10.1.0.3", 4000), NOT_A_CLIENT,
		"but not towards a client without such a rule");
	DROPPED(RED_PORT, udp("10.9.0.9", 53, "10.1.0.2", 4000), NOT_FORWARDED,
		"nor out of a network");
	gateway_route(g, 0, "10.9.0.0", 16, GROUP_RED);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "10.9.0.9", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_NETWORK_EXIT) == 1 &&
			gateway_counter(g, RED_PORT, EGRET_PORT_COUNTER_TRANSMITTED) == 0,
		"never out of a network's interface");
	CLEAN();
	gateway_free(g);
}

static void test_neighbors(void)
{
	g = gateway_make();
	gateway_group(g, GROUP_RED, "172.16.1.99", RED_PORT);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53));
	tap_ok(g->out_count == 0 && gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == 1,
		"a packet waits for ARP");
	gateway_neighbor(g, RED_PORT, "172.16.1.99");
	gateway_wait(g, 1000000);
	tap_ok(g->out_count == 1 && is_from(g->out[0], "10.50.0.2", "192.0.2.10"),
		"and is sent when the neighbor answers");
	CLEAN();
	gateway_group(g, GROUP_RED, "172.16.1.98", RED_PORT);
	struct frame *asked = udp("10.1.0.2", 4000, "192.0.2.10", 53);
	gateway_send(g, CLIENT_PORT, asked);
	gateway_wait(g, 1100000000ull);
	struct frame *error = g->out_count ? g->out[0] : NULL;
	tap_ok(is_from(error, "10.1.0.1", "10.1.0.2") && frame_l4(error)[1] == UNREACHABLE_HOST &&
			memcmp(frame_l4(error) + 8, frame_ip(asked), asked->bytes - 14) == 0,
		"a silent one: host unreachable, quoting what the client sent");
	CLEAN();
	port_memory_fail(&g->worker->ports[BLUE_PORT], 1);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10", 53));
	tap_ok(gateway_drops(g, EGRET_DROP_TX_FAILED) == 1, "what cannot be sent is a drop");
	CLEAN();
	gateway_free(g);
}

static void test_ecmp(void)
{
	g = gateway_make();
	struct egret_adjacency paths[2] = {{address_of("172.16.1.140"), RED_PORT, 0},
		{address_of("172.16.1.141"), RED_PORT, 0}};
	egret_fib_set_group(g->arena, GROUP_RED, paths, 2);
	gateway_neighbor(g, RED_PORT, "172.16.1.141");
	uint32_t by[2] = {0};
	int is_stable = 1;
	for (uint16_t i = 0; i < 64; i++) {
		uint8_t last[2];
		for (int again = 0; again < 2; again++) {
			struct frame *out = gateway_send(g, CLIENT_PORT,
				udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53));
			last[again] = out->data[5];
		}
		is_stable &= last[0] == last[1];
		by[last[0] == 141]++;
	}
	tap_ok(is_stable && by[0] > 10 && by[1] > 10, "ECMP: both used (%u, %u), each flow by one",
		by[0], by[1]);
	// It is asked, and does not answer: for two seconds its flows are lost, then they go the other way.
	neighbor_doubt(g->worker->neighbors, RED_PORT, paths[1].next_hop);
	uint32_t lost_until = 0;
	for (uint32_t round = 0; round < 40; round++) {
		for (uint16_t i = 0; i < 64; i++) {
			gateway_send(g, CLIENT_PORT,
				udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53));
			for (uint32_t out = 0; out < g->out_count; out++) {
				int is_arp = read16(g->out[out]->data + 12) == 0x0806;
				if (!is_arp && g->out[out]->data[5] == 141)
					lost_until = round + 1;
			}
		}
		gateway_wait(g, 100000000ull);
	}
	tap_ok(lost_until > 5 && lost_until < 25, "a silent member is passed over after %u00 ms",
		lost_until);
	uint8_t mac[6] = {2, 1};
	write32(mac + 2, paths[1].next_hop);
	neighbor_confirm(g->worker->neighbors, RED_PORT, paths[1].next_hop, mac);
	uint32_t back = 0;
	for (uint16_t i = 0; i < 64; i++)
		back += gateway_send(g, CLIENT_PORT,
				udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53))
				->data[5] == 141;
	tap_ok(back == by[1], "and taken again when it answers");
	paths[1].next_hop = address_of("172.16.1.142"); // no neighbor there
	egret_fib_set_group(g->arena, GROUP_RED, paths, 2);
	uint32_t sent = 0;
	for (uint16_t i = 0; i < 64; i++)
		sent += gateway_send(g, CLIENT_PORT,
				udp("10.1.0.2", (uint16_t)(4000 + i), "192.0.2.10", 53)) != NULL;
	tap_ok(sent == 64, "a member that does not answer is passed over");
	CLEAN();
	gateway_free(g);
}

static void test_same_batch(void)
{
	g = gateway_make();
	for (uint32_t i = 0; i < BATCH_PACKETS; i++)
		gateway_put(g, CLIENT_PORT,
			to_gateway(CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10", 53)));
	gateway_run(g);
	tap_ok(g->out_count == BATCH_PACKETS &&
			worker_counter(EGRET_WORKER_COUNTER_SESSIONS_CREATED) == 1,
		"a batch of one new flow makes one session");
	for (uint32_t i = 0; i < BATCH_PACKETS; i++)
		gateway_put(g, CLIENT_PORT,
			to_gateway(CLIENT_PORT, udp("10.1.0.3", (uint16_t)i, "203.0.113.1", 53)));
	gateway_run(g);
	tap_ok(gateway_drops(g, EGRET_DROP_NO_ROUTE) == BATCH_PACKETS, "a batch of unreachables");
	CLEAN();
	gateway_free(g);
}

int main(void)
{
	test_two_networks();
	test_two_networks_of_one_gateway();
	test_plan_changes();
	test_route_withdrawn();
	test_main_table();
	test_neighbors();
	test_ecmp();
	test_same_batch();
	return tap_done();
}
