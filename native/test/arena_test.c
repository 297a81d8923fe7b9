// SPDX-License-Identifier: Apache-2.0

// The arena as a file: made whole, opened only when it is sound; slots, and what status reads.
#include "arena/epoch.h"
#include "arena_fixture.h"
#include "lib/clock.h"
#include "nat/session.h"
#include "plan/plan_buffer.h"
#include "plan_fixture.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *path;

static int open_status(void)
{
	void *arena = NULL;
	int status = egret_arena_open(path, NULL, &arena);
	if (status == 0)
		egret_arena_close(arena);
	return status;
}

static void test_create(void)
{
	void *arena = NULL, *other = NULL;
	struct egret_limits limits;
	struct stat stat_of_file;
	char temporary[128];
	tap_ok(egret_arena_create(path, "", &fixture_limits, &arena) == 0, "created");
	stat(path, &stat_of_file);
	tap_ok((uint64_t)stat_of_file.st_size == egret_arena_bytes(&fixture_limits) &&
			(uint64_t)stat_of_file.st_blocks * 512 >= (uint64_t)stat_of_file.st_size,
		"of the size that was said, all of it allocated");
	tap_ok((stat_of_file.st_mode & 0777) == 0600, "for its owner alone");
	snprintf(temporary, sizeof temporary, "%s.new", path);
	tap_ok(access(temporary, F_OK) != 0, "the temporary name is removed");
	tap_ok(egret_arena_open(path, &limits, &other) == 0 &&
			memcmp(&limits, &fixture_limits, sizeof limits) == 0,
		"opened, with the limits it was made with");
	const struct arena *one = arena, *two = other;
	((struct arena *)arena)->counters->worker[3] = 42;
	tap_ok(egret_worker_counters(other)[3] == 42, "both see the same memory");
	tap_ok(one->header->hash_key[0] && one->header->hash_key[0] != one->header->hash_key[1],
		"with a secret of its own");
	tap_ok(one->header->preamble.lists[ARENA_SESSIONS].at % ARENA_ALIGN == 0 &&
			one->header->at_counters % ARENA_ALIGN == 0 &&
			(uintptr_t)two->counters % ARENA_ALIGN == 0,
		"sections are aligned");
	egret_arena_close(other);
	egret_arena_close(arena);
	unlink(path);
	tap_ok(egret_arena_open(path, NULL, &other) == -EGRET_STATUS_SYSTEM &&
			egret_errno() == ENOENT,
		"a file that is not there: the system's reason");
	tap_ok(egret_arena_create("/nowhere/arena", "", &fixture_limits, &arena) ==
				-EGRET_STATUS_SYSTEM &&
			egret_errno() == ENOENT,
		"nor can it be made in a folder that is not there");
}

static void test_limits(void)
{
	struct egret_limits limits = fixture_limits;
	limits.networks = 0;
	void *arena;
	tap_ok(egret_arena_create(path, "", &limits, &arena) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_arena_bytes(&limits) == 0,
		"no network is too few");
	limits.networks = EGRET_NETWORK_MAX + 1;
	tap_ok(egret_arena_bytes(&limits) == 0, "more than the slots is too many");
	limits = fixture_limits;
	limits.sessions = UINT32_MAX;
	tap_ok(egret_arena_bytes(&limits) == 0, "4 G sessions are too many");
	limits = (struct egret_limits){.networks = 1};
	tap_ok(egret_arena_create(path, "", &limits, &arena) == 0 && open_status() == 0,
		"the smallest arena has one network and nothing else");
	egret_arena_close(arena);
	unlink(path);
}

// Overwrites bytes of the file, tries to open it, and puts the old ones back.
static int corrupted_status(int fd, off_t at, const void *bytes, size_t n)
{
	uint8_t old[64];
	if (pread(fd, old, n, at) != (ssize_t)n || pwrite(fd, bytes, n, at) != (ssize_t)n)
		return 1;
	int status = open_status();
	return pwrite(fd, old, n, at) == (ssize_t)n ? status : 1;
}

