// SPDX-License-Identifier: Apache-2.0

// Prints native/abi.layout: everything that egretd and the forwarder share, by names, offsets, widths
// and values. The file is committed, so that a change of it is seen in review, and the Makefile takes the
// two hashes from it.
//
//   abi      over all of it: two binaries of the same hash may work on one arena
//   records  over what the values in session and binding records mean, their names and places left out:
//            a build converts records whose values mean the same to it (tables/convert.c)
//
// Comments, the order of headers and names of C do not count. A field that is missing in a list here
// leaves a gap, and the program fails.
#include "arena/arena.h"
#include "control/control.h"
#include "fib/fib.h"
#include "nat/session_record.h"
#include "neighbor/neighbor.h"
#include "plan/plan_buffer.h"
#include "tables/layout.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;
static size_t cursor; // end of the last field
static const char *owner; // struct whose fields are being printed

static void struct_begin(const char *name, size_t bytes)
{
	fprintf(out, "\nstruct %s, %zu bytes\n", name, bytes);
	owner = name;
	cursor = 0;
}

static void field(const char *name, size_t at, size_t bytes)
{
	if (at != cursor) {
		fprintf(stderr, "layout_print: what is before %s.%s?\n", owner, name);
		exit(1);
	}
	fprintf(out, "  %6zu %6zu  %s\n", at, bytes, name);
	cursor = at + bytes;
}

static void struct_end(size_t bytes)
{
	field("end", bytes, 0);
}

static void value(const char *name, uint64_t number)
{
	fprintf(out, "  %s = %" PRIu64 "\n", name, number);
}

