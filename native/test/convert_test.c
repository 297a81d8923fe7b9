// SPDX-License-Identifier: Apache-2.0

// An arena of another build or of other limits: slots, sessions and bindings are kept, and an arena that
// is not in use any more is removed.
#include "arena/epoch.h"
#include "arena_fixture.h"
#include "nat/session.h"
#include "tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

enum { SESSIONS = 3, POOL = 0x0a320002 };

static char path[64], other[64], owner[64];

static struct egret_limits limits_of(uint32_t records)
{
	struct egret_limits limits = fixture_limits;
	limits.sessions = limits.bindings = records;
	return limits;
}

// An arena at `path` with SESSIONS sessions, which another build made.
static struct arena *make_old(uint64_t counters[EGRET_WORKER_COUNTER_COUNT])
{
	void *made = NULL;
	struct egret_limits limits = limits_of(8);
	if (egret_arena_create(path, owner, &limits, &made) < 0)
		exit(1);
	struct arena *arena = made;
	egret_port_slot(arena, "eth0");
	egret_network_slot(arena, 1200);
	int slot = egret_address_slot(arena, POOL);
	struct session_table *table = session_table_make(arena, counters, 1);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct session_request request = {
			.inside_addr = 0x0a010002 + i,
			.inside_port = 4000,
			.remote_addr = 0xc000020a,
			.remote_port = 53,
			.protocol = IPPROTO_UDP,
			.is_shared = 1,
			.network = 1,
			.outside_addr = POOL,
			.address_slot = (uint16_t)slot,
		};
		enum egret_drop drop = EGRET_DROP_COUNT;
		uint32_t at = session_create(table, &request, i << 28, 1, &drop);
		table->sessions[at].plan_number = 7;
	}
	session_table_free(table);
	arena->header->preamble.abi_hash ^= 1;
	return arena;
}

static uint16_t outside_port(const struct arena *arena, uint32_t session)
{
	return ((const struct session_record *)arena_rows(arena, ARENA_SESSIONS))[session]
		.outside_port;
}

// What a forwarder of this build finds in the converted arena, compared with the old one.
static void check_converted(const struct arena *old, const uint16_t ports[SESSIONS],
	const struct egret_limits *limits, const char *name)
{
	void *made = NULL;
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	struct egret_arena_found found;
	tap_ok(egret_arena_open(path, NULL, &made) == -EGRET_STATUS_ABI_MISMATCH &&
			egret_arena_inspect(path, &found) == 0 && found.is_convertible &&
			found.sessions == SESSIONS && found.sessions_used == SESSIONS &&
			found.bindings_used == SESSIONS && found.networks_used == 2,
		"%s: it cannot be opened, but converted", name);
	tap_ok(egret_arena_convert(path, path, owner, limits, &made) == 0, "and is");
	struct arena *arena = made;
	const struct session_record *records = arena_rows(arena, ARENA_SESSIONS);
	tap_ok(strcmp(arena->slots->ports[0], "eth0") == 0 && arena->slots->networks[1] == 1200 &&
			egret_address_slot(arena, POOL) == 0 && arena->header->plan == UINT32_MAX &&
			arena->header->generation == UINT32_MAX,
		"with its slots, without plan and FIB");
	int same = 1;
	for (uint32_t i = 0; i < SESSIONS; i++)
		same = same && records[i].outside_port == ports[i] && records[i].plan_number == 0 &&
			records[i].network == 1 && records[i].last_tick == 1;
	tap_ok(same, "with the outside ports, and no decision of another plan");
	struct session_table *table = session_table_make(arena, counters, 2);
	tap_ok(counters[EGRET_WORKER_COUNTER_SESSIONS_REBUILT] == SESSIONS &&
			counters[EGRET_WORKER_COUNTER_BINDINGS] == SESSIONS,
		"every session is alive");
	session_table_free(table);
	egret_arena_close(arena);
	tap_ok(egret_arena_open(path, NULL, &made) == 0 &&
			old->base != ((struct arena *)made)->base,
		"and the file is whole");
	egret_arena_close(made);
	unlink(path);
}

static void test_other_build(void)
{
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	uint16_t ports[SESSIONS];
	for (int larger = 0; larger < 2; larger++) {
		struct arena *old = make_old(counters);
		struct egret_limits limits = limits_of(larger ? 64 : SESSIONS);
		for (uint32_t i = 0; i < SESSIONS; i++)
			ports[i] = outside_port(old, i);
		check_converted(old, ports, &limits, larger ? "larger" : "just as large");
		egret_arena_close(old);
	}
}

