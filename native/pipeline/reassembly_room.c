// SPDX-License-Identifier: Apache-2.0

// See reassembly_room.h.
#include "pipeline/reassembly_room.h"

#include "packet/verdict.h"
#include "pipeline/reassembly.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// What is searched, apart from the payloads: a scan of all slots reads some 2 KiB.
struct slot {
	struct datagram_key key;
	uint32_t holder; // REASSEMBLY_HOLDER_FREE: not in use
	uint32_t deadline_tick;
	uint64_t number; // ascends with each datagram
};

struct reassembly {
	struct slot slots[REASSEMBLY_DATAGRAMS];
	struct datagram datagrams[REASSEMBLY_DATAGRAMS];
	uint32_t used;
	uint64_t begun;
};

struct reassembly *reassembly_make(void)
{
	return calloc(1, sizeof(struct reassembly));
}

void reassembly_free(struct reassembly *reassembly)
{
	free(reassembly);
}

static int is_same(const struct datagram_key *a, const struct datagram_key *b)
{
	return a->source == b->source && a->destination == b->destination && a->id == b->id &&
		a->scope == b->scope && a->is_port == b->is_port && a->protocol == b->protocol;
}

static struct slot *slot_of(const struct worker *worker, const struct datagram *datagram)
{
	struct reassembly *reassembly = worker->reassembly;
	return &reassembly->slots[datagram - reassembly->datagrams];
}

struct datagram *reassembly_find(struct worker *worker, const struct datagram_key *key)
{
	struct reassembly *reassembly = worker->reassembly;
	for (uint32_t i = 0; reassembly->used > 0 && i < REASSEMBLY_DATAGRAMS; i++)
		if (reassembly->slots[i].holder && is_same(&reassembly->slots[i].key, key))
			return &reassembly->datagrams[i];
	return NULL;
}

static uint32_t count_of_holder(const struct reassembly *reassembly, uint32_t holder)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < REASSEMBLY_DATAGRAMS; i++)
		count += reassembly->slots[i].holder == holder;
	return count;
}

static uint32_t count_of_source(const struct reassembly *reassembly, uint32_t source)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < REASSEMBLY_DATAGRAMS; i++)
		count += reassembly->slots[i].holder && reassembly->slots[i].key.source == source;
	return count;
}

// How far a holder is above the newcomer; at most 0: it keeps what it has. A flood without sessions
// never takes what belongs to one.
static int64_t excess(const struct reassembly *reassembly, uint32_t holder, uint32_t newcomer)
{
	int is_unknown = !!(holder & REASSEMBLY_HOLDER_UNKNOWN);
	int is_newcomer_unknown = !!(newcomer & REASSEMBLY_HOLDER_UNKNOWN);
	if (holder == newcomer || is_unknown < is_newcomer_unknown)
		return 0;
	uint32_t has = count_of_holder(reassembly, holder);
	if (is_unknown > is_newcomer_unknown)
		return (int64_t)REASSEMBLY_DATAGRAMS + has;
	return (int64_t)has - 1 - count_of_holder(reassembly, newcomer);
}

// The slot that a newcomer takes: a free one, or the oldest of the holder that is furthest above it.
static struct slot *slot_for(struct worker *worker, uint32_t newcomer)
{
	struct reassembly *reassembly = worker->reassembly;
	struct slot *worst = NULL;
	int64_t worst_excess = 0;
	for (uint32_t i = 0; i < REASSEMBLY_DATAGRAMS; i++) {
		struct slot *slot = &reassembly->slots[i];
		if (!slot->holder)
			return slot;
		if (worst && slot->holder == worst->holder) {
			worst = slot->number < worst->number ? slot : worst;
			continue;
		}
		int64_t above = excess(reassembly, slot->holder, newcomer);
		if (above > worst_excess) {
			worst = slot;
			worst_excess = above;
		}
	}
	if (worst) {
		struct datagram *datagram = &reassembly->datagrams[worst - reassembly->slots];
		reassembly_give_up(worker, datagram);
		reassembly_end(worker, datagram);
	}
	return worst;
}

struct datagram *reassembly_begin(
	struct worker *worker, const struct datagram_key *key, uint32_t holder)
{
	struct reassembly *reassembly = worker->reassembly;
	if (count_of_source(reassembly, key->source) >= REASSEMBLY_PER_SOURCE)
		return NULL;
	struct slot *slot = slot_for(worker, holder);
	if (!slot)
		return NULL;
	*slot = (struct slot){
		.key = *key,
		.holder = holder,
		.deadline_tick = worker->now_tick + REASSEMBLY_WAIT_TICKS,
		.number = reassembly->begun++,
	};
	struct datagram *datagram = &reassembly->datagrams[slot - reassembly->slots];
	memset(datagram, 0, offsetof(struct datagram, header));
	reassembly->used++;
	return datagram;
}

void reassembly_set_holder(struct worker *worker, struct datagram *datagram, uint32_t holder)
{
	slot_of(worker, datagram)->holder = holder;
}

uint32_t reassembly_holder(const struct worker *worker, const struct datagram *datagram)
{
	return slot_of(worker, datagram)->holder;
}

void reassembly_give_up(struct worker *worker, struct datagram *datagram)
{
	for (uint16_t port = 0; port < EGRET_PORT_MAX; port++) {
		if (datagram->held[port])
			verdict_count_given_up(
				worker, port, EGRET_DROP_FRAGMENT, datagram->held[port]);
		datagram->held[port] = 0;
	}
}

void reassembly_end(struct worker *worker, struct datagram *datagram)
{
	slot_of(worker, datagram)->holder = REASSEMBLY_HOLDER_FREE;
	worker->reassembly->used--;
}

void reassembly_expire(struct worker *worker)
{
	struct reassembly *reassembly = worker->reassembly;
	for (uint32_t i = 0; reassembly->used > 0 && i < REASSEMBLY_DATAGRAMS; i++) {
		struct slot *slot = &reassembly->slots[i];
		if (!slot->holder || (int32_t)(slot->deadline_tick - worker->now_tick) > 0)
			continue;
		reassembly_give_up(worker, &reassembly->datagrams[i]);
		reassembly_end(worker, &reassembly->datagrams[i]);
	}
}
