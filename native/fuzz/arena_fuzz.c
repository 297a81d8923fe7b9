// SPDX-License-Identifier: Apache-2.0

// Opens arenas that are damaged, as the next egretd and the next forwarder would: an arena in which
// the gateway of test/memory_gateway.h has worked is written over in places. Either it is refused, or
//
//   - nothing is read or written outside (ASan, UBSan), and every call comes to its end;
//   - the ports that are taken are those of the bindings that were kept, and sessions are counted;
//   - packets, plans and routes go on.
#include "../test/memory_gateway.h"
#include "input.h"

#include "plan/plan_buffer.h"
#include "lib/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static struct gateway *g; // its worker is that of the arena which was opened last
static uint8_t *sound; // the arena as it was
static struct fib_view fib; // where its FIB is
static uint64_t arena_bytes;
static char path[64];
static const char *const clients[] = {"10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.9"};
static const char *const remotes[] = {"192.0.2.10", "192.0.2.200", "10.9.0.9", "172.16.1.140"};
static const char *const pools[] = {"10.50.0.2", "10.50.0.3", "10.60.0.2", "172.16.1.1"};

static void send_all(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		struct frame *frame = frame_ipv4(clients[i], remotes[i % 2]);
		gateway_send(g, CLIENT_PORT, frame_udp(frame, 4000, 53, 20));
		frame = frame_ipv4(clients[i], remotes[(i + 1) % 4]);
		gateway_send(g, CLIENT_PORT, frame_tcp(frame, 4001, 80, TCP_SYN, 0));
	}
	gateway_send(g, CLIENT_PORT, frame_echo(frame_ipv4(clients[0], remotes[0]), 8, 7, 20));
}

static void make_sound_arena(void)
{
	g = gateway_make_with(16, 16);
	send_all();
	gateway_wait(g, 70000000000ull); // the echo's id is in quarantine, a packet waited in vain
	send_all();
	worker_free(g->worker);
	arena_bytes = g->arena->header->preamble.bytes;
	sound = malloc(arena_bytes);
	memcpy(sound, g->arena->base, arena_bytes);
	fib_view_take(g->arena, &fib);
	snprintf(path, sizeof path, "/proc/self/fd/%d", g->arena->fd);
}

// -- Damage ---------------------------------------------------------------------------------------

struct part {
	uint64_t at, bytes;
};

// A part of the arena, so small that a byte finds what matters in it.
static struct part part_of(const struct arena *arena, uint8_t which, uint8_t where)
{
	const struct arena_header *header = (const void *)sound;
	uint64_t plan = header->at_plans[header->plan & 1];
	uint64_t generation = header->at_generations[header->generation & 1];
	const struct plan_derived *derived = (const void *)(sound + plan);
#define OF(pointer) ((uint64_t)((const uint8_t *)(pointer)-arena->base))
	switch (which % 16) {
	case 0:
		return (struct part){0, sizeof *header};
	case 1:
		return (struct part){header->preamble.lists[ARENA_PORTS].at, 4 * EGRET_NAME_BYTES};
	case 2:
		return (struct part){header->preamble.lists[ARENA_PORTS].at +
				offsetof(struct arena_slots, networks),
			32};
	case 3:
		return (struct part){plan, 128};
	case 4:
		return (struct part){plan + where * 2048ull, 2048};
	case 5:
		return (struct part){plan + derived->at_starts, 256};
	case 6:
		return (struct part){plan + derived->at_owners, 256};
	case 7:
		return (struct part){plan + derived->at_plan, 1024};
	case 8: // where a lookup begins
		return (struct part){OF(fib.roots + (where % 4) * FIB_ROOT_ENTRIES) +
				(address_of((where & 4 ? clients : remotes)[where >> 4 & 3]) >>
					16) *
					4ull,
			4};
	case 9:
		return (struct part){OF(fib.plies), 8 * FIB_PLY_ENTRIES * 4};
	case 10:
		return (struct part){OF(fib.groups), 8 * sizeof(struct fib_group)};
	case 11:
		return (struct part){where & 1 ? generation : OF(fib.versions), 64};
	case 12:
		return (struct part){header->preamble.lists[ARENA_SESSIONS].at,
			16 * sizeof(struct session_record)};
	case 13:
		return (struct part){header->preamble.lists[ARENA_BINDINGS].at,
			16 * sizeof(struct binding_record)};
	case 14:
		return (struct part){header->at_neighbors, 8 * sizeof(struct egret_neighbor_row)};
	default:
		return (struct part){where & 1 ? header->at_pools : header->at_counters, 4096};
	}
#undef OF
}