// The previous version's records: shorter by their last fields, the others in another order.
static void test_grown_records(void)
{
	enum { OLD_BYTES = 40 };
	static const char *const order[] = {"last_tick", "state", "binding", "outside_addr",
		"remote_addr", "inside_addr", "plan_number", "outside_port", "inside_port",
		"network", "remote_port", "protocol", "phase", "tcp_seen"};
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	uint16_t ports[SESSIONS];
	struct arena *old = make_old(counters);
	struct arena_preamble *preamble = &old->header->preamble;
	struct arena_field *fields = arena_rows(old, ARENA_FIELDS);
	uint8_t rows[SESSIONS][OLD_BYTES] = {0}, *records = arena_rows(old, ARENA_SESSIONS);
	uint16_t end = 0;
	for (uint32_t i = 0; i < SESSIONS; i++)
		ports[i] = outside_port(old, i);
	for (uint32_t f = 0; f < SESSION_RECORD_FIELD_COUNT; f++)
		if (fields[f].list == ARENA_SESSIONS)
			fields[f].name[0] ^= 0x20; // a field that we do not know
	for (size_t o = 0; o < sizeof order / sizeof *order; o++) {
		const struct arena_field *ours = session_record_fields;
		while (strcmp(ours->name, order[o]) != 0 || ours->list != ARENA_SESSIONS)
			ours++;
		for (uint32_t i = 0; i < SESSIONS; i++)
			memcpy(&rows[i][end],
				records + i * sizeof(struct session_record) + ours->at,
				ours->bytes);
		fields[o] = *ours;
		fields[o].at = end;
		end = (uint16_t)(end + ours->bytes);
	}
	memcpy(records, rows, sizeof rows);
	preamble->lists[ARENA_SESSIONS].row_bytes = OLD_BYTES;
	preamble->record_version = ARENA_RECORD_VERSION - 1;
	preamble->record_hash ^= 1;
	struct egret_limits limits = limits_of(8);
	check_converted(old, ports, &limits, "records of the version before");
	egret_arena_close(old);
}

static void test_refusals(void)
{
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	struct egret_limits limits = limits_of(8), few = limits_of(SESSIONS - 1);
	struct egret_arena_found found;
	void *made = NULL;
	struct arena *old = make_old(counters);
	struct arena_preamble *preamble = &old->header->preamble;
	preamble->record_version = ARENA_RECORD_VERSION + 1;
	tap_ok(egret_arena_inspect(path, &found) == 0 && !found.is_convertible &&
			egret_arena_convert(path, path, owner, &limits, &made) ==
				-EGRET_STATUS_ABI_MISMATCH,
		"records of a later version");
	preamble->record_version = ARENA_RECORD_VERSION;
	preamble->record_hash ^= 1;
	tap_ok(egret_arena_inspect(path, &found) == 0 && !found.is_convertible,
		"values that mean something else, under the same version");
	preamble->record_hash ^= 1;
	struct arena_field *fields = arena_rows(old, ARENA_FIELDS);
	fields[1].bytes = 8;
	tap_ok(egret_arena_inspect(path, &found) == 0 && !found.is_convertible,
		"a value that would lose its upper half");
	fields[1].bytes = 4;
	tap_ok(egret_arena_convert(path, path, owner, &few, &made) == -EGRET_STATUS_NO_SPACE,
		"no room for all of them");
	tap_ok(epoch_claim(old) == 0 &&
			egret_arena_convert(path, path, owner, &limits, &made) ==
				-EGRET_STATUS_SYSTEM &&
			(egret_errno() == EAGAIN || egret_errno() == EACCES),
		"a forwarder still works on it");
	uint32_t taken = 0;
	for (int i = 0; i < ARENA_LISTS_MAX; i++) {
		struct arena_list list = preamble->lists[i];
		preamble->lists[i].at = UINT64_MAX - 3;
		preamble->lists[i].count = 1;
		preamble->lists[i].used = 0;
		taken += egret_arena_inspect(path, &found) == 0;
		preamble->lists[i] = list;
		preamble->lists[i].used = list.count + 1;
		taken += egret_arena_inspect(path, &found) == 0;
		preamble->lists[i] = list;
	}
	tap_ok(taken == 0, "lists that lie outside");
	preamble->magic ^= 1;
	tap_ok(egret_arena_inspect(path, &found) == -EGRET_STATUS_BAD_ARENA, "no arena at all");
	preamble->magic ^= 1;
	tap_ok(egret_arena_inspect(path, &found) == 0 && found.sessions == SESSIONS,
		"and after all that the old one is as it was");
	egret_arena_close(old);
	unlink(path);
}

static void test_stale(void)
{
	uint64_t counters[EGRET_WORKER_COUNTER_COUNT] = {0};
	struct arena *old = make_old(counters);
	tap_ok(egret_arena_remove_stale(path) == 0, "an arena that a process maps stays");
	egret_arena_close(old);
	tap_ok(symlink(path, owner) == 0 && egret_arena_remove_stale(path) == 0,
		"and one to which its owner leads");
	unlink(owner);
	tap_ok(symlink(other, owner) == 0 && egret_arena_remove_stale(path) == 1 &&
			access(path, F_OK) != 0,
		"an owner that has another one by now needs it no more");
	unlink(owner);
	egret_arena_close(make_old(counters));
	tap_ok(egret_arena_remove_stale(path) == 1 && access(path, F_OK) != 0,
		"nor does one whose directory is removed");
	FILE *file = fopen(path, "w");
	for (size_t i = 0; i < sizeof(struct arena_header); i++)
		fputc(0, file);
	fclose(file);
	tap_ok(egret_arena_remove_stale(path) == 0 && access(path, F_OK) == 0,
		"a file that is no arena stays");
	unlink(path);
	tap_ok(egret_arena_remove_stale(path) == 0, "one that is not there is nothing");
}

int main(void)
{
	snprintf(path, sizeof path, "/dev/shm/egret-convert.%d", (int)getpid());
	snprintf(other, sizeof other, "/dev/shm/egret-other.%d", (int)getpid());
	snprintf(owner, sizeof owner, "/tmp/egret-owner.%d", (int)getpid());
	test_other_build();
	test_grown_records();
	test_refusals();
	test_stale();
	return tap_done();
}
