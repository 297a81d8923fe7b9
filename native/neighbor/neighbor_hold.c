// SPDX-License-Identifier: Apache-2.0

// Packets that wait for a neighbor's MAC address (RFC 1122 §2.3.2.2), and the questions to the kernel.
//
// A packet is copied: its batch continues without it. When the neighbor answers, the copy passes the
// last stages in a batch of its own. When the oldest has waited for NEIGHBOR_HOLD_NS, the neighbor
// counts as failed for as long again, and all packets that wait are dropped with host unreachable.
//
// The room for packets, and the neighbors that are asked for at a time, are shared by network and by client:
// a scan of one client's network leaves the others theirs.
#include "neighbor/neighbor.h"
#include "neighbor/neighbor_table.h"
#include "packet/worker.h"
#include "plan/plan.h"

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
	// One client takes at most half of what its network may.
	table->packet_shares.networks.max = HELD_PACKETS_MAX;
	table->packet_shares.clients.max = HELD_PACKETS_MAX / 2;
	table->waiting_shares.networks.max = WAITING_MAX;
	table->waiting_shares.clients.max = WAITING_MAX / 2;
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

static int shares_allow(const struct neighbor_shares *shares, uint16_t network, uint16_t client)
{
	return fair_share_allows(&shares->networks, network) &&
		fair_share_allows(&shares->clients, client);
}

static void shares_take(struct neighbor_shares *shares, uint16_t network, uint16_t client)
{
	fair_share_take(&shares->networks, network);
	fair_share_take(&shares->clients, client);
}

static void shares_give(struct neighbor_shares *shares, uint16_t network, uint16_t client)
{
	fair_share_give(&shares->networks, network);
	fair_share_give(&shares->clients, client);
}

// Whose packet it is: its client, whichever of its addresses it uses; others by their address. By chance
// two may be one.
static uint16_t taker_of(const struct worker *worker, const struct packet *packet)
{
	const uint64_t *key = worker->neighbors->key;
	const struct egret_plan_client *client = plan_client(&worker->plan, packet->source);
	uint64_t who = client ? (uint64_t)client->prefix << 8 | client->prefix_length
			      : (uint64_t)packet->source << 8 | 255;
	who = (who ^ key[0]) * 0x9e3779b97f4a7c15ull;
	who = (who ^ who >> 32 ^ key[1]) * 0x9e3779b97f4a7c15ull;
	return (uint16_t)(who >> 32) % FAIR_SHARE_TAKERS;
}

static int copy_packet(struct worker *worker, uint32_t index, const struct packet *packet)
{
	struct neighbor_table *table = worker->neighbors;
	struct neighbor *neighbor = &table->neighbors[index];
	int is_large = packet->bytes > HELD_BYTES;
	uint16_t client = taker_of(worker, packet);
	if (neighbor->held_count == NEIGHBOR_HOLD_PACKETS || table->free_held_count == 0 ||
		(is_large && table->free_large_count == 0) ||
		!shares_allow(&table->packet_shares, packet->network, client))
		return 0;
	if (neighbor->held_count == 0) {
		if (table->waiting_count == WAITING_MAX ||
			!shares_allow(&table->waiting_shares, packet->network, client))
			return 0;
		shares_take(&table->waiting_shares, packet->network, client);
		neighbor->network = packet->network;
		neighbor->client = client;
		table->waiting[table->waiting_count++] = index;
	}
	shares_take(&table->packet_shares, packet->network, client);
	uint16_t slot = table->free_held[--table->free_held_count];
	struct held *held = &table->held[slot];
	held->packet = *packet;
	held->client = client;
	held->since_ns = table->now_ns;
	held->large = EGRET_NONE;
	held->bytes = table->held_bytes + (size_t)slot * HELD_BYTES;
	if (is_large) {
		held->large = table->free_large[--table->free_large_count];
		held->bytes = table->large_bytes + (size_t)held->large * PACKET_BYTES_MAX;
	}
	memcpy(held->bytes, packet->data, packet->bytes);
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
	if (copy_packet(worker, index, packet)) {
		neighbor_row_store_state(row, NEIGHBOR_RESOLVING);
		packet->verdict = PACKET_HELD;
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_HELD, 1);
		probe(worker, index);
		return 1;
	}
	// One that another packet waits for is asked again; no other is, or the kernel's table would fill.
	if (table->neighbors[index].held_count > 0)
		probe(worker, index);
	return 0;
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
		shares_give(&table->packet_shares, held->packet.network, held->client);
		table->free_held[table->free_held_count++] = slot;
	}
	if (neighbor->held_count > 0)
		shares_give(&table->waiting_shares, neighbor->network, neighbor->client);
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