static void damage(struct input *input, struct arena *arena)
{
	uint8_t which = take(input), where = take(input);
	struct part part = part_of(arena, which, where);
	uint64_t at = part.at + take32(input) % part.bytes;
	uint32_t value = take32(input);
	if (which & 16)
		at &= ~3ull;
	if (at + sizeof value > arena_bytes)
		return;
	memcpy(arena->base + at, &value, which & 32 ? 1 : sizeof value);
}

// -- What both processes do -----------------------------------------------------------------------

static void read_status(struct arena *arena)
{
	struct egret_session_row sessions[4];
	struct egret_pool_row pool;
	struct egret_decision decision;
	uint32_t cursor = 0;
	while (cursor < arena->header->limits.sessions)
		egret_sessions_read(arena, &cursor, sessions, 4);
	for (uint16_t slot = 0; slot < 4; slot++)
		egret_pool_read(arena, slot, &pool);
	for (uint32_t i = 0; i < 16; i++)
		egret_why(arena, address_of(clients[i % 4]), address_of(remotes[i / 4]), &decision);
	egret_plan_acknowledged(arena);
	egret_arena_has_generation(arena);
}

// Ports and sessions are counted as the records say that were ever used.
static void check_rebuilt(void)
{
	const struct session_table *table = g->worker->sessions;
	uint32_t sessions = 0, occupied = 0, taken = 0;
	for (uint32_t i = 0; i < *table->sessions_used; i++)
		sessions += session_record_is_live(&table->sessions[i]) != 0;
	for (uint32_t i = 0; i < *table->bindings_used; i++)
		occupied += table->bindings[i].state != BINDING_EMPTY;
	for (uint16_t slot = 0; slot < EGRET_ADDRESS_MAX; slot++) {
		struct egret_pool_row row;
		egret_pool_read(g->arena, slot, &row);
		taken += row.tcp_used + row.udp_used + row.icmp_used + row.quarantined;
	}
	check(g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS] == sessions, "sessions count");
	check(taken == occupied, "every port that is taken has a binding");
}

static void forward(void)
{
	send_all();
	for (uint32_t i = 0; i < g->worker->sessions->session_max; i++) {
		const struct session_record s = g->worker->sessions->sessions[i];
		struct frame *frame = frame_ipv4(remotes[i % 4], pools[i % 3]);
		write32(frame_ip(frame) + IPV4_SOURCE, s.remote_addr);
		write32(frame_ip(frame) + IPV4_DESTINATION, s.outside_addr);
		frame_mend_ip(frame);
		frame = s.protocol == IPPROTO_TCP
			? frame_tcp(frame, s.remote_port, s.outside_port, TCP_SYN | TCP_ACK, 0)
			: frame_udp(frame, s.remote_port, s.outside_port, 20);
		gateway_send(g, i % 2 ? RED_PORT : BLUE_PORT, frame);
	}
	gateway_wait(g, 1500000000ull);
}

// A new egretd: takes the other generation, and publishes.
static void take_over(void)
{
	if (egret_arena_begin_generation(g->arena) < 0)
		return;
	gateway_routes(g);
	egret_arena_commit_generation(g->arena);
	static uint8_t encoded[sizeof(struct plan_fixture)];
	egret_plan_publish(g->arena, encoded, plan_encode(&g->plan, encoded));
}

static void use(struct arena *opened)
{
	struct arena *own = g->arena;
	g->arena = opened;
	g->now_ns = clock_now_ns();
	read_status(opened);
	gateway_start_worker(g);
	check_rebuilt();
	forward();
	check_rebuilt();
	read_status(opened);
	egret_port_slot(opened, "clients");
	egret_network_slot(opened, 500);
	egret_address_slot(opened, address_of(pools[0]));
	egret_address_slot_release(opened, address_of(pools[0]));
	take_over();
	forward();
	gateway_wait(g, 8000000000000ull);
	gateway_wait(g, 200000000000ull);
	check_rebuilt();
	gateway_forget_out(g);
	worker_free(g->worker);
	egret_arena_close(opened);
	g->arena = own;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!g)
		make_sound_arena();
	memcpy(g->arena->base, sound, arena_bytes);
	struct input input = {bytes, n};
	while (input.left > 0)
		damage(&input, g->arena);
	void *opened = NULL;
	int status = egret_arena_open(path, NULL, &opened);
	if (status == 0)
		use(opened);
	else
		check(status == -EGRET_STATUS_BAD_ARENA || status == -EGRET_STATUS_ABI_MISMATCH,
			"refused as what it is");
	return 0;
}
