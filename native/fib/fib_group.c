// SPDX-License-Identifier: Apache-2.0

// Next-hop groups, written by egretd while the forwarder reads them.
#include "egret.h"
#include "fib/fib_apply.h"
#include "fib/fib_write.h"

#include <string.h>

int egret_fib_set_group(
	void *handle, uint32_t group, const struct egret_adjacency *paths, uint32_t n)
{
	struct fib_writer *writer = ((struct arena_handle *)handle)->writer;
	if (!writer || group < EGRET_GROUP_FIRST || group >= writer->group_max ||
		n > EGRET_GROUP_PATHS_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	for (uint32_t i = 0; i < n; i++)
		if (paths[i].port >= EGRET_PORT_MAX)
			return -EGRET_STATUS_BAD_ARGUMENT;
	struct fib_group *row = &writer->groups[group];
	// Members are in place before the count says so, and stay when it shrinks.
	if (n < row->count)
		__atomic_store_n(&row->count, n, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < n; i++) {
		fib_adjacency_word word;
		memcpy(&word, &paths[i], sizeof word);
		__atomic_store_n(fib_adjacency_word_of(&row->paths[i]), word, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&row->count, n, __ATOMIC_RELEASE);
	writer->is_dirty = 1;
	return 0;
}