static void test_corruption(void)
{
	void *arena;
	struct plan_fixture *fixture = calloc(1, sizeof *fixture);
	uint8_t *encoded = malloc(sizeof *fixture);
	egret_arena_create(path, "", &fixture_limits, &arena);
	plan_add_client(fixture, 0x0a000000, 8, 0, 0);
	tap_ok(egret_plan_publish(arena, encoded, plan_encode(fixture, encoded)) == 1,
		"an arena with a plan");
	uint64_t at_plan = ((struct arena *)arena)->header->at_plans[0];
	uint64_t at_slots = ((struct arena *)arena)->header->preamble.lists[ARENA_PORTS].at;
	const struct plan_derived derived = *(const struct plan_derived *)arena_at(arena, at_plan);
	egret_arena_close(arena);
	int fd = open(path, O_RDWR);
	const uint32_t zero = 0, two = 2, creating = ARENA_CREATING;
	const uint64_t huge = UINT64_MAX;
#define AT(field) offsetof(struct arena_header, field)
	tap_ok(corrupted_status(fd, AT(preamble.magic), &zero, 4) == -EGRET_STATUS_BAD_ARENA,
		"wrong magic");
	tap_ok(corrupted_status(fd, AT(preamble.abi_hash), &huge, 8) == -EGRET_STATUS_ABI_MISMATCH,
		"made by another build");
	tap_ok(corrupted_status(fd, AT(preamble.state), &creating, 4) == -EGRET_STATUS_BAD_ARENA,
		"not finished");
	tap_ok(corrupted_status(fd, AT(generation), &two, 4) == -EGRET_STATUS_BAD_ARENA,
		"a third generation");
	tap_ok(corrupted_status(fd, AT(plan), &two, 4) == -EGRET_STATUS_BAD_ARENA, "a third plan");
	uint32_t taken = 0;
	taken += corrupted_status(fd, AT(preamble.bytes), &huge, 8) != -EGRET_STATUS_BAD_ARENA;
	for (off_t at = AT(preamble.lists); at < (off_t)AT(preamble.owner); at += 8)
		taken += corrupted_status(fd, at, &huge, 8) != -EGRET_STATUS_BAD_ARENA;
	for (off_t at = AT(limits); at < (off_t)AT(generation); at += 4)
		taken += corrupted_status(fd, at, &huge, 4) != -EGRET_STATUS_BAD_ARENA;
	for (off_t at = AT(at_plans); at < (off_t)sizeof(struct arena_header); at += 8)
		taken += corrupted_status(fd, at, &huge, 8) != -EGRET_STATUS_BAD_ARENA;
	tap_ok(taken == 0, "any size, limit or offset that is not its own");
	taken = 0;
	for (off_t at = 0; at < 32; at += 8)
		taken += corrupted_status(fd, (off_t)at_plan + at, &huge, 8) == 0;
	tap_ok(taken == 0, "a current plan whose parts lie elsewhere");
	const uint64_t in_plan[] = {offsetof(struct plan_derived, port_of_slot),
		offsetof(struct plan_derived, addresses), offsetof(struct plan_derived, locals),
		offsetof(struct plan_derived, interval_at) + 0x0a00 * 4, derived.at_starts,
		derived.at_owners + 4};
	for (size_t i = 0; i < sizeof in_plan / sizeof *in_plan; i++)
		taken += corrupted_status(fd, (off_t)(at_plan + in_plan[i]), &two, 4) !=
			-EGRET_STATUS_BAD_ARENA;
	tap_ok(taken == 0, "or whose lookups lead outside, or round and round");
	tap_ok(corrupted_status(fd, (off_t)at_slots + EGRET_NAME_BYTES - 4, &huge, 4) ==
			-EGRET_STATUS_BAD_ARENA,
		"an interface whose name does not end");
	tap_ok(corrupted_status(fd, (off_t)(at_slots + offsetof(struct arena_slots, networks)),
		       &two, 4) == -EGRET_STATUS_BAD_ARENA,
		"a main table that is not in its place");
	taken = 0;
	uint64_t bytes = egret_arena_bytes(&fixture_limits);
	for (uint64_t n = 0; n < bytes; n = n < 8192 ? n + 512 : n * 2)
		taken += ftruncate(fd, (off_t)n) != 0 || open_status() != -EGRET_STATUS_BAD_ARENA;
	tap_ok(taken == 0, "a truncated file");
#undef AT
	close(fd);
	unlink(path);
	tap_ok(egret_arena_open("/dev/null", NULL, &arena) == -EGRET_STATUS_BAD_ARENA,
		"something that is no file");
	free(fixture);
	free(encoded);
}

