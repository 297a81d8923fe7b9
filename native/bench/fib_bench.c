// SPDX-License-Identifier: Apache-2.0

// Measures the FIB: deltas and lookups a second, single large steps; `what | figure | unit` a line.
//
//   fib_bench [PREFIXES [ROUNDS]]
//
// PREFIXES is a file with one prefix a line (192.0.2.0/24); without it 900,000 are made up with the
// length mix of a full table, scattered evenly, which needs more plies than real ones. Lookups go to
// addresses inside random prefixes, each independent of the one before.
#include "egret.h"
#include "fib/fib.h"
#include "lib/clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MADE_UP = 900000, PREFIX_MAX = 2000000, LOOKUPS = 1 << 24, BATCH = 4096, GROUPS = 200 };

static uint64_t state = 88172645463325252ull;

static uint32_t random_word(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * 0x2545f4914f6cdd1dull >> 32);
}

static uint32_t prefixes_read(const char *path, struct egret_fib_delta *deltas)
{
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		exit(1);
	}
	uint32_t count = 0, length;
	char line[128], address[64];
	while (count < PREFIX_MAX && fgets(line, sizeof line, file)) {
		struct in_addr parsed;
		if (sscanf(line, "%63[0-9.]/%u", address, &length) == 2 && length <= 32 &&
			inet_aton(address, &parsed))
			deltas[count++] = (struct egret_fib_delta){ntohl(parsed.s_addr), length, 0};
	}
	fclose(file);
	return count;
}

static uint32_t prefixes_make_up(struct egret_fib_delta *deltas)
{
	// Of 100,000 prefixes of a full table, how many have each length, /8 to /24: about.
	static const uint32_t share[] = {2, 2, 4, 10, 30, 60, 120, 220, 1450, 900, 1480, 2630, 4630,
		5370, 11370, 10320, 61402};
	for (uint32_t i = 0; i < MADE_UP; i++) {
		uint32_t pick = random_word() % 100000, length = 8;
		for (; length < 24 && pick >= share[length - 8]; length++)
			pick -= share[length - 8];
		uint32_t address = 0x01000000 + random_word() % 0xdf000000;
		deltas[i] = (struct egret_fib_delta){
			address >> (32 - length) << (32 - length), length, 0};
	}
	return MADE_UP;
}

// Applies in batches as the control plane does; prints the rate and the longest batch.
static void apply_all(void *arena, const char *what, struct egret_fib_delta *deltas, uint32_t count)
{
	uint64_t start = clock_now_ns(), longest = 0;
	for (uint32_t i = 0; i < count; i += BATCH) {
		uint32_t n = count - i < BATCH ? count - i : BATCH;
		uint64_t batch_start = clock_now_ns();
		if (egret_fib_apply(arena, 1, deltas + i, n) != (int)n) {
			printf("%s stopped at %u: status %d\n", what, i,
				egret_fib_last_status(arena));
			exit(1);
		}
		uint64_t batch_ns = clock_now_ns() - batch_start;
		longest = batch_ns > longest ? batch_ns : longest;
	}
	uint32_t used, max;
	egret_fib_usage(arena, &used, &max);
	double seconds = (double)(clock_now_ns() - start) / 1e9;
	printf("FIB, %s | %.2f | M deltas/s\n", what, count / seconds / 1e6);
	printf("# longest batch of %d: %.2f ms, plies %u (%.1f MiB)\n", BATCH,
		(double)longest / 1e6, used, used / 1024.0);
}

// The two single steps that touch most: a default route, and the removal of a network.
static void single_steps(void *arena)
{
	struct egret_fib_delta route = {0, 0, EGRET_GROUP_FIRST};
	uint64_t start = clock_now_ns(), announced = start, longest = 0;
	for (int applied = 0; applied == 0;) {
		uint64_t call_start = announced;
		applied = egret_fib_apply(arena, 1, &route, 1);
		announced = clock_now_ns();
		longest = announced - call_start > longest ? announced - call_start : longest;
	}
	egret_fib_clear(arena, 1);
	uint64_t cleared = clock_now_ns();
	printf("FIB, default route over all of it | %.2f | ms\n# longest call %.2f ms\n",
		(double)(announced - start) / 1e6, (double)longest / 1e6);
	printf("FIB, clear | %.2f | ms\n", (double)(cleared - announced) / 1e6);
}

static void look_up(void *arena, const struct egret_fib_delta *deltas, uint32_t count)
{
	struct fib_view view;
	fib_view_take(arena, &view);
	uint32_t *addresses = malloc(LOOKUPS * sizeof *addresses);
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		const struct egret_fib_delta *delta = &deltas[random_word() % count];
		uint32_t host = delta->prefix_length ? UINT32_MAX >> (delta->prefix_length - 1) >> 1
						     : UINT32_MAX;
		addresses[i] = delta->prefix | (random_word() & host);
	}
	uint64_t start = clock_now_ns();
	uint32_t found = 0;
	for (uint32_t i = 0; i < LOOKUPS; i++)
		found += fib_lookup(&view, 1, addresses[i]) != EGRET_GROUP_NONE;
	double seconds = (double)(clock_now_ns() - start) / 1e9;
	printf("FIB, lookup | %.1f | ns\n# %u of %u found\n", seconds * 1e9 / LOOKUPS, found,
		(unsigned)LOOKUPS);
	free(addresses);
}

int main(int argc, char **argv)
{
	struct egret_limits limits = {.sessions = 1,
		.bindings = 1,
		.networks = 2,
		.plies = 150000,
		.groups = GROUPS,
		.neighbors = 1,
		.clients = 1,
		.rules = 1,
		.rule_addresses = 1};
	char path[64];
	void *arena;
	snprintf(path, sizeof path, "/dev/shm/egret-bench.%d", (int)getpid());
	if (egret_arena_create(path, "", &limits, &arena) != 0)
		return 1;
	unlink(path);
	egret_arena_begin_generation(arena);
	egret_arena_commit_generation(arena);
	struct egret_fib_delta *deltas = malloc(PREFIX_MAX * sizeof *deltas);
	uint32_t count = argc > 1 ? prefixes_read(argv[1], deltas) : prefixes_make_up(deltas);
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	printf("# %u prefixes, arena %.0f MiB\n", count,
		(double)egret_arena_bytes(&limits) / (1 << 20));
	for (int round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < count; i++)
			deltas[i].group = EGRET_GROUP_FIRST + random_word() % GROUPS;
		apply_all(arena, "announce", deltas, count);
		look_up(arena, deltas, count);
		for (uint32_t i = 0; i < count; i++)
			deltas[i].group = EGRET_GROUP_FIRST + random_word() % GROUPS;
		apply_all(arena, "change", deltas, count);
		for (uint32_t i = 0; i < count; i++)
			deltas[i].group = EGRET_GROUP_NONE;
		apply_all(arena, "withdraw", deltas, count);
		egret_fib_reclaim(arena);
	}
	for (uint32_t i = 0; i < count; i++)
		deltas[i].group = EGRET_GROUP_FIRST + random_word() % GROUPS;
	apply_all(arena, "announce again", deltas, count);
	single_steps(arena);
	free(deltas);
	egret_arena_close(arena);
	return 0;
}
