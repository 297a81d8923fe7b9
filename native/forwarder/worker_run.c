// SPDX-License-Identifier: Apache-2.0

#include "forwarder/worker_run.h"

#include "arena/epoch.h"
#include "egret.h"
#include "lib/clock.h"
#include "nat/session.h"
#include "neighbor/neighbor.h"
#include "pipeline/icmp.h"
#include "pipeline/pipeline.h"
#include "pipeline/reassembly.h"
#include "pipeline/stage.h"
#include "pipeline/trial.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
	WORKER = 0,
	EXPIRE_TIMERS = 4096, // a slice of housekeeping
	SWEEP_RECORDS = 16384,
};

// Frames that an earlier forwarder had taken and never accounted for: they died with it.
static void settle_counters(struct worker *worker)
{
	for (uint32_t port = 0; port < EGRET_PORT_MAX; port++) {
		uint64_t *c = worker->port_counters + port * EGRET_PORT_COUNTER_COUNT;
		uint64_t *drops = worker->drop_counters + port * EGRET_DROP_COUNT;
		uint64_t accounted = c[EGRET_PORT_COUNTER_SENT] + c[EGRET_PORT_COUNTER_KERNEL] +
			c[EGRET_PORT_COUNTER_ABSORBED];
		for (uint32_t drop = 0; drop < EGRET_DROP_COUNT; drop++)
			accounted += drops[drop];
		uint64_t taken = c[EGRET_PORT_COUNTER_RECEIVED] + c[EGRET_PORT_COUNTER_GENERATED];
		if (taken > accounted)
			drops[EGRET_DROP_STALE] += taken - accounted;
		c[EGRET_PORT_COUNTER_HELD] = 0;
	}
}

int worker_make(struct arena *arena, struct worker **result)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (!worker)
		return -EGRET_STATUS_NO_SPACE;
	worker->arena = arena;
	worker->port_counters = &arena->counters->ports[0][0];
	worker->drop_counters = &arena->counters->drops[0][0];
	worker->counters = arena->counters->worker;
	worker->now_ns = clock_now_ns();
	worker->now_tick = (uint32_t)(worker->now_ns / EGRET_TICK_NS);
	for (uint32_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		worker->ports[slot].fd = -1;
	// All there from the start: no packet waits for a page, or ends the process for want of one.
	worker->buffers = mmap(NULL, (uint64_t)BATCH_MAX * WORKER_BUFFER_BYTES,
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (worker->buffers == MAP_FAILED)
		worker->buffers = NULL;
	worker->sessions = session_table_make(arena, worker->counters, worker->now_tick);
	worker->neighbors = neighbor_table_make(arena);
	worker->reassembly = reassembly_make();
	worker->icmp = icmp_limiter_make();
	worker->trials = trials_make();
	if (!worker->buffers || !worker->sessions || !worker->neighbors || !worker->reassembly ||
		!worker->icmp || !worker->trials ||
		getrandom(worker->random_state, sizeof worker->random_state, 0) !=
			sizeof worker->random_state) {
		worker_free(worker);
		return -EGRET_STATUS_NO_SPACE;
	}
	for (uint32_t i = 0; i < WORKER_FRAGMENT_IDS; i++)
		worker->fragment_ids[i] = (uint16_t)worker_random(worker);
	settle_counters(worker);
	*result = worker;
	return 0;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	for (uint32_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		if (worker->ports[slot].driver)
			worker->ports[slot].driver->close(&worker->ports[slot]);
	session_table_free(worker->sessions);
	if (worker->neighbors)
		neighbor_table_free(worker->neighbors);
	reassembly_free(worker->reassembly);
	icmp_limiter_free(worker->icmp);
	trials_free(worker->trials);
	if (worker->buffers)
		munmap(worker->buffers, (uint64_t)BATCH_MAX * WORKER_BUFFER_BYTES);
	free(worker);
}

static void begin(struct worker *worker)
{
	epoch_enter(worker->arena, WORKER);
	worker->now_tick = (uint32_t)(worker->now_ns / EGRET_TICK_NS);
	plan_view_take(worker->arena, &worker->plan);
	fib_view_take(worker->arena, &worker->fib);
}

static void end(struct worker *worker)
{
	struct arena_header *header = worker->arena->header;
	__atomic_store_n(&header->workers[WORKER].plan_seen, worker->plan.number, __ATOMIC_RELEASE);
	__atomic_store_n(&header->workers[WORKER].generation_seen, worker->fib.generation_number,
		__ATOMIC_RELEASE);
	epoch_leave(worker->arena, WORKER, worker->now_ns);
}

// Keeps what the port said of a frame and forgets what an earlier one left in its slot.
static void reset_packet(struct packet *packet)
{
	struct packet fresh = {
		.data = packet->data,
		.bytes = packet->bytes,
		.port = packet->port,
		.checksum = packet->checksum,
		.checksum_start = packet->checksum_start,
		.checksum_offset = packet->checksum_offset,
		.gso_type = packet->gso_type,
		.gso_bytes = packet->gso_bytes,
		.gso_header_bytes = packet->gso_header_bytes,
		.session = EGRET_NONE,
		.binding = EGRET_NONE,
	};
	*packet = fresh;
}

void worker_process(struct worker *worker)
{
	struct batch *batch = &worker->batch;
	if (batch->count == 0)
		return;
	begin(worker);
	worker->counters[EGRET_WORKER_COUNTER_BATCHES]++;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[i];
		reset_packet(packet);
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_RECEIVED, 1);
		worker_count(
			worker, packet->port, EGRET_PORT_COUNTER_RECEIVED_BYTES, packet->bytes);
		if (worker->plan.number == 0) // there is no plan yet
			packet_drop(packet, EGRET_DROP_NOT_FORWARDED);
	}
	pipeline_run(worker);
	batch->count = 0;
	end(worker);
}

void worker_try(struct worker *worker, const struct egret_trial *request, const uint8_t *ip)
{
	enum egret_drop drop = EGRET_DROP_NONE;
	begin(worker);
	int entered = trial_enter(worker, request, ip, &drop);
	if (entered)
		pipeline_run(worker);
	trial_report(worker, request, entered, drop);
	worker->batch.count = 0;
	end(worker);
}

void worker_remove_session(struct worker *worker, uint32_t session)
{
	begin(worker);
	worker->counters[EGRET_WORKER_COUNTER_SESSIONS_CLEARED]++;
	session_remove(worker->sessions, session, worker->now_tick,
		worker->plan.number ? session_quarantine_ticks(worker->plan.plan) : 0);
	end(worker);
}

int worker_housekeep(struct worker *worker)
{
	int has_more = 0;
	begin(worker);
	if (worker->plan.number != 0) {
		has_more |= session_expire(
			worker->sessions, worker->plan.plan, worker->now_tick, EXPIRE_TIMERS);
		has_more |= session_sweep(worker, SWEEP_RECORDS);
	}
	reassembly_expire(worker);
	while (neighbor_take_ready(worker))
		pipeline_release(worker);
	worker->batch.count = 0;
	end(worker);
	return has_more;
}
