// SPDX-License-Identifier: Apache-2.0

// Packets that wait for a neighbor's MAC address (RFC 1122 §2.3.2.2), and the questions to the kernel.
//
// A packet is copied: its batch continues without it. When the neighbor answers, the copy passes the
// last stages in a batch of its own. When the oldest has waited for NEIGHBOR_HOLD_NS, the neighbor
// counts as failed for as long again, and all packets that wait are dropped with host unreachable.
#include "neighbor/neighbor.h"
#include "neighbor/neighbor_table.h"
#include "packet/worker.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_INTERVAL_NS 200000000ull

int neighbor_hold_make(struct neighbor_table *table)
{
	table->held = calloc(HELD_PACKETS_MAX, sizeof *table->held);
	table->held_bytes = malloc((size_t)HELD_PACKETS_MAX * HELD_BYTES);
	table->large_bytes = malloc((size_t)HELD_LARGE_MAX * PACKET_BYTES_MAX);
	for (uint32_t i = 0; i < HELD_PACKETS_MAX; i++)
		table->free_held[table->free_held_count++] = (uint16_t)i;
	for (uint32_t i = 0; i < HELD_LARGE_MAX; i++)
		table->free_large[table->free_large_count++] = (uint16_t)i;
	return table->held && table->held_bytes && table->large_bytes;
}

void neighbor_hold_free(struct neighbor_table *table)
{
	free(table->held);
	free(table->held_bytes);
	free(table->large_bytes);
}

uint32_t neighbor_held(const struct neighbor_table *table)
{
	return HELD_PACKETS_MAX - table->free_held_count;
}

// Asks the kernel, unless it was asked a moment ago.
static void probe(struct worker *worker, uint32_t index)
{
	struct neighbor_table *table = worker->neighbors;
	struct neighbor *neighbor = &table->neighbors[index];
	if (neighbor->probed_ns != 0 && table->now_ns - neighbor->probed_ns < PROBE_INTERVAL_NS)
		return;
	neighbor->probed_ns = table->now_ns;
	neighbor_netlink_probe(worker, table->rows[index].port, table->rows[index].address,
		neighbor->kernel_flags, neighbor->kernel_flags_ext);
}

static int copy_packet(struct neighbor_table *table, uint32_t index, const struct packet *packet)
{
	struct neighbor *neighbor = &table->neighbors[index];
	int is_large = packet->bytes > HELD_BYTES;
	if (neighbor->held_count == NEIGHBOR_HOLD_PACKETS || table->free_held_count == 0 ||
		(is_large && table->free_large_count == 0))
		return 0;
	uint16_t slot = table->free_held[--table->free_held_count];
	struct held *held = &table->held[slot];
	held->packet = *packet;
	held->since_ns = table->now_ns;
	held->large = EGRET_NONE;
	held->bytes = table->held_bytes + (size_t)slot * HELD_BYTES;
	if (is_large) {
		held->large = table->free_large[--table->free_large_count];
		held->bytes = table->large_bytes + (size_t)held->large * PACKET_BYTES_MAX;
	}
	memcpy(held->bytes, packet->data, packet->bytes);
	if (neighbor->held_count == 0)
		table->waiting[table->waiting_count++] = index;
	neighbor->held[neighbor->held_count++] = slot;
	return 1;
}

int neighbor_hold(struct worker *worker, struct packet *packet, enum egret_drop *drop)
{
	struct neighbor_table *table = worker->neighbors;
	table->now_ns = worker->now_ns;
	uint32_t index = neighbor_row_find(table, packet->out_port, packet->next_hop);
	if (index == EGRET_NONE)
		index = neighbor_row_insert(table, packet->out_port, packet->next_hop);
	*drop = EGRET_DROP_HOLD_FULL;
	if (index == EGRET_NONE)
		return 0;
	struct egret_neighbor_row *row = &table->rows[index];
	if (row->state == NEIGHBOR_FAILED &&
		table->now_ns - table->neighbors[index].failed_ns < NEIGHBOR_HOLD_NS) {
		*drop = EGRET_DROP_NO_NEIGHBOR;
		return 0;
	}
	int is_held = copy_packet(table, index, packet);
	if (is_held) {
		neighbor_row_store_state(row, NEIGHBOR_RESOLVING);
		packet->verdict = PACKET_HELD;
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_HELD, 1);
	}
	probe(worker, index);
	return is_held;
}

// Moves what waits for one neighbor into the batch: live, or dropped when `is_failed`.
static void take_held(struct worker *worker, uint32_t index, int is_failed)
{
	struct neighbor_table *table = worker->neighbors;
	struct neighbor *neighbor = &table->neighbors[index];
	for (uint32_t i = 0; i < neighbor->held_count; i++) {
		uint16_t slot = neighbor->held[i];
		struct held *held = &table->held[slot];
		struct packet *packet = &worker->batch.packets[worker->batch.count];
		uint8_t *data = worker_buffer(worker, worker->batch.count);
		worker->batch.count++;
		memcpy(data, held->bytes, held->packet.bytes);
		*packet = held->packet;
		packet->data = data;
		packet->verdict = is_failed ? PACKET_DROP : PACKET_LIVE;
		packet->drop = is_failed ? EGRET_DROP_NO_NEIGHBOR : EGRET_DROP_NONE;
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_HELD, (uint64_t)-1);
		if (held->large != EGRET_NONE)
			table->free_large[table->free_large_count++] = (uint16_t)held->large;
		table->free_held[table->free_held_count++] = slot;
	}
	neighbor->held_count = 0;
}

// 1 while the kernel may still answer for a neighbor.
static int is_resolving(const struct neighbor_table *table, uint32_t index)
{
	const struct neighbor *neighbor = &table->neighbors[index];
	return table->rows[index].state == NEIGHBOR_RESOLVING &&
		table->now_ns - table->held[neighbor->held[0]].since_ns < NEIGHBOR_HOLD_NS;
}

int neighbor_take_ready(struct worker *worker)
{
	struct neighbor_table *table = worker->neighbors;
	uint32_t kept = 0;
	table->now_ns = worker->now_ns;
	worker->batch.count = 0;
	neighbor_poll(worker);
	for (uint32_t i = 0; i < table->waiting_count; i++) {
		uint32_t index = table->waiting[i];
		struct egret_neighbor_row *row = &table->rows[index];
		struct neighbor *neighbor = &table->neighbors[index];
		if (is_resolving(table, index)) {
			probe(worker, index);
			table->waiting[kept++] = index;
			continue;
		}
		if (worker->batch.count + neighbor->held_count > BATCH_PACKETS) {
			table->waiting[kept++] = index; // of the next batch
			continue;
		}
		if (row->state == NEIGHBOR_RESOLVING) {
			neighbor->failed_ns = table->now_ns;
			neighbor_row_store_state(row, NEIGHBOR_FAILED);
		}
		take_held(worker, index, row->state != NEIGHBOR_REACHABLE);
	}
	table->waiting_count = kept;
	return worker->batch.count > 0;
}
