// SPDX-License-Identifier: Apache-2.0

// A gateway for the C tests: two networks that use the same addresses, their clients, a worker over
// memory ports. After every step the frames balance and every checksum that left is right.
//
//   slot 0 clients 10.1.0.0/24 (10.1.0.2 uses red, .3 and .4 blue, .5 both)   MAC 02:00:00:00:00:00
//   slot 1 red     172.16.1.140 ─▶ 192.0.2.0/24   pool 10.50.0.2, .3           MAC 02:00:00:00:00:01
//   slot 2 blue    172.16.1.140 ─▶ 192.0.2.0/24   pool 10.60.0.2               MAC 02:00:00:00:00:02
//   slot 3 office  10.9.0.0/16 on the link, routed without translation         MAC 02:00:00:00:00:03
//
// Every neighbor's MAC is 02:01 followed by its address.
#pragma once
#include "arena_fixture.h"
#include "forwarder/worker_run.h"
#include "frames.h"
#include "lib/clock.h"
#include "memory/port_memory.h"
#include "nat/session.h"
#include "neighbor/neighbor.h"
#include "plan_fixture.h"

enum { CLIENT_PORT = 0, RED_PORT = 1, BLUE_PORT = 2, OFFICE_PORT = 3 };
enum { RED = 1, BLUE = 2 };
enum { GROUP_CLIENTS = 2, GROUP_OFFICE, GROUP_RED, GROUP_BLUE, GROUP_RED_LINK, GROUP_BLUE_LINK };
enum { OUT_MAX = 4096 };

struct gateway {
	struct arena *arena;
	struct worker *worker;
	struct plan_fixture plan;
	uint64_t now_ns;
	struct frame *out[OUT_MAX]; // what the last step sent, oldest first
	uint32_t out_count;
	const char *problem; // what was wrong with it or with the counters
};

static inline uint64_t gateway_counter(
	const struct gateway *g, uint16_t port, enum egret_port_counter counter)
{
	return g->arena->counters->ports[port][counter];
}

static inline uint64_t gateway_drops(const struct gateway *g, enum egret_drop drop)
{
	uint64_t sum = 0;
	for (uint32_t port = 0; port < EGRET_PORT_MAX; port++)
		sum += g->arena->counters->drops[port][drop];
	return sum;
}

// received + generated = sent + kernel + dropped + absorbed + held, for each port.
static inline int gateway_is_balanced(const struct gateway *g)
{
	for (uint32_t port = 0; port < EGRET_PORT_MAX; port++) {
		const uint64_t *c = g->arena->counters->ports[port];
		uint64_t in = c[EGRET_PORT_COUNTER_RECEIVED] + c[EGRET_PORT_COUNTER_GENERATED];
		uint64_t out = c[EGRET_PORT_COUNTER_SENT] + c[EGRET_PORT_COUNTER_KERNEL] +
			c[EGRET_PORT_COUNTER_ABSORBED] + c[EGRET_PORT_COUNTER_HELD];
		for (uint32_t drop = 0; drop < EGRET_DROP_COUNT; drop++)
			out += g->arena->counters->drops[port][drop];
		if (in != out)
			return 0;
	}
	return 1;
}

static inline void gateway_forget_out(struct gateway *g)
{
	for (uint32_t i = 0; i < g->out_count; i++)
		free(g->out[i]);
	g->out_count = 0;
}

// Takes the oldest frame that left by any port; NULL: none.
static inline struct memory_frame *gateway_take(struct gateway *g)
{
	struct port *oldest = NULL;
	uint64_t sequence = UINT64_MAX;
	for (uint32_t slot = 0; slot <= OFFICE_PORT; slot++) {
		const struct memory_frame *f = port_memory_peek(&g->worker->ports[slot]);
		if (f && f->sequence < sequence) {
			sequence = f->sequence;
			oldest = &g->worker->ports[slot];
		}
	}
	return oldest ? port_memory_take(oldest) : NULL;
}

static inline void gateway_collect(struct gateway *g)
{
	struct memory_frame *left;
	gateway_forget_out(g);
	g->problem = gateway_is_balanced(g) ? NULL : "the counters do not balance";
	while (g->out_count < OUT_MAX && (left = gateway_take(g))) {
		struct frame *frame = malloc(sizeof *frame);
		frame->bytes = left->bytes;
		frame->port = left->port;
		frame->checksum = left->checksum;
		frame->checksum_start = left->checksum_start;
		frame->checksum_offset = left->checksum_offset;
		frame->gso_type = left->gso_type;
		frame->gso_bytes = left->gso_bytes;
		memcpy(frame->data, left->data, left->bytes);
		free(left);
		const char *problem = frame_sums_error(frame);
		if (problem)
			g->problem = problem;
		g->out[g->out_count++] = frame;
	}
}

