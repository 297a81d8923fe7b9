// SPDX-License-Identifier: Apache-2.0

// Which tables the arena holds, and where: laid out, created, opened, checked.
#include "arena/arena.h"
#include "egret.h"
#include "lib/abi_hash.h"
#include "lib/error.h"
#include "nat/session_record.h"
#include "plan/plan.h"
#include "tables/layout.h"
#include "tables/tables.h"

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

uint64_t egret_arena_bytes(const struct egret_limits *limits)
{
	struct arena_header header = {0};
	return tables_layout(&header, limits) ? header.preamble.bytes : 0;
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
	arena->slots = arena_rows(arena, ARENA_PORTS); // the first of them
	arena->counters = arena_at(arena, arena->header->at_counters);
}

// Fills in a file that was just created and is all zero.
static int header_fill(struct arena *arena, const struct arena_header *template)
{
	struct arena_header *header = arena->header;
	*header = *template;
	if (getrandom(header->hash_key, sizeof header->hash_key, 0) != sizeof header->hash_key)
		return error_system();
	header->preamble.magic = ARENA_MAGIC;
	header->preamble.abi_hash = abi_hash();
	header->preamble.record_hash = abi_record_hash();
	header->preamble.record_version = ARENA_RECORD_VERSION;
	header->generation = EGRET_NONE;
	header->plan = EGRET_NONE;
	arena_find_sections(arena);
	arena->slots->networks[0] = ARENA_MAIN_TABLE;
	memcpy(arena_rows(arena, ARENA_FIELDS), session_record_fields,
		sizeof session_record_fields);
	__atomic_store_n(&header->preamble.state, ARENA_READY, __ATOMIC_RELEASE);
	return 0;
}

int tables_make(const char *path, const char *owner, const struct egret_limits *limits,
	struct arena_handle **handle)
{
	struct arena_header template = {0};
	size_t owner_bytes = strlen(owner);
	if (!tables_layout(&template, limits) || owner_bytes >= sizeof template.preamble.owner)
		return -EGRET_STATUS_BAD_ARGUMENT;
	memcpy(template.preamble.owner, owner, owner_bytes);
	struct arena_handle *made = calloc(1, sizeof *made);
	if (!made)
		return -EGRET_STATUS_NO_SPACE;
	int status = arena_file_create(path, template.preamble.bytes, &made->arena);
	if (status < 0) {
		free(made);
		return status;
	}
	status = header_fill(&made->arena, &template);
	if (status < 0) {
		egret_arena_close(made);
		return status;
	}
	*handle = made;
	return 0;
}

int egret_arena_create(
	const char *path, const char *owner, const struct egret_limits *limits, void **arena)
{
	struct arena_handle *made;
	if (!path || !owner || !limits || !arena)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int status = tables_make(path, owner, limits, &made);
	if (status < 0)
		return status;
	status = arena_file_publish(&made->arena, path);
	if (status < 0) {
		egret_arena_close(made);
		return status;
	}
	*arena = made;
	return 0;
}

int egret_arena_remove_stale(const char *path)
{
	return path ? arena_file_remove_stale(path) : 0;
}

// Compares a mapped header with what its limits must give. The file's size is `bytes`.
static int header_check(const struct arena_header *header, uint64_t bytes)
{
	const struct arena_preamble *preamble = &header->preamble;
	if (preamble->magic != ARENA_MAGIC)
		return -EGRET_STATUS_BAD_ARENA;
	if (preamble->abi_hash != abi_hash())
		return -EGRET_STATUS_ABI_MISMATCH;
	struct arena_header want = {0};
	if (!tables_layout(&want, &header->limits))
		return -EGRET_STATUS_BAD_ARENA;
	for (int i = 0; i < ARENA_LISTS_MAX; i++) {
		const struct arena_list *list = &preamble->lists[i];
		want.preamble.lists[i].used = list->used;
		if (list->used > list->count)
			return -EGRET_STATUS_BAD_ARENA;
	}
	int is_same = preamble->bytes == bytes && want.preamble.bytes == bytes &&
		memcmp(preamble->lists, want.preamble.lists, sizeof preamble->lists) == 0 &&
		memcmp(&header->at_plans, &want.at_plans,
			sizeof want - offsetof(struct arena_header, at_plans)) == 0;
	is_same = is_same && (header->generation < 2 || header->generation == EGRET_NONE) &&
		(header->plan < 2 || header->plan == EGRET_NONE);
	if (!is_same || __atomic_load_n(&preamble->state, __ATOMIC_ACQUIRE) != ARENA_READY)
		return -EGRET_STATUS_BAD_ARENA;
	return 0;
}

// Checks all that another process wrote and this one relies on.
static int tables_check(struct arena *arena)
{
	int status = header_check(arena->header, arena->bytes);
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
