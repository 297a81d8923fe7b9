// SPDX-License-Identifier: Apache-2.0

// What session.c, session_rebuild.c and session_timer.c share, and no other file uses.
#pragma once

#include "nat/session.h"

static inline void session_store_mark(enum session_store_mark mark)
{
	if (__builtin_expect(session_store_hook != 0, 0))
		session_store_hook((int)mark);
}

// Enters a record into the index, its binding's list and its client's count. 0, or -1.
int session_attach(struct session_table *table, uint32_t session);
// Fetches the index lines of a binding that binding_index_add will write.
void binding_prefetch(const struct session_table *table, uint32_t binding);
// Enters a binding into the index. 0, or -1.
int binding_index_add(struct session_table *table, uint32_t binding);
// Makes a binding without sessions empty and gives its port back.
void binding_free(struct session_table *table, uint32_t binding);
