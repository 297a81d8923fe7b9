// SPDX-License-Identifier: Apache-2.0

// The inside of struct neighbor_table, for the files of this room alone: neighbor.c (the table),
// neighbor_make.c, neighbor_hold.c (packets that wait), neighbor_poll.c (is it still there?) and
// neighbor_netlink.c (the kernel's table).
#pragma once
#include "lib/fair_share.h"
#include "neighbor/neighbor.h"

enum {
	HELD_PACKETS_MAX = 1024, // of all neighbors together
	HELD_BYTES = 2048, // room for an ordinary frame
	HELD_LARGE_MAX = 16, // superframes
	// Neighbors that are asked for at a time. The kernel's own table holds 1024 (gc_thresh3), and keeps one
	// that does not answer for three seconds: it is not filled by what clients send.
	WAITING_MAX = 256,
	POLLED_MAX = 64, // neighbors that are being confirmed at a time
};

struct held {
	struct packet packet;
	uint8_t *bytes;
	uint64_t since_ns;
	uint32_t large; // its superframe buffer; EGRET_NONE: its own ordinary one
	uint16_t client; // for whom it counts
};

// Who takes of what all share: by network, and by client.
struct neighbor_shares {
	struct fair_share networks, clients;
};

// What the arena's row does not say.
struct neighbor {
	uint64_t failed_ns; // when it was found not to answer
	uint64_t probed_ns;
	uint64_t poll_ns; // when it is to be polled, if it is used then
	uint32_t next; // in its chain
	uint32_t dump; // the dump that named it last
	uint16_t held[NEIGHBOR_HOLD_PACKETS];
	uint16_t network, client; // for whom it counts while packets wait for it
	uint8_t held_count;
	uint8_t is_polled; // in polled[]
	uint8_t unanswered; // polls since the last answer
	uint8_t is_silent; // POLL_ATTEMPTS polls in a row were in vain, and nothing was heard since
	uint8_t kernel_flags, kernel_flags_ext; // NTF_*, NTF_EXT_* that a request must repeat
};

// The kernel's side: a socket from egret_neighbor_socket.
struct neighbor_netlink {
	int fd; // -1: none
	uint32_t sequence; // of the newest request
	uint32_t dump_sequence; // of the dump that runs; 0: none
	uint8_t is_dump_wanted; // another one must follow
	uint8_t is_dump_refused; // the kernel would not: to be tried again in a while
};

struct neighbor_table {
	struct egret_neighbor_row *rows; // in the arena
	struct neighbor *neighbors; // by the same index
	uint32_t row_count;
	uint32_t *chains; // first row of each
	uint32_t chain_mask;
	uint64_t key[2];
	uint32_t *free_rows;
	uint32_t free_row_count;
	uint32_t reclaim_at; // where the last search stopped
	uint32_t dump;
	uint64_t now_ns;

	struct held *held;
	uint16_t free_held[HELD_PACKETS_MAX];
	uint32_t free_held_count;
	uint8_t *held_bytes, *large_bytes;
	uint16_t free_large[HELD_LARGE_MAX];
	uint32_t free_large_count;
	uint32_t waiting[WAITING_MAX]; // rows for which packets wait
	uint32_t waiting_count;
	struct neighbor_shares packet_shares, waiting_shares;

	uint32_t polled[POLLED_MAX]; // rows
	uint32_t polled_count;
	uint32_t poll_budget;
	uint64_t poll_budget_ns; // when it was filled
	struct neighbor_netlink netlink;
};

// The row of a neighbor, EGRET_NONE when it has none.
uint32_t neighbor_row_find(const struct neighbor_table *table, uint16_t port, uint32_t address);
// A new row for it; EGRET_NONE when the table is full of neighbors that matter.
uint32_t neighbor_row_insert(struct neighbor_table *table, uint16_t port, uint32_t address);
// Enters a row that has its port and address into the hash.
void neighbor_row_link(struct neighbor_table *table, uint32_t index);
void neighbor_row_store_state(struct egret_neighbor_row *row, enum neighbor_state state);
// Puts polls of neighbors that are used, and that nothing has confirmed lately, into the batch.
void neighbor_poll(struct worker *worker);
// Allocates and frees the room for packets that wait. Returns 0 when there is no memory.
int neighbor_hold_make(struct neighbor_table *table);
void neighbor_hold_free(struct neighbor_table *table);
