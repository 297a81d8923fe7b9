// SPDX-License-Identifier: Apache-2.0

// The FIB's writer: what egretd keeps in addition to the tables, and how entries change (fib_apply.c calls
// it).
//
// Every change keeps what readers see whole: a ply is filled before an entry leads to it, a ply that
// says what one leaf can say is unlinked by one store and waits for the readers' quiet point.
//
// Plies are shared by all networks, but for those that are reserved for one: a network that has taken
// fewer than its share finds the rest of it free, whatever the neighbors of others announce.
#pragma once

#include "arena/epoch.h"
#include "fib/fib.h"
#include "fib/prefix_table.h"

#include <stdint.h>

struct fib_writer {
	struct arena *arena;
	uint32_t half; // the generation that is written
	uint32_t network_max, ply_max, group_max;
	uint32_t *roots, *plies, *versions;
	struct fib_group *groups;
	struct prefix_table *tables; // [network_max]
	uint32_t *
		resume_at; // [network_max] root entry where a change continues; 0: all are finished
	uint32_t entries_left; // that this call may change
	uint32_t *ply_next; // list of each ply that is not in use
	uint16_t *ply_network; // who has taken it
	uint32_t *taken, *reserved; // [network_max] plies
	uint64_t unclaimed; // reserved and not taken, of all networks
	uint16_t *ply_specific; // entries of a ply that need it: longer prefixes, deeper plies
	uint16_t *ply_deeper; // those of them that are deeper plies
	uint32_t ply_used; // in use or not yet reclaimed
	uint32_t ply_fresh; // plies from here on were never used
	uint32_t free_head; // reusable
	uint32_t limbo_head; // unlinked since the last mark
	uint32_t waiting_head; // unlinked before the mark
	struct epoch_mark mark;
	int is_waiting, is_dirty; // a mark stands; something changed since
	enum egret_status status; // of the last apply
	uint64_t touched[EGRET_VERSION_CHUNKS / 64]; // chunks whose version must ascend
};

// A short prefix may cover more than one call changes: it is then unfinished, readers see some of it,
// and the next call for the network must be the same, and so on until it is finished.
void fib_write_begin_step(struct fib_writer *writer);
// 1 when enough was changed since the step began.
int fib_write_must_pause(const struct fib_writer *writer);
int fib_write_is_unfinished(const struct fib_writer *writer, uint16_t network);

// Plies that are kept free for a network as long as it has taken fewer.
void fib_write_reserve(struct fib_writer *writer, uint16_t network, uint32_t plies);
// Announces a valid prefix. 0 when its plies or memory run out: nothing has changed then.
int fib_write_announce(
	struct fib_writer *writer, uint16_t network, const struct egret_fib_delta *delta);
void fib_write_withdraw(
	struct fib_writer *writer, uint16_t network, uint32_t prefix, uint32_t length);
// Raises the versions of all chunks touched since the last call.
void fib_write_bump(struct fib_writer *writer, uint16_t network);
void fib_write_clear(struct fib_writer *writer, uint16_t network);
// 1 when all that was unlinked before this call may be used again.
int fib_write_reclaim(struct fib_writer *writer);