#define BEGIN(type) struct_begin(#type, sizeof(struct type))
#define FIELD(type, name) \
	field(#name, offsetof(struct type, name), sizeof(((struct type *)0)->name));
#define END(type) struct_end(sizeof(struct type))
#define VALUE(name) value(#name, (uint64_t)(name));

// -- What the values in records mean --------------------------------------------------------------

static void print_record_values(void)
{
	fprintf(out, "\nvalues in records\n");
	VALUE(EGRET_TICK_NS)
	VALUE(SESSION_SYN_OUT)
	VALUE(SESSION_SYN_IN)
	VALUE(SESSION_FIN_OUT)
	VALUE(SESSION_FIN_IN)
	VALUE(SESSION_RST)
	VALUE(BINDING_EMPTY)
	VALUE(BINDING_LIVE)
	VALUE(BINDING_QUARANTINED)
#define STATE(sym, name) value("session state " name, EGRET_SESSION_STATE_##sym);
	EGRET_SESSION_STATES(STATE)
}

// -- Where things lie -----------------------------------------------------------------------------

static void print_records(void)
{
#define SESSION(ctype, name, doc) FIELD(session_record, name)
#define BINDING(ctype, name, doc) FIELD(binding_record, name)
	BEGIN(session_record);
	SESSION_RECORD_FIELDS(SESSION)
	END(session_record);
	BEGIN(binding_record);
	BINDING_RECORD_FIELDS(BINDING)
	END(binding_record);
}

static void print_preamble(void)
{
	fprintf(out, "\narena\n");
	VALUE(ARENA_MAGIC)
	VALUE(ARENA_RECORD_VERSION)
	VALUE(ARENA_CREATING)
	VALUE(ARENA_READY)
	VALUE(ARENA_PORTS)
	VALUE(ARENA_NETWORKS)
	VALUE(ARENA_ADDRESSES)
	VALUE(ARENA_SESSIONS)
	VALUE(ARENA_BINDINGS)
	VALUE(ARENA_FIELDS)
	VALUE(ARENA_MAIN_TABLE)
	BEGIN(arena_list);
	FIELD(arena_list, at)
	FIELD(arena_list, count)
	FIELD(arena_list, row_bytes)
	FIELD(arena_list, used)
	FIELD(arena_list, reserved)
	END(arena_list);
	BEGIN(arena_field);
	FIELD(arena_field, name)
	FIELD(arena_field, list)
	FIELD(arena_field, at)
	FIELD(arena_field, bytes)
	END(arena_field);
	BEGIN(arena_preamble);
	FIELD(arena_preamble, magic)
	FIELD(arena_preamble, state)
	FIELD(arena_preamble, abi_hash)
	FIELD(arena_preamble, record_hash)
	FIELD(arena_preamble, bytes)
	FIELD(arena_preamble, record_version)
	FIELD(arena_preamble, reserved)
	FIELD(arena_preamble, lists)
	FIELD(arena_preamble, owner)
	END(arena_preamble);
}

static void print_header(void)
{
	BEGIN(arena_header);
	FIELD(arena_header, preamble)
	FIELD(arena_header, hash_key)
	FIELD(arena_header, limits)
	FIELD(arena_header, generation)
	FIELD(arena_header, generation_number)
	FIELD(arena_header, plan)
	FIELD(arena_header, plan_number)
	FIELD(arena_header, reserved)
	FIELD(arena_header, workers)
	FIELD(arena_header, at_plans)
	FIELD(arena_header, at_generations)
	FIELD(arena_header, at_pools)
	FIELD(arena_header, at_neighbors)
	FIELD(arena_header, at_counters)
	FIELD(arena_header, plan_bytes)
	FIELD(arena_header, generation_bytes)
	END(arena_header);
	BEGIN(arena_worker);
	FIELD(arena_worker, plan_seen)
	FIELD(arena_worker, epoch)
	FIELD(arena_worker, heartbeat_ns)
	FIELD(arena_worker, is_online)
	FIELD(arena_worker, generation_seen)
	FIELD(arena_worker, reserved)
	END(arena_worker);
	BEGIN(arena_slots);
	FIELD(arena_slots, ports)
	FIELD(arena_slots, networks)
	FIELD(arena_slots, addresses)
	END(arena_slots);
	BEGIN(arena_counters);
	FIELD(arena_counters, ports)
	FIELD(arena_counters, drops)
	FIELD(arena_counters, worker)
	END(arena_counters);
}

// The structs of abi.h that lie in the arena. Those that only cross from TypeScript to libegret are in
// abi.gen.ts.
static void print_abi_structs(void)
{
#define ABI_FIELD(ctype, accessor, name, doc) FIELD(STRUCT, name)
#define ABI_STRUCT(FIELDS) \
	BEGIN_AGAIN(STRUCT); \
	FIELDS(ABI_FIELD) \
	END_AGAIN(STRUCT);
#define BEGIN_AGAIN(type) BEGIN(type)
#define END_AGAIN(type) END(type)
#define STRUCT egret_limits
	ABI_STRUCT(EGRET_LIMITS_FIELDS)
#undef STRUCT
#define STRUCT egret_adjacency
	ABI_STRUCT(EGRET_ADJACENCY_FIELDS)
#undef STRUCT
#define STRUCT egret_plan
	ABI_STRUCT(EGRET_PLAN_FIELDS)
#undef STRUCT
#define STRUCT egret_plan_port
	ABI_STRUCT(EGRET_PLAN_PORT_FIELDS)
#undef STRUCT
#define STRUCT egret_plan_local
	ABI_STRUCT(EGRET_PLAN_LOCAL_FIELDS)
#undef STRUCT
#define STRUCT egret_plan_address
	ABI_STRUCT(EGRET_PLAN_ADDRESS_FIELDS)
#undef STRUCT
#define STRUCT egret_plan_rule
	ABI_STRUCT(EGRET_PLAN_RULE_FIELDS)
#undef STRUCT
#define STRUCT egret_plan_client
	ABI_STRUCT(EGRET_PLAN_CLIENT_FIELDS)
#undef STRUCT
#define STRUCT egret_pool_row
	ABI_STRUCT(EGRET_POOL_ROW_FIELDS)
#undef STRUCT
#define STRUCT egret_neighbor_row
	ABI_STRUCT(EGRET_NEIGHBOR_ROW_FIELDS)
#undef STRUCT
#define STRUCT egret_trial
	ABI_STRUCT(EGRET_TRIAL_FIELDS)
#undef STRUCT
}

static void print_plan(void)
{
	BEGIN(plan_derived);
	FIELD(plan_derived, number)
	FIELD(plan_derived, interval_count)
	FIELD(plan_derived, at_starts)
	FIELD(plan_derived, at_owners)
	FIELD(plan_derived, at_plan)
	FIELD(plan_derived, port_of_slot)
	FIELD(plan_derived, addresses)
	FIELD(plan_derived, locals)
	FIELD(plan_derived, own_hashes)
	FIELD(plan_derived, interval_at)
	field("padding", cursor, sizeof(struct plan_derived) - cursor);
	END(plan_derived);
	fprintf(out, "\nplan\n");
	VALUE(PLAN_LOCAL_MAX)
	VALUE(PLAN_HASH_BITS)
	VALUE(plan_hash(0x0a000001))
	VALUE(plan_hash(0xc6336401))
	VALUE(EGRET_ROLE_CLIENTS)
	VALUE(EGRET_ROLE_NETWORKS)
	VALUE(EGRET_ROLE_ANY)
	VALUE(EGRET_ACTION_GATEWAY)
	VALUE(EGRET_ACTION_MAIN)
	VALUE(EGRET_ACTION_BLOCK)
}

static void print_fib(void)
{
	BEGIN(fib_group);
	FIELD(fib_group, count)
	FIELD(fib_group, reserved)
	FIELD(fib_group, paths)
	END(fib_group);
	fprintf(out, "\nFIB\n");
	VALUE(FIB_PLY_BIT)
	VALUE(FIB_LENGTH_BITS)
	VALUE(FIB_ROOT_ENTRIES)
	VALUE(FIB_PLY_ENTRIES)
	VALUE(FIB_GROUP_MAX)
	VALUE(EGRET_GROUP_NONE)
	VALUE(EGRET_GROUP_UNREACHABLE)
	VALUE(EGRET_GROUP_FIRST)
	VALUE(EGRET_VERSION_CHUNKS)
}

static void print_names(void)
{
	fprintf(out, "\nneighbors, counters, statuses\n");
	VALUE(NEIGHBOR_UNKNOWN)
	VALUE(NEIGHBOR_RESOLVING)
	VALUE(NEIGHBOR_REACHABLE)
	VALUE(NEIGHBOR_FAILED)
#define DROP(sym, name, doc) value("drop " name, EGRET_DROP_##sym);
	EGRET_DROPS(DROP)
#define PORT_COUNTER(sym, name, doc) value("of a port: " name, EGRET_PORT_COUNTER_##sym);
	EGRET_PORT_COUNTERS(PORT_COUNTER)
#define WORKER_COUNTER(sym, name, doc) value("of a worker: " name, EGRET_WORKER_COUNTER_##sym);
	EGRET_WORKER_COUNTERS(WORKER_COUNTER)
#define STATUS(sym, code, text) value("status " code, EGRET_STATUS_##sym);
	EGRET_STATUSES(STATUS)
}

// The tables of an arena with these limits: their order, their alignment, and the parts of a FIB.
static void print_example(void)
{
	static const struct egret_limits limits = {3, 5, 7, 11, 13, 17, 19, 23, 29};
	struct arena_header header = {0};
	if (!tables_layout(&header, &limits))
		exit(1);
	fprintf(out, "\nan arena with limits 3, 5, 7, 11, 13, 17, 19, 23, 29\n");
	for (int i = 0; i < ARENA_LISTS_MAX; i++)
		value("list", header.preamble.lists[i].at);
	value("first plan", header.at_plans[0]);
	value("second plan", header.at_plans[1]);
	value("first generation", header.at_generations[0]);
	value("second generation", header.at_generations[1]);
	value("pools", header.at_pools);
	value("neighbors", header.at_neighbors);
	value("counters", header.at_counters);
	value("end", header.preamble.bytes);
	struct arena arena = {.base = calloc(1, header.preamble.bytes), .header = &header};
	struct fib_view view;
	if (!arena.base)
		exit(1);
	fib_half_view(&arena, 0, &view);
	const uint8_t *half = arena.base + header.at_generations[0];
	value("roots, in a generation", (uint64_t)((const uint8_t *)view.roots - half));
	value("versions", (uint64_t)((const uint8_t *)view.versions - half));
	value("groups", (uint64_t)((const uint8_t *)view.groups - half));
	value("plies", (uint64_t)((const uint8_t *)view.plies - half));
	free(arena.base);
}

static void print_control(void)
{
	fprintf(out, "\ncontrol socket\n");
	VALUE(CONTROL_MAGIC)
	VALUE(CONTROL_HELLO)
	VALUE(CONTROL_TAKE_PORTS)
	VALUE(CONTROL_PORT)
	VALUE(CONTROL_ADD_PORT)
	VALUE(CONTROL_REMOVE_PORT)
	VALUE(CONTROL_SET_NETLINK)
	VALUE(CONTROL_STOP)
	VALUE(CONTROL_WAKE)
	VALUE(CONTROL_SET_TRIALS)
	VALUE(CONTROL_CLEAR_SESSIONS)
	VALUE(CONTROL_DISCARD)
	BEGIN(control_message);
	FIELD(control_message, magic)
	FIELD(control_message, kind)
	FIELD(control_message, abi_hash)
	FIELD(control_message, sequence)
	FIELD(control_message, status)
	FIELD(control_message, system_errno)
	FIELD(control_message, pid)
	FIELD(control_message, count)
	FIELD(control_message, slot)
	FIELD(control_message, ifindex)
	FIELD(control_message, flags)
	FIELD(control_message, sessions)
	FIELD(control_message, cursor)
	FIELD(control_message, arena_inode)
	END(control_message);
}

// FNV-1a, 64 bits.
static uint64_t hash(const char *text)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	for (; *text; text++)
		sum = (sum ^ (uint8_t)*text) * 0x100000001b3ull;
	return sum;
}

int main(void)
{
	char *text = NULL;
	size_t bytes = 0;
	out = open_memstream(&text, &bytes);
	if (!out)
		return 1;
	print_record_values();
	fflush(out);
	uint64_t records = hash(text);
	print_records();
	print_preamble();
	print_header();
	print_abi_structs();
	print_plan();
	print_fib();
	print_names();
	print_example();
	print_control();
	fclose(out);
	printf("What egretd and the forwarder share: offset, width and name of each field, and "
	       "values.\n"
	       "Printed by native/layout_print.c; `make abi` updates it.\n\n"
	       "abi 0x%016" PRIx64 "\nrecords 0x%016" PRIx64 "\n%s",
		hash(text), records, text);
	free(text);
	return 0;
}
