// SPDX-License-Identifier: Apache-2.0

// How long a new forwarder takes to take over the sessions of the one before it, by how many there are:
// with the default limits of a million, and with limits that are just enough.
//
// Each figure is of a process of its own: it maps the arena, makes a worker and ends. Prints the median
// and the extremes of ROUNDS, the CPU time of the median, and the pages that it touched first.
#include "../test/arena_fixture.h"
#include "forwarder/worker_run.h"
#include "lib/clock.h"
#include "nat/session.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 9, ADDRESSES = 64, PORTS_USED = 32768 };

static const char *path;

struct figure {
	double ms, cpu_ms;
	long faults;
};

static void make_sessions(struct arena *arena, uint32_t count)
{
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	struct session_table *table = session_table_make(arena, counters, 1);
	uint64_t random = 88172645463325252ull;
	for (uint32_t slot = 0; slot < ADDRESSES; slot++)
		egret_address_slot(arena, 0xc6336400 + slot);
	for (uint32_t i = 0; i < count; i++) {
		struct session_request request = {
			.inside_addr = 0x0a000000 + i / PORTS_USED,
			.inside_port = (uint16_t)(i % PORTS_USED),
			.remote_addr = 0xcb007100 + i % 7,
			.remote_port = 53,
			.protocol = IPPROTO_UDP,
			.is_shared = 1,
			.outside_addr = 0xc6336400 + i / PORTS_USED % ADDRESSES,
			.address_slot = (uint16_t)(i / PORTS_USED % ADDRESSES),
		};
		enum egret_drop drop = EGRET_DROP_COUNT;
		if (session_create(table, &request, fixture_random(&random), 1, &drop) ==
			EGRET_NONE)
			abort();
	}
	session_table_free(table);
}

// In a process of its own: what the forwarder does before it listens.
static struct figure start_once(uint32_t count)
{
	struct figure *figure = mmap(
		NULL, sizeof *figure, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0) {
		struct rusage before, after;
		struct worker *worker = NULL;
		void *arena = NULL;
		getrusage(RUSAGE_SELF, &before);
		uint64_t begin_ns = clock_now_ns();
		if (egret_arena_open(path, NULL, &arena) < 0 || worker_make(arena, &worker) < 0 ||
			worker->counters[EGRET_WORKER_COUNTER_SESSIONS] != count)
			abort();
		figure->ms = (double)(clock_now_ns() - begin_ns) / 1e6;
		figure->cpu_ms = (double)clock() * 1e3 / CLOCKS_PER_SEC;
		getrusage(RUSAGE_SELF, &after);
		figure->faults = after.ru_minflt - before.ru_minflt;
		_exit(0);
	}
	int status = 0;
	waitpid(child, &status, 0);
	struct figure result = *figure;
	munmap(figure, sizeof *figure);
	if (status != 0)
		exit(1);
	return result;
}

static int by_time(const void *one, const void *other)
{
	double difference = ((const struct figure *)one)->ms - ((const struct figure *)other)->ms;
	return (difference > 0) - (difference < 0);
}

static void measure(uint32_t limit, uint32_t count)
{
	struct egret_limits limits = {
		.sessions = limit,
		.bindings = limit + limit / 4,
		.networks = 16,
		.plies = limit / 16 > 1024 ? limit / 16 : 1024,
		.groups = 16384,
		.neighbors = 16384,
		.clients = 65536,
		.rules = 16384,
		.rule_addresses = 65536,
	};
	struct figure figures[ROUNDS];
	void *arena = NULL;
	if (egret_arena_create(path, "", &limits, &arena) < 0)
		exit(1);
	make_sessions(arena, count);
	for (int i = 0; i < ROUNDS; i++)
		figures[i] = start_once(count);
	egret_arena_close(arena);
	unlink(path);
	qsort(figures, ROUNDS, sizeof *figures, by_time);
	printf("%8u sessions, limit %8u: %7.1f ms (%.1f to %.1f), %.1f ms of CPU, %ld pages\n",
		count, limit, figures[ROUNDS / 2].ms, figures[0].ms, figures[ROUNDS - 1].ms,
		figures[ROUNDS / 2].cpu_ms, figures[ROUNDS / 2].faults);
}

int main(void)
{
	static char place[64];
	snprintf(place, sizeof place, "/dev/shm/egret-bench.%d", (int)getpid());
	path = place;
	measure(10000, 5);
	measure(1000000, 5);
	measure(1000000, 1000);
	measure(1000000, 1000000);
	return 0;
}
