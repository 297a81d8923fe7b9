// The timer wheel. See timer.h.
#include "lib/timer.h"

#include <stdlib.h>
#include <string.h>

int timer_make(struct timer_wheel *wheel, uint32_t count, uint32_t now_tick)
{
	wheel->nodes = malloc((uint64_t)(count ? count : 1) * sizeof(struct timer_node));
	if (!wheel->nodes)
		return -1;
	memset(wheel->nodes, 0xff, (uint64_t)count * sizeof(struct timer_node));
	memset(wheel->slots, 0xff, sizeof wheel->slots);
	wheel->count = count;
	wheel->tick = now_tick;
	return 0;
}

void timer_free(struct timer_wheel *wheel)
{
	free(wheel->nodes);
	wheel->nodes = NULL;
}

void timer_clear(struct timer_wheel *wheel, uint32_t number)
{
	struct timer_node *node = &wheel->nodes[number];
	if (node->slot == EGRET_NONE)
		return;
	if (node->previous == EGRET_NONE)
		wheel->slots[node->slot] = node->next;
	else
		wheel->nodes[node->previous].next = node->next;
	if (node->next != EGRET_NONE)
		wheel->nodes[node->next].previous = node->previous;
	node->slot = EGRET_NONE;
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
	node->slot = slot;
	node->previous = EGRET_NONE;
	node->next = wheel->slots[slot];
	if (node->next != EGRET_NONE)
		wheel->nodes[node->next].previous = number;
	wheel->slots[slot] = number;
}

void timer_set_sooner(struct timer_wheel *wheel, uint32_t number, uint32_t deadline_tick)
{
	const struct timer_node *node = &wheel->nodes[number];
	if (node->slot != EGRET_NONE) {
		uint32_t set_away = (node->slot - wheel->tick) % TIMER_SLOTS;
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
		if (number != EGRET_NONE) {
			timer_clear(wheel, number);
			return number;
		}
		if (wheel->tick == now_tick)
			return EGRET_NONE;
		wheel->tick++;
	}
	return EGRET_NONE;
}
