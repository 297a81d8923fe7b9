// SPDX-License-Identifier: Apache-2.0

// The writer's table of prefixes against an array, and how it grows and gives memory back.
#include "fib/prefix_table.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static uint32_t random_state = 7;

static uint32_t random_below(uint32_t max)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % max;
}

static void add(struct prefix_table *table, uint32_t prefix, uint32_t length, uint32_t group)
{
	if (!prefix_table_reserve(table, prefix, length)) {
		printf("Bail out! no memory\n");
		exit(1);
	}
	prefix_table_set(table, prefix, length, group);
}

static void test_churn(void)
{
	enum { PREFIXES = 4096, STEPS = 200000 };
	static uint32_t groups[PREFIXES];
	struct prefix_table table = {.key = 0x1234567890abcdefull};
	uint32_t wrong = 0;
	for (uint32_t step = 0; step < STEPS; step++) {
		// Fills and empties in turns, so that shards grow and shrink.
		uint32_t i = random_below(PREFIXES), group = 1 + random_below(1000);
		int is_added = random_below(100) < (step / 20000 % 2 ? 10 : 90);
		if (is_added)
			add(&table, i << 8, 24, group);
		else
			prefix_table_remove(&table, i << 8, 24);
		groups[i] = is_added ? group : 0;
		uint32_t probe = random_below(PREFIXES);
		wrong += prefix_table_get(&table, probe << 8, 24) != groups[probe];
	}
	tap_ok(wrong == 0, "%d changes, each prefix has the group it was given last", STEPS);
	for (uint32_t i = 0; i < PREFIXES; i++)
		prefix_table_remove(&table, i << 8, 24);
	uint32_t held = 0;
	for (uint32_t i = 0; i < PREFIX_SHARDS; i++)
		held += table.shards[i].entries != NULL;
	tap_ok(held == 0, "a table that was emptied holds no memory");
	prefix_table_clear(&table);
}

static void test_cover(void)
{
	struct prefix_table table = {.key = 1};
	add(&table, 0, 0, 2);
	add(&table, 0x0a000000, 8, 3);
	add(&table, 0x0a010000, 16, 4);
	uint32_t length;
	tap_ok(prefix_table_cover(&table, 0x0a010000, 16, &length) == 3 && length == 8,
		"a prefix is covered by the longest that is shorter");
	tap_ok(prefix_table_cover(&table, 0x0b000000, 8, &length) == 2 && length == 0,
		"and where there is no other, by the default");
	prefix_table_clear(&table);
}

static void test_one_neighborhood(void)
{
	enum { PREFIXES = 64000 };
	struct prefix_table table = {.key = 0xfedcba0987654321ull};
	for (uint32_t i = 0; i < PREFIXES; i++)
		add(&table, 0x0a000000 + i, 32, 5);
	uint32_t most = 0;
	for (uint32_t i = 0; i < PREFIX_SHARDS; i++)
		if (table.shards[i].count > most)
			most = table.shards[i].count;
	tap_ok(most < 2 * PREFIXES / PREFIX_SHARDS,
		"neighboring prefixes grow all shards, none over %u of %d", most, PREFIXES);
	prefix_table_clear(&table);
}

int main(void)
{
	test_churn();
	test_cover();
	test_one_neighborhood();
	return tap_done();
}
