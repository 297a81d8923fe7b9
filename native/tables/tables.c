// Which tables the arena holds, and where: laid out, created, opened, checked.
#include "arena/arena.h"
#include "egret.h"
#include "fib/fib.h"
#include "fib/fib_apply.h"
#include "lib/error.h"
#include "nat/session.h"
#include "plan/plan.h"
#include "lib/abi_hash.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { LIMIT_MAX = 1 << 28 }; // of any limit, so that no size overflows

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

// Fills in a file that was just created and is all zero.
static int header_fill(struct arena *arena, const struct arena_header *template)
{
	struct arena_header *header = arena->header;
	*header = *template;
	if (getrandom(header->hash_key, sizeof header->hash_key, 0) != sizeof header->hash_key)
		return error_system();
	header->magic = ARENA_MAGIC;
	header->abi_hash = abi_hash();
	header->record_version = ARENA_RECORD_VERSION;
	header->generation = UINT32_MAX;
	header->plan = UINT32_MAX;
	arena_find_sections(arena);
	arena->slots->networks[0] = ARENA_MAIN_TABLE;
	__atomic_store_n(&header->state, ARENA_READY, __ATOMIC_RELEASE);
	return 0;
}

int egret_arena_create(const char *path, const struct egret_limits *limits, void **arena)
{
	struct arena_header template = {0};
	if (!path || !limits || !arena || !arena_layout(&template, limits))
		return -EGRET_STATUS_BAD_ARGUMENT;
	struct arena_handle *made = calloc(1, sizeof *made);
	if (!made)
		return -EGRET_STATUS_NO_SPACE;
	int status = arena_file_create(path, template.bytes, &made->arena);
	if (status < 0) {
		free(made);
		return status;
	}
	status = header_fill(&made->arena, &template);
	if (status == 0)
		status = arena_file_publish(path);
	if (status < 0) {
		arena_file_discard(path);
		egret_arena_close(made);
		return status;
	}
	*arena = made;
	return 0;
}

// Compares a mapped header with what these limits must give. The file's size is `bytes`.
static int arena_check(const struct arena_header *header, uint64_t bytes)
{
	if (header->magic != ARENA_MAGIC)
		return -EGRET_STATUS_BAD_ARENA;
	if (header->abi_hash != abi_hash() || header->record_version != ARENA_RECORD_VERSION)
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

// Checks all that another process wrote and this one relies on.
static int tables_check(struct arena *arena)
{
	int status = arena_check(arena->header, arena->bytes);
	if (status < 0)
		return status;
	arena_find_sections(arena);
	status = slots_check(arena);
	return status < 0 ? status : plan_buffer_check(arena);
}

int egret_arena_open(const char *path, struct egret_limits *limits, void **arena)
{
	if (!path || !arena)
		return -EGRET_STATUS_BAD_ARGUMENT;
	struct arena_handle *made = calloc(1, sizeof *made);
	if (!made)
		return -EGRET_STATUS_NO_SPACE;
	int status = arena_file_open(path, &made->arena);
	if (status < 0) {
		free(made);
		return status;
	}
	status = tables_check(&made->arena);
	if (status < 0) {
		egret_arena_close(made);
		return status;
	}
	if (limits)
		*limits = made->arena.header->limits;
	*arena = made;
	return 0;
}

void egret_arena_close(void *handle)
{
	struct arena_handle *closed = handle;
	if (!closed)
		return;
	fib_writer_free(closed);
	arena_file_close(&closed->arena);
	free(closed);
}

void egret_memory_trim(void *handle)
{
	const struct arena *arena = handle;
	malloc_trim(0);
	// Shared pages stay in the file, reserved, with what they hold.
	madvise(arena->base, arena->bytes, MADV_DONTNEED);
}
