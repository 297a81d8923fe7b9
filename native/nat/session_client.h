// SPDX-License-Identifier: Apache-2.0

// Clients: inside addresses with sessions, and how many (RFC 6888 REQ-4). Used by session.c.
#pragma once

#include "nat/session.h"

// Counts a session to its client. Returns the client's row, or EGRET_NONE when the index is full:
// there are as many rows as sessions, so one is free.
uint32_t session_client_hold(struct session_table *table, uint32_t address);
// Takes back what session_client_hold counted.
void session_client_release(struct session_table *table, uint32_t client);
