// SPDX-License-Identifier: Apache-2.0

// The arena: one file that egretd and the forwarder map, and the tables in it. Which tables, and
// where, is decided in tables/.
//
//   header │ slots │ fields │ plans ×2 │ generation A │ generation B │ records │ neighbors │ counters
//
// Everything in it is found by offset from the base. A generation holds the FIB: for each network a
// root of 65,536 entries, plies of 256 entries, next-hop groups and chunk versions. Records
// (sessions, bindings) belong to the worker; the rest of session state is private memory, rebuilt
// from them (session.h). Nothing is allocated after creation.
//
// The arena has two halves (docs/adr/0012-arena-compatibility.md). Slots and records are kept across
// builds: the preamble lists them, so that every build finds them. The rest is control tables, which only
// the build that made them understands, and which another build makes again.
#pragma once

#include "abi.h"

#include <stdint.h>

enum {
	ARENA_MAGIC = 0x32676765, // "egg2"
	// What the fields of session_record and binding_record mean. A field that is added, moved or
	// dropped changes nothing here: fields are found by name. One that comes to mean something else
	// raises it, and session_record_convert makes the new value from the old one.
	ARENA_RECORD_VERSION = 1,
	ARENA_ALIGN = 4096,
	ARENA_MAIN_TABLE = 254, // RT_TABLE_MAIN; network slot 0
	ARENA_FIELD_NAME_BYTES = 24,
	ARENA_OWNER_BYTES = 128,
};

enum arena_state { ARENA_CREATING = 0, ARENA_READY = 1 };

// The lists of the half that is kept. A number keeps its meaning in all later builds.
enum arena_list_number {
	ARENA_PORTS = 0, // names of interfaces, each a string
	ARENA_NETWORKS = 1, // uint32_t
	ARENA_ADDRESSES = 2, // uint32_t
	ARENA_SESSIONS = 3, // struct session_record
	ARENA_BINDINGS = 4, // struct binding_record
	ARENA_FIELDS = 5, // struct arena_field: what the rows of the two above consist of
	ARENA_LISTS_MAX = 8,
};

struct arena_list {
	uint64_t at; // offset from the base
	uint32_t count; // rows
	uint32_t row_bytes;
	uint32_t
		used; // sessions and bindings: rows from here on were never used. Only the worker writes
	uint32_t reserved;
};

// A field of a record.
struct arena_field {
	char name[ARENA_FIELD_NAME_BYTES]; // ends with a zero
	uint32_t list; // ARENA_SESSIONS or ARENA_BINDINGS
	uint16_t at, bytes; // in a row
};

// The begin of the file: the same in every build, like HELLO on the control socket.
struct arena_preamble {
	uint32_t magic;
	uint32_t state; // enum arena_state, stored with release
	uint64_t abi_hash; // of everything that is shared (native/abi.layout)
	uint64_t record_hash; // of what the values in records mean
	uint64_t bytes; // of the file
	uint32_t record_version;
	uint32_t reserved;
	struct arena_list lists[ARENA_LISTS_MAX];
	char owner[ARENA_OWNER_BYTES]; // the link by which its instance finds it; ends with a zero
};

struct arena_header {
	struct arena_preamble preamble;
	uint64_t hash_key[2]; // per-boot secret of the session index
	struct egret_limits limits;
	uint32_t generation; // 0 or 1: the half that forwards; EGRET_NONE: none yet. Release store
	uint32_t generation_number; // ascends with every commit; part of a session's cached route
	uint32_t plan; // 0 or 1: the current plan; EGRET_NONE: none yet. Release store
	uint32_t plan_number; // ascends with every publish
	uint32_t reserved;
	// Workers: the plan and the generation taken up last, and a quiet-state counter (odd: in a batch,
	// even: quiet).
	struct arena_worker {
		uint32_t plan_seen;
		uint32_t epoch;
		uint64_t heartbeat_ns;
		uint32_t is_online;
		uint32_t generation_seen;
		uint32_t reserved[8];
	} workers[EGRET_WORKER_MAX];
	// Offsets of the control tables.
	uint64_t at_plans[2], at_generations[2], at_pools, at_neighbors, at_counters;
	uint64_t plan_bytes, generation_bytes;
};

struct arena_slots {
	char ports[EGRET_PORT_MAX][EGRET_NAME_BYTES]; // interface names; "" is free
	uint32_t networks[EGRET_NETWORK_MAX]; // route table index; 0 is free
	uint32_t addresses[EGRET_ADDRESS_MAX]; // gateway address; 0 is free
};

struct arena_counters {
	uint64_t ports[EGRET_PORT_MAX][EGRET_PORT_COUNTER_COUNT];
	uint64_t drops[EGRET_PORT_MAX][EGRET_DROP_COUNT];
	uint64_t worker[EGRET_WORKER_COUNTER_COUNT];
};

// A process's view of it.
struct arena {
	uint8_t *base;
	struct arena_header *header;
	struct arena_slots *slots;
	struct arena_counters *counters;
	uint64_t bytes; // that are mapped
	int fd;
};

// Every process that maps an arena holds a shared lock on one byte of it, from before it has a name, so
// that a file in use is recognized. (Byte 0: the process runs its workers, epoch.h.)

// Creates a file of so many bytes in the folder of `path`, on tmpfs, 0600, allocated in full, without a
// name, and maps it: when the process dies before it names the file, nothing is left behind. 0, or -BAD_ARGUMENT, -SYSTEM.
int arena_file_create(const char *path, uint64_t bytes, struct arena *arena);
// Gives it its name; a file that had it loses it. 0, or -BAD_ARGUMENT, -SYSTEM.
int arena_file_publish(const struct arena *arena, const char *path);
// Maps an existing file, to which the path may be a link. 0, or -SYSTEM, -BAD_ARENA when it is no file that
// could hold a header, another user's, or open to others.
int arena_file_open(const char *path, struct arena *arena);
void arena_file_close(struct arena *arena);
// Removes a file that is an arena of this user's, which no process maps and to which no link leads. 1, or
// 0 when it is anything else.
int arena_file_remove_stale(const char *path);

static inline void *arena_at(const struct arena *arena, uint64_t offset)
{
	return arena->base + offset;
}

// The rows of a list of the lasting half.
static inline void *arena_rows(const struct arena *arena, enum arena_list_number list)
{
	return arena_at(arena, arena->header->preamble.lists[list].at);
}
