// SPDX-License-Identifier: Apache-2.0

// Where each table of the arena lies. See layout.h.
#include "tables/layout.h"

#include "fib/fib.h"
#include "nat/session_record.h"
#include "plan/plan.h"

#include <stddef.h>

enum { LIMIT_MAX = 1 << 28 }; // of any limit, so that no size overflows

// Reserves a section and returns its offset.
static uint64_t section(uint64_t *end, uint64_t bytes)
{
	uint64_t at = *end;
	*end += (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	return at;
}

static struct arena_list list(uint64_t at, uint32_t count, uint32_t row_bytes)
{
	return (struct arena_list){.at = at, .count = count, .row_bytes = row_bytes};
}

static struct arena_list list_section(uint64_t *end, uint32_t count, uint32_t row_bytes)
{
	return list(section(end, (uint64_t)count * row_bytes), count, row_bytes);
}

static void layout_slots(struct arena_list *lists, uint64_t at)
{
	lists[ARENA_PORTS] = list(
		at + offsetof(struct arena_slots, ports), EGRET_PORT_MAX, EGRET_NAME_BYTES);
	lists[ARENA_NETWORKS] = list(
		at + offsetof(struct arena_slots, networks), EGRET_NETWORK_MAX, sizeof(uint32_t));
	lists[ARENA_ADDRESSES] = list(
		at + offsetof(struct arena_slots, addresses), EGRET_ADDRESS_MAX, sizeof(uint32_t));
}

int tables_layout(struct arena_header *header, const struct egret_limits *limits)
{
#define LIMIT_IN_RANGE(ctype, accessor, name, doc) &&limits->name <= LIMIT_MAX
	if (!(1 EGRET_LIMITS_FIELDS(LIMIT_IN_RANGE)))
		return 0;
	if (limits->networks < 1 || limits->networks > EGRET_NETWORK_MAX)
		return 0;
	if (limits->groups > FIB_GROUP_MAX - EGRET_GROUP_FIRST)
		return 0;
	header->limits = *limits;
	header->plan_bytes = plan_buffer_bytes(limits);
	header->generation_bytes = fib_half_bytes(limits);
	struct arena_list *lists = header->preamble.lists;
	uint64_t end = 0;
	section(&end, sizeof(struct arena_header));
	layout_slots(lists, section(&end, sizeof(struct arena_slots)));
	lists[ARENA_FIELDS] = list_section(
		&end, SESSION_RECORD_FIELD_COUNT, sizeof(struct arena_field));
	for (int i = 0; i < 2; i++)
		header->at_plans[i] = section(&end, header->plan_bytes);
	for (int i = 0; i < 2; i++)
		header->at_generations[i] = section(&end, header->generation_bytes);
	lists[ARENA_SESSIONS] = list_section(&end, limits->sessions, sizeof(struct session_record));
	lists[ARENA_BINDINGS] = list_section(&end, limits->bindings, sizeof(struct binding_record));
	header->at_pools = section(&end, EGRET_ADDRESS_MAX * sizeof(struct egret_pool_row));
	header->at_neighbors = section(
		&end, (uint64_t)limits->neighbors * sizeof(struct egret_neighbor_row));
	header->at_counters = section(&end, sizeof(struct arena_counters));
	header->preamble.bytes = end;
	return 1;
}
