// The arena: one file that egretd and the forwarder map, and the tables in it. Which tables, and
// where, is decided in tables/.
//
//   header │ slots │ plans ×2 │ generation A │ generation B │ records │ neighbors │ counters
//
// Everything in it is found by offset from the base. A generation holds the FIB: for each network a
// root of 65,536 entries, plies of 256 entries, next-hop groups and chunk versions. Records
// (sessions, bindings) belong to the worker; the rest of session state is private memory, rebuilt
// from them (session.h). Nothing is allocated after creation.
#pragma once

#include "abi.h"

#include <stdint.h>

enum {
	ARENA_MAGIC = 0x74726765, // "egrt"
	ARENA_RECORD_VERSION = 1, // layout of session_record and binding_record
	ARENA_ALIGN = 4096,
	ARENA_MAIN_TABLE = 254, // RT_TABLE_MAIN; network slot 0
};

enum arena_state { ARENA_CREATING = 0, ARENA_READY = 1, ARENA_RETIRED = 2 };

struct arena_header {
	uint32_t magic;
	uint32_t state; // enum arena_state, stored with release
	uint64_t abi_hash;
	uint64_t bytes;
	uint64_t hash_key[2]; // per-boot secret of the session index
	struct egret_limits limits;
	uint32_t record_version;
	uint32_t generation; // 0 or 1: the half that forwards; UINT32_MAX: none yet. Release store
	uint32_t generation_number; // ascends with every commit; part of a session's cached route
	uint32_t plan; // 0 or 1: the current plan; UINT32_MAX: none yet. Release store
	uint32_t plan_number; // ascends with every publish
	uint32_t control_life, forwarder_life; // ascend with every start
	// Workers: the plan and the generation taken up last, and a quiet-state counter (odd: in a batch,
	// even: quiet).
	struct {
		uint32_t plan_seen;
		uint32_t epoch;
		uint64_t heartbeat_ns;
		uint32_t is_online;
		uint32_t generation_seen;
		uint32_t reserved[8];
	} workers[EGRET_WORKER_MAX];
	// Offsets of the sections.
	uint64_t at_slots, at_plans[2], at_generations[2], at_sessions, at_bindings, at_pools,
		at_neighbors, at_counters;
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

// Creates a file of so many bytes under a temporary name in the folder of `path`, 0600, allocated in
// full, and maps it. 0, or -BAD_ARGUMENT, -SYSTEM.
int arena_file_create(const char *path, uint64_t bytes, struct arena *arena);
// Renames the file that this process created to `path`. 0, or -BAD_ARGUMENT, -SYSTEM.
int arena_file_publish(const char *path);
// Removes what arena_file_create left and arena_file_publish did not rename.
void arena_file_discard(const char *path);
// Maps an existing file. 0, or -SYSTEM, -BAD_ARENA when it is no file that could hold a header.
int arena_file_open(const char *path, struct arena *arena);
void arena_file_close(struct arena *arena);

static inline void *arena_at(const struct arena *arena, uint64_t offset)
{
	return arena->base + offset;
}