// Another user may make files where the arena is, e.g. in the place of one that was removed.
static void test_planted(void)
{
	char link[128], second[128];
	void *arena = NULL;
	snprintf(link, sizeof link, "%s.link", path);
	snprintf(second, sizeof second, "%s.second", path);
	tap_ok(egret_arena_create(path, link, &fixture_limits, &arena) == 0 &&
			symlink(path, link) == 0,
		"an arena, and the link to it");
	const char *direct = path;
	path = link;
	tap_ok(open_status() == 0, "is found by the link");
	chmod(direct, 0640);
	tap_ok(open_status() == -EGRET_STATUS_BAD_ARENA, "not when others may read it");
	chmod(direct, 0606);
	tap_ok(open_status() == -EGRET_STATUS_BAD_ARENA, "not when others may write it");
	chmod(direct, 0600);
	if (geteuid() == 0) {
		struct egret_arena_found found;
		chown(direct, 1, 1);
		tap_ok(open_status() == -EGRET_STATUS_BAD_ARENA, "not one of another user");
		tap_ok(egret_arena_inspect(link, &found) == -EGRET_STATUS_BAD_ARENA,
			"nor are its sessions taken");
		chown(direct, 0, 0);
	}
	tap_ok(open_status() == 0, "its own is taken again");
	rename(direct, second);
	tap_ok(symlink(second, direct) == 0 && open_status() == -EGRET_STATUS_BAD_ARENA,
		"not by a second link, in the place of the file");
	unlink(direct);
	tap_ok(open_status() == -EGRET_STATUS_SYSTEM && egret_errno() == ENOENT,
		"a link to nothing: there is none");
	unlink(link);
	unlink(second);
	path = direct;
	egret_arena_close(arena);
}