static inline void gateway_put(struct gateway *g, uint16_t port, const struct frame *frame)
{
	struct worker *worker = g->worker;
	uint32_t i = worker->batch.count++;
	worker->batch.packets[i] = (struct packet){
		.data = worker_buffer(worker, i),
		.bytes = frame->bytes,
		.port = port,
		.checksum = frame->checksum,
		.checksum_start = frame->checksum_start,
		.checksum_offset = frame->checksum_offset,
		.gso_type = frame->gso_type,
		.gso_bytes = frame->gso_bytes,
	};
	memcpy(worker->batch.packets[i].data, frame->data, frame->bytes);
}

static inline void gateway_run(struct gateway *g)
{
	g->worker->now_ns = g->now_ns;
	worker_process(g->worker);
	while (worker_housekeep(g->worker))
		;
	gateway_collect(g);
}

// Sends bytes as they are.
static inline void gateway_send_raw(struct gateway *g, uint16_t port, const struct frame *frame)
{
	gateway_put(g, port, frame);
	gateway_run(g);
}

static inline struct frame *to_gateway(uint16_t port, struct frame *frame)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0};
	memcpy(frame->data, mac, 6);
	frame->data[5] = (uint8_t)port;
	return frame;
}

// Sends a frame to the gateway's MAC address on this port. Returns the first frame that left, or NULL.
static inline struct frame *gateway_send(struct gateway *g, uint16_t port, struct frame *frame)
{
	gateway_send_raw(g, port, to_gateway(port, frame));
	return g->out_count ? g->out[0] : NULL;
}

static inline void gateway_wait(struct gateway *g, uint64_t ns)
{
	g->now_ns += ns;
	g->worker->now_ns = g->now_ns;
	while (worker_housekeep(g->worker))
		;
	gateway_collect(g);
}

