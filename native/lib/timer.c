// SPDX-License-Identifier: Apache-2.0

// The timer wheel. See timer.h.
#include "lib/timer.h"

#include "lib/pages.h"

#include <string.h>

int timer_make(struct timer_wheel *wheel, uint32_t count, uint32_t now_tick)
{
	wheel->nodes = pages_make((uint64_t)count * sizeof(struct timer_node));
	if (!wheel->nodes)
		return -1;
	memset(wheel->slots, 0, sizeof wheel->slots);
	wheel->count = count;
	wheel->tick = now_tick;
	return 0;
}

void timer_free(struct timer_wheel *wheel)
{
	pages_free(wheel->nodes, (uint64_t)wheel->count * sizeof(struct timer_node));
	wheel->nodes = NULL;
}

void timer_clear(struct timer_wheel *wheel, uint32_t number)
{
	struct timer_node *node = &wheel->nodes[number];
	if (node->slot == 0)
		return;
	if (node->previous == 0)
		wheel->slots[node->slot - 1] = node->next;
	else
		wheel->nodes[node->previous - 1].next = node->next;
	if (node->next != 0)
		wheel->nodes[node->next - 1].previous = node->previous;
	node->slot = 0;
}

void timer_set(struct timer_wheel *wheel, uint32_t number, uint32_t deadline_tick)
{
	timer_clear(wheel, number);
	int32_t away = (int32_t)(deadline_tick - wheel->tick);
	if (away < 0)
		away = 0;
	if (away > TIMER_SLOTS - 1)
		away = TIMER_SLOTS - 1;
	uint32_t slot = (wheel->tick + (uint32_t)away) % TIMER_SLOTS;
	struct timer_node *node = &wheel->nodes[number];
	node->slot = slot + 1;
	node->previous = 0;
	node->next = wheel->slots[slot];
	if (node->next != 0)
		wheel->nodes[node->next - 1].previous = number + 1;
	wheel->slots[slot] = number + 1;
}

void timer_set_sooner(struct timer_wheel *wheel, uint32_t number, uint32_t deadline_tick)
{
	if (timer_is_set(wheel, number)) {
		uint32_t slot = wheel->nodes[number].slot - 1;
		uint32_t set_away = (slot - wheel->tick) % TIMER_SLOTS;
		if ((int32_t)(deadline_tick - wheel->tick) >= (int32_t)set_away)
			return;
	}
	timer_set(wheel, number, deadline_tick);
}

uint32_t timer_take(struct timer_wheel *wheel, uint32_t now_tick)
{
	// After a long sleep one turn of the wheel is enough: nothing is set further ahead.
	if ((int32_t)(now_tick - wheel->tick) > TIMER_SLOTS) {
		uint32_t behind = (now_tick - wheel->tick) / TIMER_SLOTS - 1;
		wheel->tick += behind * TIMER_SLOTS;
	}
	while ((int32_t)(now_tick - wheel->tick) >= 0) {
		uint32_t number = wheel->slots[wheel->tick % TIMER_SLOTS];
		if (number != 0) {
			timer_clear(wheel, number - 1);
			return number - 1;
		}
		if (wheel->tick == now_tick)
			return EGRET_NONE;
		wheel->tick++;
	}
	return EGRET_NONE;
}
