// SPDX-License-Identifier: Apache-2.0

// Remotes of a binding: the addresses that its sessions have, and how many (RFC 4787 §5). Used by session.c.
#pragma once

#include "nat/session.h"

// Takes back what session_remote_settle counted.
void session_remote_release(struct session_table *table, uint32_t remote);
