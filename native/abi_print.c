// SPDX-License-Identifier: Apache-2.0

// Prints src/dataplane/abi.gen.ts from abi.h (`make abi`).
#include "abi.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINT_FIELD(ctype, accessor, name, doc) \
	print_field(#name, offsetof(STRUCT, name), #accessor, sizeof(ctype), doc);
#define PRINT_NAME(sym, name, doc) printf("  /** %s. */\n  '%s',\n", doc, name);
#define PRINT_MEANING(sym, name, doc) printf("  %s:\n    \"%s\",\n", name, doc);
#define PRINT_STATUS(sym, code, text) printf("  /** %s. */\n  '%s',\n", text, code);
#define PRINT_STATE(sym, name) printf("  '%s',\n", name);
#define PRINT_CONSTANT(name) printf("export const " #name " = %d;\n", (int)EGRET_##name);

static const char *camel(const char *snake)
{
	static char out[64];
	size_t n = 0;
	for (; *snake && n + 1 < sizeof out; snake++) {
		char c = *snake;
		if (c == '_' && snake[1])
			c = (char)(*++snake - 'a' + 'A');
		out[n++] = c;
	}
	out[n] = 0;
	return out;
}

static void print_field(
	const char *name, size_t at, const char *accessor, size_t bytes, const char *doc)
{
	size_t count = bytes * 8 / strtoul(accessor + 1, NULL, 10);
	if (doc[0])
		printf("  /** %s. */\n", doc);
	printf("  %s: { at: %zu, as: '%s'", name, at, accessor);
	if (count > 1)
		printf(", count: %zu", count);
	printf(" },\n");
}

int main(void)
{
	printf("// SPDX-License-Identifier: Apache-2.0\n");
	printf("// Generated from native/abi.h by `make abi`. Do not edit.\n\n");
#define PRINT_STRUCT(name, FIELDS) \
	{ \
		printf("/** struct egret_" #name ". */\nexport const %s = {\n", camel(#name)); \
		FIELDS(PRINT_FIELD) \
		printf("} as const;\n"); \
		printf("export const %sBytes = %zu;\n\n", camel(#name), sizeof(STRUCT)); \
	}
#define STRUCT struct egret_limits
	PRINT_STRUCT(limits, EGRET_LIMITS_FIELDS)
#undef STRUCT
#define STRUCT struct egret_adjacency
	PRINT_STRUCT(adjacency, EGRET_ADJACENCY_FIELDS)
#undef STRUCT
#define STRUCT struct egret_fib_delta
	PRINT_STRUCT(fib_delta, EGRET_FIB_DELTA_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan
	PRINT_STRUCT(plan, EGRET_PLAN_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan_port
	PRINT_STRUCT(plan_port, EGRET_PLAN_PORT_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan_local
	PRINT_STRUCT(plan_local, EGRET_PLAN_LOCAL_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan_address
	PRINT_STRUCT(plan_address, EGRET_PLAN_ADDRESS_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan_rule
	PRINT_STRUCT(plan_rule, EGRET_PLAN_RULE_FIELDS)
#undef STRUCT
#define STRUCT struct egret_plan_client
	PRINT_STRUCT(plan_client, EGRET_PLAN_CLIENT_FIELDS)
#undef STRUCT
#define STRUCT struct egret_session_row
	PRINT_STRUCT(session_row, EGRET_SESSION_ROW_FIELDS)
#undef STRUCT
#define STRUCT struct egret_pool_row
	PRINT_STRUCT(pool_row, EGRET_POOL_ROW_FIELDS)
#undef STRUCT
#define STRUCT struct egret_decision
	PRINT_STRUCT(decision, EGRET_DECISION_FIELDS)
#undef STRUCT
#define STRUCT struct egret_neighbor_row
	PRINT_STRUCT(neighbor_row, EGRET_NEIGHBOR_ROW_FIELDS)
#undef STRUCT
#define STRUCT struct egret_trial
	PRINT_STRUCT(trial, EGRET_TRIAL_FIELDS)
#undef STRUCT
#define STRUCT struct egret_arena_found
	PRINT_STRUCT(arena_found, EGRET_ARENA_FOUND_FIELDS)
#undef STRUCT

	printf("/** Index is the status that a function returns, negated. */\n");
	printf("export const statuses = [\n");
	EGRET_STATUSES(PRINT_STATUS)
	printf("] as const;\nexport type Status = (typeof statuses)[number];\n\n");

	printf("/** Index is the drop reason; a packet that is not dropped has none. */\n");
	printf("export const drops = [\n  undefined,\n");
	EGRET_DROPS(PRINT_NAME)
	printf("] as const;\nexport type Drop = NonNullable<(typeof drops)[number]>;\n\n");
	printf("/** What each means. */\nexport const dropMeanings: Readonly<Record<Drop, string>> "
	       "= {\n");
	EGRET_DROPS(PRINT_MEANING)
	printf("};\n\n");

	printf("/** Index is the counter of a port. */\nexport const portCounters = [\n");
	EGRET_PORT_COUNTERS(PRINT_NAME)
	printf("] as const;\nexport type PortCounter = (typeof portCounters)[number];\n\n");
	printf("/** What each means. */\nexport const portCounterMeanings: "
	       "Readonly<Record<PortCounter, string>> = {\n");
	EGRET_PORT_COUNTERS(PRINT_MEANING)
	printf("};\n\n");

	printf("/** Index is the counter of a worker. */\nexport const workerCounters = [\n");
	EGRET_WORKER_COUNTERS(PRINT_NAME)
	printf("] as const;\nexport type WorkerCounter = (typeof workerCounters)[number];\n\n");
	printf("/** What each means. */\nexport const workerCounterMeanings: "
	       "Readonly<Record<WorkerCounter, string>> = {\n");
	EGRET_WORKER_COUNTERS(PRINT_MEANING)
	printf("};\n\n");

	printf("/** Index is the state of a session row. */\nexport const sessionStates = [\n");
	EGRET_SESSION_STATES(PRINT_STATE)
	printf("] as const;\nexport type SessionState = (typeof sessionStates)[number];\n\n");

	printf("/** No row, record, slot or number of a list that counts from 0. */\n");
	printf("export const NONE = %u;\n", EGRET_NONE);
	PRINT_CONSTANT(PORT_MAX)
	PRINT_CONSTANT(NETWORK_MAX)
	PRINT_CONSTANT(ADDRESS_MAX)
	PRINT_CONSTANT(GROUP_PATHS_MAX)
	PRINT_CONSTANT(RULE_ADDRESSES_MAX)
	PRINT_CONSTANT(ADDRESS_NETWORKS_MAX)
	PRINT_CONSTANT(GROUP_NONE)
	PRINT_CONSTANT(GROUP_UNREACHABLE)
	PRINT_CONSTANT(GROUP_FIRST)
	PRINT_CONSTANT(ROLE_CLIENTS)
	PRINT_CONSTANT(ROLE_NETWORKS)
	PRINT_CONSTANT(ROLE_ANY)
	PRINT_CONSTANT(ACTION_GATEWAY)
	PRINT_CONSTANT(ACTION_MAIN)
	PRINT_CONSTANT(ACTION_BLOCK)
	PRINT_CONSTANT(TRIAL_CLIENT)
	PRINT_CONSTANT(TRIAL_GATEWAY)
	PRINT_CONSTANT(TRIAL_NETWORK)
	PRINT_CONSTANT(TRIAL_FATE)
	PRINT_CONSTANT(TRIAL_ANSWER)
	PRINT_CONSTANT(TRIAL_BYTES)
	return 0;
}
