// SPDX-License-Identifier: Apache-2.0

// The tables of an arena: made in a file that has no name yet, and given its name when they are whole.
#pragma once

#include "arena/arena.h"
#include "fib/fib_apply.h"

// Makes an arena of these limits in a file without a name, which no other process can find. `owner` is
// the link by which its instance finds it, "" when there is none. 0, or -BAD_ARGUMENT, -NO_SPACE,
// -SYSTEM; egret_arena_close removes it.
int tables_make(const char *path, const char *owner, const struct egret_limits *limits,
	struct arena_handle **handle);
