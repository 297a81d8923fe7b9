// SPDX-License-Identifier: Apache-2.0

// What a worker knows: the context that every stage gets.
//
// A worker is one thread that takes batches from its ports, runs the pipeline and sends. It alone
// writes its sessions, bindings, port pools and counters. How it is made and run: forwarder/worker_run.h.
#pragma once
#include "arena/arena.h"
#include "fib/fib.h"
#include "packet/packet.h"
#include "packet/port.h"
#include "plan/plan.h"

#include <stdint.h>

struct session_table; // session.h
struct neighbor_table; // neighbor.h
struct reassembly; // reassembly.h
struct icmp_limiter; // icmp.h
struct trials; // trial.h

enum { WORKER_FRAGMENT_IDS = 1024 };

struct worker {
	struct arena *arena;
	uint64_t now_ns; // of this batch
	uint32_t now_tick; // now_ns / EGRET_TICK_NS
	struct plan_view plan;
	struct fib_view fib;
	struct port ports[EGRET_PORT_MAX]; // by slot
	struct session_table *sessions;
	struct neighbor_table *neighbors;
	struct reassembly *reassembly;
	struct icmp_limiter *icmp;
	struct trials *trials;
	struct batch batch;
	uint8_t *buffers; // BATCH_MAX of WORKER_BUFFER_BYTES
	uint64_t *port_counters, *drop_counters, *counters; // this worker's lines in the arena
	uint64_t random_state[2];
	uint16_t fragment_ids[WORKER_FRAGMENT_IDS]; // of the next packets that are cut here
	// Packets that stage_transmit has made ready, in order.
	struct packet *ready[BATCH_MAX];
	uint32_t ready_count;
};

enum { WORKER_BUFFER_BYTES = PACKET_HEADROOM + PACKET_BYTES_MAX };

// Where the frame of the batch's packet `i` begins: PACKET_BYTES_MAX of room, headroom in front.
static inline uint8_t *worker_buffer(const struct worker *worker, uint32_t i)
{
	return worker->buffers + (uint64_t)i * WORKER_BUFFER_BYTES + PACKET_HEADROOM;
}

// xoroshiro128+ (Blackman and Vigna 2018), seeded by getrandom: ports, dither. Not for secrets.
static inline uint64_t worker_random(struct worker *worker)
{
	uint64_t a = worker->random_state[0], b = worker->random_state[1], result = a + b;
	b ^= a;
	worker->random_state[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	worker->random_state[1] = b << 37 | b >> 27;
	return result;
}

// Counts on a port. A gauge goes down by adding (uint64_t)0 - n.
static inline void worker_count(
	struct worker *w, uint16_t port, enum egret_port_counter c, uint64_t n)
{
	w->port_counters[(uint32_t)port * EGRET_PORT_COUNTER_COUNT + c] += n;
}

static inline void worker_count_drop(
	struct worker *w, uint16_t port, enum egret_drop drop, uint64_t frames)
{
	w->drop_counters[(uint32_t)port * EGRET_DROP_COUNT + drop] += frames;
}
