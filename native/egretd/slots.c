// SPDX-License-Identifier: Apache-2.0

// Slots: small numbers for interfaces, networks and gateway addresses.
//
// A slot keeps its meaning as long as the arena exists, so that a session record, a counter or a FIB
// means the same to later instances of both processes. Only egretd writes them.
#include "arena/arena.h"
#include "arena/epoch.h"
#include "egret.h"
#include "plan/plan.h"

#include <string.h>

int egret_port_slot(void *handle, const char *interface_name)
{
	struct arena_slots *slots = ((struct arena *)handle)->slots;
	size_t bytes = interface_name ? strlen(interface_name) : 0;
	if (bytes == 0 || bytes >= EGRET_NAME_BYTES)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int empty = -1;
	for (int i = 0; i < EGRET_PORT_MAX; i++) {
		if (strncmp(slots->ports[i], interface_name, EGRET_NAME_BYTES) == 0)
			return i;
		if (empty < 0 && slots->ports[i][0] == 0)
			empty = i;
	}
	if (empty < 0)
		return -EGRET_STATUS_NO_SPACE;
	memcpy(slots->ports[empty], interface_name, bytes + 1);
	return empty;
}

int egret_network_slot(void *handle, uint32_t route_table_index)
{
	struct arena *arena = handle;
	uint32_t *networks = arena->slots->networks;
	if (route_table_index == 0)
		return -EGRET_STATUS_BAD_ARGUMENT;
	uint32_t empty = EGRET_NONE;
	for (uint32_t i = 0; i < arena->header->limits.networks; i++) {
		if (networks[i] == route_table_index)
			return (int)i;
		if (empty == EGRET_NONE && networks[i] == 0)
			empty = i;
	}
	if (empty == EGRET_NONE)
		return -EGRET_STATUS_NO_SPACE;
	__atomic_store_n(&networks[empty], route_table_index, __ATOMIC_RELEASE);
	return (int)empty;
}

// The slot that holds a value, or the first free one when the value is 0; -1: none.
static int address_find(const struct arena_slots *slots, uint32_t address)
{
	for (int i = 0; i < EGRET_ADDRESS_MAX; i++)
		if (slots->addresses[i] == address)
			return i;
	return -1;
}

int egret_address_slot(void *handle, uint32_t address)
{
	struct arena_slots *slots = ((struct arena *)handle)->slots;
	if (address == 0)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int slot = address_find(slots, address);
	if (slot >= 0)
		return slot;
	slot = address_find(slots, 0);
	if (slot < 0)
		return -EGRET_STATUS_NO_SPACE;
	__atomic_store_n(&slots->addresses[slot], address, __ATOMIC_RELEASE);
	return slot;
}

// Errors: BAD_ARGUMENT while the current plan names the address; TIMEOUT while a worker has not
// taken up the current plan, or a port of the address is in use or in quarantine: ask again later.
int egret_address_slot_release(void *handle, uint32_t address)
{
	struct arena *arena = handle;
	int slot = address == 0 ? -1 : address_find(arena->slots, address);
	if (slot < 0)
		return -EGRET_STATUS_NOT_FOUND;
	struct plan_view plan;
	plan_view_take(arena, &plan);
	if (plan_address(&plan, address))
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (plan.number != 0 && egret_plan_acknowledged(arena) != (int64_t)plan.number)
		return -EGRET_STATUS_TIMEOUT;
	struct egret_pool_row pool;
	int status = egret_pool_read(arena, (uint16_t)slot, &pool);
	if (status < 0)
		return status;
	if (pool.tcp_used || pool.udp_used || pool.icmp_used || pool.quarantined)
		return -EGRET_STATUS_TIMEOUT;
	__atomic_store_n(&arena->slots->addresses[slot], 0, __ATOMIC_RELEASE);
	return 0;
}