static void test_slots(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	char name[EGRET_NAME_BYTES + 1];
	int wrong = 0;
	tap_ok(egret_port_slot(arena, "ens5") == 0 && egret_port_slot(arena, "ens6") == 1 &&
			egret_port_slot(arena, "ens5") == 0,
		"a name keeps its slot");
	tap_ok(egret_port_slot(arena, "") == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_port_slot(arena, NULL) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_port_slot(arena, "0123456789abcdef") == -EGRET_STATUS_BAD_ARGUMENT,
		"names are 1 to 15 bytes");
	for (int i = 2; i < EGRET_PORT_MAX; i++) {
		snprintf(name, sizeof name, "eth%d", i);
		wrong += egret_port_slot(arena, name) != i;
	}
	tap_ok(wrong == 0 && egret_port_slot(arena, "more") == -EGRET_STATUS_NO_SPACE,
		"as many names as there are slots");
	tap_ok(egret_network_slot(arena, 254) == 0 && egret_network_slot(arena, 500) == 1 &&
			egret_network_slot(arena, 501) == 2 &&
			egret_network_slot(arena, 500) == 1 && egret_network_slot(arena, 502) == 3,
		"the main table is slot 0, a table keeps its slot");
	tap_ok(egret_network_slot(arena, 503) == -EGRET_STATUS_NO_SPACE &&
			egret_network_slot(arena, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"as many tables as the limit says");
	for (uint32_t i = 0; i < EGRET_ADDRESS_MAX; i++)
		wrong += egret_address_slot(arena, 0x0a000001 + i) != (int)i;
	tap_ok(wrong == 0 && egret_address_slot(arena, 1) == -EGRET_STATUS_NO_SPACE &&
			egret_address_slot(arena, 0x0a000002) == 1 &&
			egret_address_slot(arena, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"as many addresses as there are slots");
	egret_arena_close(arena);
}

static void test_release(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct plan_fixture *fixture = calloc(1, sizeof *fixture);
	uint8_t *encoded = malloc(sizeof *fixture);
	struct egret_pool_row *pools = arena_at(arena, arena->header->at_pools);
	egret_address_slot(arena, 7);
	plan_add_address(fixture, 7, 0);
	egret_plan_publish(arena, encoded, plan_encode(fixture, encoded));
	tap_ok(egret_address_slot_release(arena, 7) == -EGRET_STATUS_BAD_ARGUMENT,
		"an address that the plan names keeps its slot");
	fixture->plan.address_count = 0;
	egret_plan_publish(arena, encoded, plan_encode(fixture, encoded));
	tap_ok(egret_address_slot_release(arena, 7) == -EGRET_STATUS_TIMEOUT,
		"and until the workers have heard that it does not");
	arena->header->workers[0].plan_seen = 2;
	pools[0].quarantined = 1;
	tap_ok(egret_address_slot_release(arena, 7) == -EGRET_STATUS_TIMEOUT,
		"and while a port is in quarantine");
	pools[0].quarantined = 0;
	tap_ok(egret_address_slot_release(arena, 7) == 0 && egret_address_slot(arena, 8) == 0,
		"then it is another's");
	tap_ok(egret_address_slot_release(arena, 7) == -EGRET_STATUS_NOT_FOUND, "once only");
	free(fixture);
	free(encoded);
	egret_arena_close(arena);
}

static void test_reading(void)
{
	struct arena *arena = fixture_arena(&fixture_limits);
	struct session_record *records = arena_rows(arena, ARENA_SESSIONS);
	struct egret_session_row rows[4];
	uint32_t cursor = 0;
	tap_ok(egret_sessions_read(arena, &cursor, rows, 4) == 0 && cursor == 4, "no session");
	uint32_t now_tick = (uint32_t)(clock_now_ns() / EGRET_TICK_NS);
	arena->header->preamble.lists[ARENA_SESSIONS].used = 4;
	for (uint32_t i = 0; i < 4; i++)
		records[i] = (struct session_record){.state = i == 1 ? 2 : 2 * i + 1,
			.inside_addr = 10 + i,
			.inside_port = 1000,
			.remote_port = 80,
			.network = 3,
			.protocol = 6,
			.phase = EGRET_SESSION_STATE_TCP_ESTABLISHED,
			.last_tick = now_tick - 20};
	cursor = 0;
	int first = egret_sessions_read(arena, &cursor, rows, 2);
	tap_ok(first == 2 && rows[0].inside_addr == 10 && rows[1].inside_addr == 12 && cursor == 3,
		"live sessions are copied, a removed one is not");
	tap_ok(rows[0].remote_port == 80 && rows[0].network == 3 && rows[0].protocol == 6 &&
			rows[0].state == EGRET_SESSION_STATE_TCP_ESTABLISHED &&
			rows[0].idle_ns >= 1900000000 && rows[0].idle_ns <= 600000000000,
		"with what they are and since when they are idle");
	int second = egret_sessions_read(arena, &cursor, rows, 2);
	tap_ok(second == 1 && rows[0].inside_addr == 13 &&
			egret_sessions_read(arena, &cursor, rows, 2) == 0,
		"from the cursor on, to the end");
	struct egret_pool_row pool;
	tap_ok(egret_pool_read(arena, 0, &pool) == 0 && pool.tcp_used == 0 &&
			egret_pool_read(arena, EGRET_ADDRESS_MAX, &pool) ==
				-EGRET_STATUS_BAD_ARGUMENT,
		"pools by slot");
	egret_arena_close(arena);
}

static void test_claim(void)
{
	void *control, *forwarder;
	egret_arena_create(path, "", &fixture_limits, &control);
	tap_ok(!epoch_is_claimed(control), "no forwarder yet");
	pid_t child = fork();
	if (child == 0) {
		// Another process, as the forwarder is: claims, and dies inside a batch.
		if (egret_arena_open(path, NULL, &forwarder) != 0 || epoch_claim(forwarder) != 0)
			_exit(1);
		epoch_online(forwarder, 0, clock_now_ns() - 2 * EPOCH_SILENCE_NS);
		epoch_enter(forwarder, 0);
		pause();
	}
	const uint32_t *epoch = &((struct arena *)control)->header->workers[0].epoch;
	for (int i = 0; i < TAP_PATIENCE_MS && __atomic_load_n(epoch, __ATOMIC_ACQUIRE) == 0; i++)
		usleep(1000);
	struct epoch_mark mark;
	epoch_mark(control, &mark);
	tap_ok(epoch_is_claimed(control), "a forwarder runs");
	uint64_t beat_ns = egret_forwarder_heartbeat_ns(control);
	tap_ok(beat_ns > 0 && clock_now_ns() - beat_ns >= 2 * EPOCH_SILENCE_NS,
		"and the time of its last heartbeat is known");
	tap_ok(!epoch_has_passed(control, &mark), "silent, but alive: it may still read");
	egret_arena_open(path, NULL, &forwarder);
	tap_ok(epoch_claim(forwarder) == -EGRET_STATUS_SYSTEM && egret_errno() == EAGAIN,
		"there can be one");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	tap_ok(epoch_has_passed(control, &mark), "dead: it reads nothing");
	uint64_t *heartbeat_ns = &((struct arena *)control)->header->workers[0].heartbeat_ns;
	*heartbeat_ns = UINT64_MAX / 2;
	tap_ok(epoch_has_passed(control, &mark), "whatever its heartbeat says of the future");
	*heartbeat_ns = clock_now_ns() + EPOCH_SILENCE_NS / 2;
	tap_ok(!epoch_has_passed(control, &mark), "but for one of the next moment");
	tap_ok(epoch_claim(forwarder) == 0, "and another may follow");
	epoch_enter(forwarder, 0);
	tap_ok(*epoch % 2 == 1 && *epoch != mark.epochs[0],
		"in a batch that is not its predecessor's");
	egret_arena_close(forwarder);
	egret_arena_close(control);
	unlink(path);
}

int main(void)
{
	path = fixture_path();
	test_create();
	test_limits();
	test_corruption();
	test_planted();
	test_slots();
	test_release();
	test_reading();
	test_claim();
	return tap_done();
}
