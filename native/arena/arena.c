#include "arena/arena.h"
#include "egret.h"
#include "arena/epoch.h"
#include "lib/error.h"
#include "fib/fib.h"
#include "plan/plan.h"
#include "nat/session.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LIMIT_MAX = 1 << 28, // of any limit, so that no size overflows
	PATH_BYTES_MAX = 4096,
};

// How long begin_generation waits for readers of the generation that stopped forwarding.
#define BEGIN_WAIT_NS 100000000ull

// Reserves a section and returns its offset.
static uint64_t section(uint64_t *end, uint64_t bytes)
{
	uint64_t at = *end;
	*end += (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	return at;
}

// Fills in limits, offsets and sizes of a header. Returns 0 when the limits are out of range.
static int arena_layout(struct arena_header *header, const struct egret_limits *limits)
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
	uint64_t end = 0;
	section(&end, sizeof(struct arena_header));
	header->at_slots = section(&end, sizeof(struct arena_slots));
	for (int i = 0; i < 2; i++)
		header->at_plans[i] = section(&end, header->plan_bytes);
	for (int i = 0; i < 2; i++)
		header->at_generations[i] = section(&end, header->generation_bytes);
	header->at_sessions = section(
		&end, (uint64_t)limits->sessions * sizeof(struct session_record));
	header->at_bindings = section(
		&end, (uint64_t)limits->bindings * sizeof(struct binding_record));
	header->at_pools = section(&end, EGRET_ADDRESS_MAX * sizeof(struct egret_pool_row));
	header->at_neighbors = section(
		&end, (uint64_t)limits->neighbors * sizeof(struct egret_neighbor_row));
	header->at_counters = section(&end, sizeof(struct arena_counters));
	header->bytes = end;
	return 1;
}

uint64_t egret_arena_bytes(const struct egret_limits *limits)
{
	struct arena_header header = {0};
	return arena_layout(&header, limits) ? header.bytes : 0;
}

// Maps a file of which the size is known.
static int arena_map(int fd, uint64_t bytes, struct arena **arena)
{
	struct arena *made = calloc(1, sizeof *made);
	if (!made)
		return -EGRET_STATUS_NO_SPACE;
	made->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (made->base == MAP_FAILED) {
		int status = error_system();
		free(made);
		return status;
	}
	made->header = (struct arena_header *)made->base;
	made->fd = fd;
	made->writing = UINT32_MAX;
	*arena = made;
	return 0;
}

// Slots whose names end, and the main table where everybody expects it.
static int slots_check(const struct arena *arena)
{
	for (uint32_t i = 0; i < EGRET_PORT_MAX; i++)
		if (arena->slots->ports[i][EGRET_NAME_BYTES - 1] != 0)
			return -EGRET_STATUS_BAD_ARENA;
	return arena->slots->networks[0] == ARENA_MAIN_TABLE ? 0 : -EGRET_STATUS_BAD_ARENA;
}

static void arena_find_sections(struct arena *arena)
{
	arena->slots = arena_at(arena, arena->header->at_slots);
	arena->counters = arena_at(arena, arena->header->at_counters);
}

// Allocates, maps and fills in the file that `fd` has just created.
static int arena_fill(int fd, const struct arena_header *template, struct arena **arena)
{
	int status = 0;
	if (fallocate(fd, 0, 0, (off_t) template->bytes) != 0)
		return error_system();
	status = arena_map(fd, template->bytes, arena);
	if (status < 0)
		return status;
	struct arena_header *header = (*arena)->header;
	*header = *template;
	if (getrandom(header->hash_key, sizeof header->hash_key, 0) != sizeof header->hash_key) {
		status = error_system();
		munmap((*arena)->base, template->bytes);
		free(*arena);
		*arena = NULL;
		return status;
	}
	header->magic = ARENA_MAGIC;
	header->abi_hash = egret_abi_hash();
	header->record_version = ARENA_RECORD_VERSION;
	header->generation = UINT32_MAX;
	header->plan = UINT32_MAX;
	arena_find_sections(*arena);
	(*arena)->slots->networks[0] = ARENA_MAIN_TABLE;
	__atomic_store_n(&header->state, ARENA_READY, __ATOMIC_RELEASE);
	return 0;
}

int egret_arena_create(const char *path, const struct egret_limits *limits, void **arena)
{
	struct arena_header template = {0};
	if (!path || !limits || !arena || !arena_layout(&template, limits))
		return -EGRET_STATUS_BAD_ARGUMENT;
	char fresh[PATH_BYTES_MAX];
	if ((size_t)snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid()) >= sizeof fresh)
		return -EGRET_STATUS_BAD_ARGUMENT;
	// A leftover of a dead process that had our number.
	unlink(fresh);
	int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system();
	struct arena *made = NULL;
	int status = arena_fill(fd, &template, &made);
	if (status == 0 && rename(fresh, path) != 0)
		status = error_system();
	if (status == 0) {
		*arena = made;
		return 0;
	}
	unlink(fresh);
	if (made)
		egret_arena_close(made);
	else
		close(fd);
	return status;
}

