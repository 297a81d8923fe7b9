// SPDX-License-Identifier: Apache-2.0

// An arena of another build, or of other limits: what of it can be kept, and keeping it.
//
//   old file   preamble ─▶ lists ─▶ fields of records, by name
//                            │
//   new file   header, slots ◀┘ sessions and bindings; all control tables empty; then its name
//
// Nothing is written to the old file, and the new one gets its name when it is whole: a death in between
// leaves the old one as it was. The old file may hold anything: what is not in range is not an arena.
// docs/adr/0012-arena-compatibility.md says which builds understand each other.
#include "arena/arena.h"
#include "arena/epoch.h"
#include "egret.h"
#include "lib/abi_hash.h"
#include "nat/session_record.h"
#include "tables/tables.h"

#include <string.h>

enum { ROW_BYTES_MAX = 4096, VALUE_BYTES_MAX = 8 };

// How long a forwarder that was just stopped may hold its claim.
#define CLAIM_WAIT_NS 1000000000ull

// A field of this build's record, and where the old one has it.
struct move {
	uint16_t from, from_bytes, to;
};

struct moves {
	uint32_t count;
	struct move rows[SESSION_RECORD_FIELD_COUNT];
};

static const struct arena_list *list_of(const struct arena *arena, enum arena_list_number list)
{
	return &arena->header->preamble.lists[list];
}

static const void *row_of(const struct arena *arena, enum arena_list_number list, uint32_t at)
{
	return (const uint8_t *)arena_rows(arena, list) +
		(uint64_t)at * list_of(arena, list)->row_bytes;
}

static int lists_are_sound(const struct arena *arena)
{
	for (int i = 0; i < ARENA_LISTS_MAX; i++) {
		const struct arena_list *list = list_of(arena, (enum arena_list_number)i);
		uint64_t bytes = (uint64_t)list->count * list->row_bytes;
		if (list->row_bytes > ROW_BYTES_MAX || list->used > list->count ||
			bytes > arena->bytes || list->at > arena->bytes - bytes ||
			list->at % sizeof(uint32_t) != 0)
			return 0;
	}
	return list_of(arena, ARENA_NETWORKS)->row_bytes == sizeof(uint32_t) &&
		list_of(arena, ARENA_ADDRESSES)->row_bytes == sizeof(uint32_t) &&
		list_of(arena, ARENA_FIELDS)->row_bytes == sizeof(struct arena_field) &&
		list_of(arena, ARENA_SESSIONS)->row_bytes % sizeof(uint32_t) == 0 &&
		list_of(arena, ARENA_BINDINGS)->row_bytes % sizeof(uint32_t) == 0;
}

// 1 when what a build of this preamble wrote into records can be made into ours.
static int version_is_known(const struct arena_preamble *preamble)
{
	if (preamble->record_version == ARENA_RECORD_VERSION)
		return preamble->record_hash == abi_record_hash();
	return preamble->record_version + 1 == ARENA_RECORD_VERSION;
}

// Finds a field of ours among those of the old arena; NULL when it has none of this name.
static const struct arena_field *field_find(
	const struct arena *arena, const struct arena_field *wanted)
{
	for (uint32_t i = 0; i < list_of(arena, ARENA_FIELDS)->count; i++) {
		const struct arena_field *field = row_of(arena, ARENA_FIELDS, i);
		if (field->list == wanted->list &&
			strncmp(field->name, wanted->name, ARENA_FIELD_NAME_BYTES) == 0)
			return field;
	}
	return NULL;
}

// Where each field of one of our records comes from. 0 when a value would not fit, or lies outside.
static int moves_find(const struct arena *arena, enum arena_list_number list, struct moves *moves)
{
	moves->count = 0;
	for (uint32_t i = 0; i < SESSION_RECORD_FIELD_COUNT; i++) {
		const struct arena_field *ours = &session_record_fields[i];
		const struct arena_field *found = field_find(arena, ours);
		if (ours->list != list || !found)
			continue;
		if (found->bytes > ours->bytes || found->bytes > VALUE_BYTES_MAX ||
			(uint32_t)found->at + found->bytes > list_of(arena, list)->row_bytes)
			return 0;
		moves->rows[moves->count++] = (struct move){found->at, found->bytes, ours->at};
	}
	return 1;
}

// Copies values, of which a wider field has zeros above (little-endian, as every build of ours is).
static void row_move(const struct moves *moves, const uint8_t *from, uint8_t *to)
{
	for (uint32_t i = 0; i < moves->count; i++) {
		const struct move *move = &moves->rows[i];
		memcpy(to + move->to, from + move->from, move->from_bytes);
	}
}

struct source {
	struct arena arena;
	struct moves sessions, bindings;
	int has_fields, is_convertible;
};

// Maps an old arena. 0, or -SYSTEM, -BAD_ARENA when it has no preamble that every build knows.
static int source_open(const char *path, struct source *source)
{
	int status = arena_file_open(path, &source->arena);
	if (status < 0)
		return status;
	const struct arena *arena = &source->arena;
	const struct arena_preamble *preamble = &arena->header->preamble;
	if (preamble->magic != ARENA_MAGIC || preamble->bytes != arena->bytes ||
		__atomic_load_n(&preamble->state, __ATOMIC_ACQUIRE) != ARENA_READY ||
		!lists_are_sound(arena)) {
		arena_file_close(&source->arena);
		return -EGRET_STATUS_BAD_ARENA;
	}
	source->has_fields = moves_find(arena, ARENA_SESSIONS, &source->sessions) &&
		moves_find(arena, ARENA_BINDINGS, &source->bindings);
	source->is_convertible = source->has_fields && version_is_known(preamble);
	return 0;
}