static inline void gateway_bail_out(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static inline void gateway_publish(struct gateway *g)
{
	static uint8_t bytes[sizeof(struct plan_fixture)];
	if (egret_plan_publish(g->arena, bytes, plan_encode(&g->plan, bytes)) <= 0)
		gateway_bail_out("the plan was refused");
}

static inline void gateway_route(
	struct gateway *g, uint16_t network, const char *prefix, uint32_t length, uint32_t group)
{
	struct egret_fib_delta delta = {address_of(prefix), length, group};
	if (egret_fib_apply(g->arena, network, &delta, 1) != 1)
		gateway_bail_out("no route");
}

static inline void gateway_group(
	struct gateway *g, uint32_t group, const char *next_hop, uint16_t port)
{
	struct egret_adjacency path = {next_hop ? address_of(next_hop) : 0, port, 0};
	egret_fib_set_group(g->arena, group, &path, 1);
}

static inline void gateway_neighbor(struct gateway *g, uint16_t port, const char *address)
{
	uint8_t mac[6] = {2, 1};
	write32(mac + 2, address_of(address));
	neighbor_update(g->worker->neighbors, port, address_of(address), NEIGHBOR_REACHABLE, mac);
	neighbor_trust(g->worker->neighbors, port, address_of(address)); // no test wants polls
}

static inline void gateway_neighbors(struct gateway *g)
{
	static const char *const clients[] = {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"};
	for (uint32_t i = 0; i < 4; i++)
		gateway_neighbor(g, CLIENT_PORT, clients[i]);
	gateway_neighbor(g, RED_PORT, "172.16.1.140");
	gateway_neighbor(g, BLUE_PORT, "172.16.1.140");
	gateway_neighbor(g, OFFICE_PORT, "10.9.0.9");
}

static inline void gateway_add_port(
	struct gateway *g, uint16_t slot, uint8_t role, uint16_t network, const char *address)
{
	plan_add_port(&g->plan, slot, role, network);
	struct egret_plan_port *port = &g->plan.ports[g->plan.plan.port_count - 1];
	port->address = address_of(address);
	port->mac[0] = 2;
	port->mac[5] = (uint8_t)slot;
	g->plan.locals[g->plan.plan.local_count++] = (struct egret_plan_local){
		.address = port->address, .network = network};
}

// The plan of the picture above. Rules: 0 main, 1 red, 2 blue, 3 red and blue.
static inline void gateway_plan(struct gateway *g)
{
	struct plan_fixture *plan = &g->plan;
	memset(plan, 0, sizeof *plan);
	plan->plan = (struct egret_plan){
		.udp_timeout_ns = 300000000000ull,
		.tcp_established_timeout_ns = 7440000000000ull,
		.tcp_transitory_timeout_ns = 240000000000ull,
		.icmp_timeout_ns = 60000000000ull,
		.quarantine_ns = 120000000000ull,
		.icmp_errors_per_second = 10,
	};
	gateway_add_port(g, CLIENT_PORT, EGRET_ROLE_CLIENTS, 0, "10.1.0.1");
	gateway_add_port(g, RED_PORT, EGRET_ROLE_NETWORKS, RED, "172.16.1.1");
	gateway_add_port(g, BLUE_PORT, EGRET_ROLE_NETWORKS, BLUE, "172.16.1.1");
	gateway_add_port(g, OFFICE_PORT, EGRET_ROLE_ANY, 0, "10.9.0.1");
	plan_add_address(plan, address_of("10.50.0.2"), RED);
	plan_add_address(plan, address_of("10.60.0.2"), BLUE);
	plan_add_address(plan, address_of("10.50.0.3"), RED);
	plan->addresses[2].network_count = 2;
	plan->addresses[2].networks[1] = BLUE;
	plan_add_rule(plan, address_of("10.9.0.0"), 16, EGRET_ACTION_MAIN, 0, 0);
	plan_add_rule(plan, 0, 0, EGRET_ACTION_GATEWAY, 0, 1);
	plan_add_rule(plan, 0, 0, EGRET_ACTION_GATEWAY, 1, 1);
	plan_add_rule(plan, 0, 0, EGRET_ACTION_GATEWAY, 2, 1);
	plan_add_client(plan, address_of("10.1.0.2"), 32, 0, 2);
	plan_add_client(plan, address_of("10.1.0.3"), 32, 2, 1);
	plan_add_client(plan, address_of("10.1.0.4"), 32, 2, 1);
	plan_add_client(plan, address_of("10.1.0.5"), 32, 3, 1);
}

static inline void gateway_routes(struct gateway *g)
{
	gateway_group(g, GROUP_CLIENTS, NULL, CLIENT_PORT);
	gateway_group(g, GROUP_OFFICE, NULL, OFFICE_PORT);
	gateway_group(g, GROUP_RED, "172.16.1.140", RED_PORT);
	gateway_group(g, GROUP_BLUE, "172.16.1.140", BLUE_PORT);
	gateway_group(g, GROUP_RED_LINK, NULL, RED_PORT);
	gateway_group(g, GROUP_BLUE_LINK, NULL, BLUE_PORT);
	gateway_route(g, 0, "10.1.0.0", 24, GROUP_CLIENTS);
	gateway_route(g, 0, "10.9.0.0", 16, GROUP_OFFICE);
	gateway_route(g, RED, "192.0.2.0", 24, GROUP_RED);
	gateway_route(g, BLUE, "192.0.2.0", 24, GROUP_BLUE);
	gateway_route(g, RED, "172.16.1.0", 24, GROUP_RED_LINK);
	gateway_route(g, BLUE, "172.16.1.0", 24, GROUP_BLUE_LINK);
}

// A worker over the arena (also after another one stopped).
static inline void gateway_start_worker(struct gateway *g)
{
	if (worker_make(g->arena, &g->worker) < 0)
		gateway_bail_out("no worker");
	for (uint16_t slot = 0; slot <= OFFICE_PORT; slot++)
		port_memory_open(&g->worker->ports[slot], slot);
	gateway_neighbors(g);
}

static inline struct gateway *gateway_make_with(uint32_t sessions, uint32_t bindings)
{
	static const char *const ports[] = {"clients", "red", "blue", "office"};
	struct gateway *g = calloc(1, sizeof *g);
	struct egret_limits limits = fixture_limits;
	limits.sessions = sessions;
	limits.bindings = bindings;
	limits.neighbors = 64;
	g->arena = fixture_arena(&limits);
	for (uint32_t i = 0; i < 4; i++)
		egret_port_slot(g->arena, ports[i]);
	egret_network_slot(g->arena, 500);
	egret_network_slot(g->arena, 501);
	gateway_plan(g);
	for (uint32_t i = 0; i < g->plan.plan.address_count; i++)
		egret_address_slot(g->arena, g->plan.addresses[i].address);
	egret_arena_begin_generation(g->arena);
	gateway_routes(g);
	egret_arena_commit_generation(g->arena);
	gateway_publish(g);
	g->now_ns = clock_now_ns();
	gateway_start_worker(g);
	return g;
}

static inline struct gateway *gateway_make(void)
{
	return gateway_make_with(4096, 4096);
}

static inline void gateway_free(struct gateway *g)
{
	gateway_forget_out(g);
	worker_free(g->worker);
	egret_arena_close(g->arena);
	free(g);
}