// Compares a mapped header with what these limits must give. The file's size is `bytes`.
static int arena_check(const struct arena_header *header, uint64_t bytes)
{
	if (header->magic != ARENA_MAGIC)
		return -EGRET_STATUS_BAD_ARENA;
	if (header->abi_hash != egret_abi_hash() || header->record_version != ARENA_RECORD_VERSION)
		return -EGRET_STATUS_ABI_MISMATCH;
	struct arena_header want = {0};
	if (!arena_layout(&want, &header->limits))
		return -EGRET_STATUS_BAD_ARENA;
	int is_same = header->bytes == bytes && want.bytes == bytes &&
		want.plan_bytes == header->plan_bytes &&
		want.generation_bytes == header->generation_bytes &&
		want.at_slots == header->at_slots && want.at_sessions == header->at_sessions &&
		want.at_bindings == header->at_bindings && want.at_pools == header->at_pools &&
		want.at_neighbors == header->at_neighbors &&
		want.at_counters == header->at_counters;
	for (int i = 0; i < 2; i++)
		is_same = is_same && want.at_plans[i] == header->at_plans[i] &&
			want.at_generations[i] == header->at_generations[i];
	is_same = is_same && (header->generation < 2 || header->generation == UINT32_MAX) &&
		(header->plan < 2 || header->plan == UINT32_MAX);
	if (!is_same || __atomic_load_n(&header->state, __ATOMIC_ACQUIRE) != ARENA_READY)
		return -EGRET_STATUS_BAD_ARENA;
	return 0;
}

int egret_arena_open(const char *path, struct egret_limits *limits, void **arena)
{
	if (!path || !arena)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_system();
	struct stat stat;
	int status = 0;
	if (fstat(fd, &stat) != 0)
		status = error_system();
	else if (!S_ISREG(stat.st_mode) || stat.st_size < ARENA_ALIGN)
		status = -EGRET_STATUS_BAD_ARENA;
	struct arena *made = NULL;
	if (status == 0)
		status = arena_map(fd, (uint64_t)stat.st_size, &made);
	if (status < 0) {
		close(fd);
		return status;
	}
	status = arena_check(made->header, (uint64_t)stat.st_size);
	if (status == 0) {
		arena_find_sections(made);
		status = slots_check(made);
	}
	if (status == 0)
		status = plan_buffer_check(made);
	if (status < 0) {
		munmap(made->base, (uint64_t)stat.st_size);
		free(made);
		close(fd);
		return status;
	}
	if (limits)
		*limits = made->header->limits;
	*arena = made;
	return 0;
}

void egret_arena_close(void *handle)
{
	struct arena *arena = handle;
	if (!arena)
		return;
	fib_writer_free(arena);
	munmap(arena->base, arena->header->bytes);
	close(arena->fd);
	free(arena);
}

void egret_memory_trim(void *handle)
{
	const struct arena *arena = handle;
	malloc_trim(0);
	// Shared pages stay in the file, reserved, with what they hold.
	madvise(arena->base, arena->header->bytes, MADV_DONTNEED);
}

// 1 when no worker can still read the half that was current before the last commit, after waiting for
// it. One that has read the current half holds no other, even if it hangs in the middle of a batch.
static int other_half_is_free(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	int is_seen = header->generation != UINT32_MAX;
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++)
		is_seen = is_seen &&
			__atomic_load_n(&header->workers[i].generation_seen, __ATOMIC_ACQUIRE) ==
				header->generation_number;
	if (is_seen)
		return 1;
	struct epoch_mark mark;
	epoch_mark(arena, &mark);
	return epoch_wait(arena, &mark, BEGIN_WAIT_NS);
}

int egret_arena_begin_generation(void *handle)
{
	struct arena *arena = handle;
	uint32_t current = arena->header->generation;
	uint32_t half = current == UINT32_MAX ? 0 : 1 - current;
	if (!other_half_is_free(arena))
		return -EGRET_STATUS_TIMEOUT;
	int status = fib_writer_begin(arena, half);
	if (status < 0)
		return status;
	arena->header->control_life++;
	return 0;
}

int egret_arena_commit_generation(void *handle)
{
	struct arena *arena = handle;
	struct arena_header *header = arena->header;
	if (arena->writing > 1)
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (header->generation == arena->writing)
		return 0;
	// 0 says "none", so a wrapped number skips it.
	uint32_t number = header->generation_number + 1 ? header->generation_number + 1 : 1;
	fib_half_number(arena, arena->writing, number);
	__atomic_store_n(&header->generation_number, number, __ATOMIC_RELAXED);
	__atomic_store_n(&header->generation, arena->writing, __ATOMIC_RELEASE);
	return 0;
}

int egret_arena_has_generation(void *handle)
{
	const struct arena *arena = handle;
	uint32_t current = arena->header->generation;
	return current != UINT32_MAX && current != arena->writing;
}