static void session_read(const struct source *source, uint32_t at, struct session_record *record)
{
	memset(record, 0, sizeof *record);
	row_move(&source->sessions, row_of(&source->arena, ARENA_SESSIONS, at), (uint8_t *)record);
	session_record_convert(record, source->arena.header->preamble.record_version);
}

static uint32_t live_sessions(const struct source *source)
{
	uint32_t live = 0;
	for (uint32_t i = 0; i < list_of(&source->arena, ARENA_SESSIONS)->used; i++) {
		struct session_record record;
		session_read(source, i, &record);
		live += session_record_is_live(&record) != 0;
	}
	return live;
}

// One more than the highest slot in use.
static uint32_t slots_used(const struct arena *arena, enum arena_list_number list)
{
	uint32_t used = list_of(arena, list)->count;
	while (used > 0 && *(const uint32_t *)row_of(arena, list, used - 1) == 0)
		used--;
	return used;
}

int egret_arena_inspect(const char *path, struct egret_arena_found *found)
{
	struct source source;
	if (!path || !found)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int status = source_open(path, &source);
	if (status < 0)
		return status;
	*found = (struct egret_arena_found){
		.record_version = source.arena.header->preamble.record_version,
		.is_convertible = (uint32_t)source.is_convertible,
		.sessions = source.has_fields ? live_sessions(&source) : 0,
		.sessions_used = list_of(&source.arena, ARENA_SESSIONS)->used,
		.bindings_used = list_of(&source.arena, ARENA_BINDINGS)->used,
		.networks_used = slots_used(&source.arena, ARENA_NETWORKS),
	};
	arena_file_close(&source.arena);
	return 0;
}

// Copies slots that are not empty to the same places. 0 when there is no room for one.
static int numbers_copy(
	const struct arena *from, enum arena_list_number list, uint32_t *to, uint32_t room)
{
	uint32_t used = slots_used(from, list);
	if (used > room)
		return 0;
	memcpy(to, arena_rows(from, list), used * sizeof *to);
	return 1;
}

static int names_copy(const struct arena *from, struct arena_slots *slots)
{
	const struct arena_list *list = list_of(from, ARENA_PORTS);
	for (uint32_t i = 0; i < list->count; i++) {
		const char *name = row_of(from, ARENA_PORTS, i);
		size_t bytes = strnlen(name, list->row_bytes);
		if (bytes == 0)
			continue;
		if (i >= EGRET_PORT_MAX || bytes >= EGRET_NAME_BYTES)
			return 0;
		memcpy(slots->ports[i], name, bytes);
	}
	return 1;
}

// Copies slots and records into a new arena that is empty. 0 when they do not fit.
static int lasting_half_copy(const struct source *source, struct arena *to)
{
	const struct arena *from = &source->arena;
	struct arena_list *lists = to->header->preamble.lists;
	uint32_t sessions = list_of(from, ARENA_SESSIONS)->used;
	uint32_t bindings = list_of(from, ARENA_BINDINGS)->used;
	if (sessions > lists[ARENA_SESSIONS].count || bindings > lists[ARENA_BINDINGS].count ||
		!names_copy(from, to->slots) ||
		!numbers_copy(
			from, ARENA_NETWORKS, to->slots->networks, to->header->limits.networks) ||
		!numbers_copy(from, ARENA_ADDRESSES, to->slots->addresses, EGRET_ADDRESS_MAX))
		return 0;
	struct session_record *records = arena_rows(to, ARENA_SESSIONS);
	for (uint32_t i = 0; i < sessions; i++)
		session_read(source, i, &records[i]);
	uint8_t *rows = arena_rows(to, ARENA_BINDINGS);
	for (uint32_t i = 0; i < bindings; i++)
		row_move(&source->bindings, row_of(from, ARENA_BINDINGS, i),
			rows + i * sizeof(struct binding_record));
	lists[ARENA_SESSIONS].used = sessions;
	lists[ARENA_BINDINGS].used = bindings;
	return to->slots->networks[0] == ARENA_MAIN_TABLE;
}

static int convert(struct source *source, const char *path, const char *owner,
	const struct egret_limits *limits, struct arena_handle **made)
{
	if (!source->is_convertible)
		return -EGRET_STATUS_ABI_MISMATCH;
	// Also keeps a forwarder of the old build, which a supervisor may start again, from writing.
	int status = epoch_claim_wait(&source->arena, CLAIM_WAIT_NS);
	if (status == 0)
		status = tables_make(path, owner, limits, made);
	if (status < 0)
		return status;
	status = lasting_half_copy(source, &(*made)->arena) ? 0 : -EGRET_STATUS_NO_SPACE;
	if (status == 0)
		status = arena_file_publish(&(*made)->arena, path);
	if (status < 0)
		egret_arena_close(*made);
	return status;
}

int egret_arena_convert(const char *from, const char *path, const char *owner,
	const struct egret_limits *limits, void **arena)
{
	struct source source;
	struct arena_handle *made = NULL;
	if (!from || !path || !owner || !limits || !arena)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int status = source_open(from, &source);
	if (status < 0)
		return status;
	status = convert(&source, path, owner, limits, &made);
	arena_file_close(&source.arena);
	if (status == 0)
		*arena = made;
	return status;
}
