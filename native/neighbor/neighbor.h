// SPDX-License-Identifier: Apache-2.0

// Neighbors: the MAC address of each next hop and of each directly connected host.
//
// The forwarder follows the kernel's table over its own netlink socket (neighbor_netlink.c), so that
// it sees changes while egretd does not run. A packet for an unresolved neighbor waits in a queue of
// NEIGHBOR_HOLD_PACKETS for NEIGHBOR_HOLD_NS; then it is dropped with host unreachable. A neighbor in use
// is polled about once a second (neighbor_poll.c): the kernel does not see our packets, and would notice
// a new MAC address only after a minute.
//
// A row of the arena (struct egret_neighbor_row) is in use when its address is not 0. Rows outlive the
// forwarder: the next one forwards by them at once, and its first dump of the kernel's table corrects
// them. Packets that wait are private memory and are lost with the process.
#pragma once
#include "arena/arena.h"
#include "packet/packet.h"

#include <stdint.h>

enum { NEIGHBOR_HOLD_PACKETS = 3 };
#define NEIGHBOR_HOLD_NS 1000000000ull

enum neighbor_state {
	NEIGHBOR_UNKNOWN = 0,
	NEIGHBOR_RESOLVING = 1,
	NEIGHBOR_REACHABLE = 2,
	NEIGHBOR_FAILED = 3,
};

struct worker;
struct neighbor_table;

// Adopts the rows that an earlier forwarder left. NULL: out of memory.
struct neighbor_table *neighbor_table_make(struct arena *arena);
void neighbor_table_free(struct neighbor_table *table);
// The MAC address of a neighbor: 1 and copied, or 0 when it must be resolved first.
// Hot path: one probe of a hash table.
int neighbor_find(struct neighbor_table *table, uint16_t port, uint32_t address, uint8_t mac[6]);
// 1 when the MAC address is known and polls are answered, as far as there were any. 0: another path is
// better, if there is one. It counts as used, as by neighbor_find. Hot path: one probe.
int neighbor_is_answering(struct neighbor_table *table, uint16_t port, uint32_t address);
// The kernel's state of a neighbor. FAILED drops the packets that wait; REACHABLE releases them at the
// next housekeeping.
void neighbor_update(struct neighbor_table *table, uint16_t port, uint32_t address,
	enum neighbor_state state, const uint8_t mac[6]);
// What is known of a reachable neighbor. confirm: it has just answered with this MAC address (an answer
// with another one than the known is ignored). doubt: poll it as soon as it is used. trust: never poll it.
void neighbor_confirm(
	struct neighbor_table *table, uint16_t port, uint32_t address, const uint8_t mac[6]);
void neighbor_doubt(struct neighbor_table *table, uint16_t port, uint32_t address);
void neighbor_trust(struct neighbor_table *table, uint16_t port, uint32_t address);
// Remembers a neighbor's NTF_* and NTF_EXT_* flags: a request to the kernel has to repeat them, or it
// takes them away.
void neighbor_keep_flags(struct neighbor_table *table, uint16_t port, uint32_t address,
	uint8_t flags, uint8_t flags_ext);
// Forgets a port's neighbors (the interface went away).
void neighbor_forget_port(struct neighbor_table *table, uint16_t port);
// Takes a copy of a live packet into the neighbor's queue and asks the kernel to resolve it.
// Returns 1 when held (verdict PACKET_HELD), 0 when the queue is full or the neighbor has failed
// within the last second (the caller drops with HOLD_FULL or NO_NEIGHBOR, see *drop).
int neighbor_hold(struct worker *worker, struct packet *packet, enum egret_drop *drop);
// Fills the empty batch with what is due: polls, packets whose neighbor has answered (live), and packets
// whose wait is over (dropped with NO_NEIGHBOR). Returns 1 when there is any; the caller sends it and
// calls again. 0: nothing is due.
int neighbor_take_ready(struct worker *worker);
// Packets that wait now.
uint32_t neighbor_held(const struct neighbor_table *table);
// 1 while neighbors are being polled: housekeeping must not be far.
int neighbor_is_polling(const struct neighbor_table *table);

// Between these two every neighbor that exists is named by neighbor_update; the others are forgotten.
void neighbor_dump_begin(struct neighbor_table *table);
void neighbor_dump_end(struct neighbor_table *table);

// -- The kernel's table (neighbor_netlink.c) ------------------------------------------------------

// The socket of its events, to be polled; -1: none.
int neighbor_netlink_fd(const struct neighbor_table *table);
// Takes a socket over (egret_neighbor_socket; -1: none), closes the one before it, and begins to read
// the kernel's table.
void neighbor_netlink_set(struct worker *worker, int fd);
// Reads the kernel's table again: a port was added, whose neighbors were not ours until now.
void neighbor_netlink_refresh(struct worker *worker);
// Reads it again if the kernel refused the last time. To be called now and then.
void neighbor_netlink_retry(struct worker *worker);
// Reads pending events; on an overrun (ENOBUFS) dumps all again. Returns 1 when an interface was
// removed, or when that may be what was lost.
int neighbor_netlink_read(struct worker *worker);
// Asks the kernel to resolve (RTM_NEWNEIGH with NTF_USE). Nothing happens without a socket.
void neighbor_netlink_probe(
	struct worker *worker, uint16_t port, uint32_t address, uint8_t flags, uint8_t flags_ext);
