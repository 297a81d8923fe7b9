// A worker: one thread that takes batches from its ports, runs the pipeline and sends.
//
// It owns its sessions, bindings and port pools; nobody else writes them. All private memory is
// allocated when it is made. The same worker runs in the forwarder (worker_run) and, over memory
// ports, in tests (memory.c).
#pragma once

#include "arena/arena.h"
#include "fib/fib.h"
#include "packet/packet.h"
#include "plan/plan.h"
#include "packet/port.h"

#include <stdint.h>

struct session_table; // session.h
struct neighbor_table; // neighbor.h
struct reassembly; // reassembly.h
struct icmp_limiter; // icmp.h

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
	struct batch batch;
	uint8_t *buffers; // BATCH_PACKETS + BATCH_GENERATED of PACKET_HEADROOM + PACKET_BYTES_MAX
	uint64_t *port_counters, *drop_counters, *counters; // this worker's lines in the arena
	uint64_t random_state[2];
	uint16_t fragment_id; // of the next packet that is cut here
	// Packets that stage_transmit has made ready, in order.
	struct packet *ready[BATCH_PACKETS + BATCH_GENERATED];
	uint32_t ready_count;
};

// Makes a worker over an arena: private tables are built, sessions and ports rebuilt from records.
int worker_make(struct arena *arena, struct worker **worker);
void worker_free(struct worker *worker);
// Runs the packets in worker->batch (count, data, bytes, port, offload set) through the pipeline, at
// worker->now_ns. Counts them as received.
void worker_process(struct worker *worker);
// Timers, held packets, sweeps after a plan change: a bounded slice. Call at every tick and often.
// Returns 1 when more work waits: call again before sleeping.
int worker_housekeep(struct worker *worker);
// A fresh packet of the batch for something that this batch causes, or NULL when there is no room.
struct packet *worker_generate(struct worker *worker, const struct packet *cause);
// The same in the slot of one that was made for this batch, has left and is counted.
struct packet *worker_generate_again(struct worker *worker, const struct packet *cause);

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

static inline void worker_count(
	struct worker *w, uint16_t port, enum egret_port_counter c, uint64_t n)
{
	w->port_counters[(uint32_t)port * EGRET_PORT_COUNTER_COUNT + c] += n;
}
