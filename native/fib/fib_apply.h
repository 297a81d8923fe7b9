// SPDX-License-Identifier: Apache-2.0

// What the handles of egret.h point to, and the opening and closing of the FIB's writer in it.
#pragma once

#include "arena/arena.h"

#include <stdint.h>

struct fib_writer; // fib_write.h

// The arena as egret_arena_create and egret_arena_open give it away.
struct arena_handle {
	struct arena arena; // first: a pointer to a handle is one to its arena
	struct fib_writer *writer; // only in egretd, from egret_arena_begin_generation on
};

// Empties a generation that no reader uses and makes it the one that egret_fib_* write.
int fib_writer_begin(struct arena_handle *handle, uint32_t half);
void fib_writer_free(struct arena_handle *handle);
