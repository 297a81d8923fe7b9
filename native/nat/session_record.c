// SPDX-License-Identifier: Apache-2.0

// What the records consist of, and what becomes of one of another build. See session_record.h.
#include "nat/session_record.h"

#include <stddef.h>

#define SESSION_FIELD(ctype, name, doc) \
	{#name, ARENA_SESSIONS, offsetof(struct session_record, name), sizeof(ctype)},
#define BINDING_FIELD(ctype, name, doc) \
	{#name, ARENA_BINDINGS, offsetof(struct binding_record, name), sizeof(ctype)},

const struct arena_field session_record_fields[SESSION_RECORD_FIELD_COUNT] = {
	SESSION_RECORD_FIELDS(SESSION_FIELD) BINDING_RECORD_FIELDS(BINDING_FIELD)};

void session_record_convert(struct session_record *record, uint32_t version)
{
	(void)version; // every value has meant the same since version 1
	record->plan_number = 0;
	record->generation_number = 0;
	record->network_group = EGRET_GROUP_NONE;
	record->client_group = EGRET_GROUP_NONE;
}
