// SPDX-License-Identifier: Apache-2.0

// A timer wheel: things with a number, each with at most one deadline in ticks.
//
// One slot a tick, TIMER_SLOTS of them; a deadline further away waits in the last slot that can hold
// it and is set again from there. A packet does not move its session's timer: when the timer expires,
// session_expire reads the time of the last packet and sets the timer again.
#pragma once
#include "abi.h"

#include <stdint.h>

enum { TIMER_SLOTS = 4096 };

// All of it counts from 1, so that zeros are a timer that is not set.
struct timer_node {
	uint32_t next, previous; // numbers; 0: it is the last, the first of its slot
	uint32_t slot; // 0: not set
};

struct timer_wheel {
	struct timer_node *nodes; // [count]
	uint32_t slots[TIMER_SLOTS]; // first number, from 1; 0: none
	uint32_t count;
	uint32_t tick; // all deadlines before it have been handed out
};

// Makes a wheel for the numbers 0 to count - 1, at a time. Returns 0, or -1 without memory.
int timer_make(struct timer_wheel *wheel, uint32_t count, uint32_t now_tick);
void timer_free(struct timer_wheel *wheel);
// Sets (or moves) the deadline of a number. The past means now.
void timer_set(struct timer_wheel *wheel, uint32_t number, uint32_t deadline_tick);
// Like timer_set, but never later than what is set.
void timer_set_sooner(struct timer_wheel *wheel, uint32_t number, uint32_t deadline_tick);
void timer_clear(struct timer_wheel *wheel, uint32_t number);

static inline int timer_is_set(const struct timer_wheel *wheel, uint32_t number)
{
	return wheel->nodes[number].slot != 0;
}

// Takes a number whose slot has come; EGRET_NONE when there is none left at this time. The caller
// decides whether its deadline really has passed, and sets it again if not.
uint32_t timer_take(struct timer_wheel *wheel, uint32_t now_tick);
