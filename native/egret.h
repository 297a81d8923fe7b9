// SPDX-License-Identifier: Apache-2.0

// libegret: the functions that egretd calls (src/dataplane/native.ts), and nothing else.
//
// Plain C, a flat ABI: handles are opaque pointers, rows are the structs of abi.h, results are 0 (or
// a count) or the negative of an enum egret_status. No function calls back, none keeps a caller's
// pointer. All are for one thread of one process; those marked "any thread" say so.
#pragma once

#include "abi.h"

#include <stdint.h>

// The library is built with -fvisibility=hidden: what stands here is all that it exports.
#pragma GCC visibility push(default)

// errno of the last call that returned -EGRET_STATUS_SYSTEM.
int egret_errno(void);

// -- Log (log.c) ----------------------------------------------------------------------------------

// Writes a line of n bytes, its newline included, without waiting for the reader. 0: it is lost.
int egret_log_write(int fd, const char *line, uint32_t n);

// -- The supervisor (notify.c) --------------------------------------------------------------------

// Notifies the supervisor that started this process (sd_notify(3)) of lines NAME=VALUE, without waiting.
// 1: sent; 0: there is no supervisor, or it does not read.
int egret_notify(const char *state);

// -- Arena (tables/) ------------------------------------------------------------------------------

// What the arena takes, in bytes, for these limits (two generations of control tables included).
uint64_t egret_arena_bytes(const struct egret_limits *limits);
// Creates the shared file at `path` (on tmpfs), 0600, allocated in full, and maps it. `owner` is the
// link by which its instance finds it; "": none.
int egret_arena_create(
	const char *path, const char *owner, const struct egret_limits *limits, void **arena);
// What another build left at `path`, or this one with other limits. BAD_ARENA: nothing of an arena.
int egret_arena_inspect(const char *path, struct egret_arena_found *found);
// Makes an arena at `path` as egret_arena_create does, with slots, sessions and bindings of the one at
// `from`, whose forwarder has exited; `path` may be the same. ABI_MISMATCH: they cannot be converted;
// NO_SPACE: these limits have no room for them. The old file stays as it is until the new one is whole.
int egret_arena_convert(const char *from, const char *path, const char *owner,
	const struct egret_limits *limits, void **arena);
// Removes the file at `path` when it is an arena of this user's that no process maps and whose owner
// does not lead to it any more. Returns 1 when it did.
int egret_arena_remove_stale(const char *path);
// Maps an existing arena. BAD_ARENA, ABI_MISMATCH; the limits it was made with go to *limits.
int egret_arena_open(const char *path, struct egret_limits *limits, void **arena);
void egret_arena_close(void *arena);
// Gives memory of this process back that it does not need now: free blocks of malloc's heap, and its
// map of the arena, which comes back page by page as it is used.
void egret_memory_trim(void *arena);
// Begins a new generation, as each start of egretd does: takes the one that does not forward, empties it.
int egret_arena_begin_generation(void *arena);
// Makes the generation that was begun the one that forwards: one release store.
int egret_arena_commit_generation(void *arena);
// 1 when a generation forwards that a previous instance committed.
int egret_arena_has_generation(void *arena);

// Slots: small numbers that keep their meaning as long as the arena exists. -NO_SPACE: all are taken.
int egret_port_slot(void *arena, const char *interface_name);
int egret_network_slot(void *arena, uint32_t route_table_index); // table 254 is slot 0
int egret_address_slot(void *arena, uint32_t address);
// Gives back the slot of an address that no plan names and no binding uses.
int egret_address_slot_release(void *arena, uint32_t address);

// -- Plan (plan.c) --------------------------------------------------------------------------------

// Checks an encoded plan (struct egret_plan and its rows) and makes it current with one release
// store. Returns its number, ascending, > 0. A plan is whole or not taken at all.
int64_t egret_plan_publish(void *arena, const void *plan, uint32_t bytes);
// Number of the newest plan that every worker has taken up; 0: none. Any thread.
int64_t egret_plan_acknowledged(void *arena);

// -- FIB (fib_apply.c) ----------------------------------------------------------------------------

// Writes a next-hop group into the begun (or current) generation. 1..EGRET_GROUP_PATHS_MAX members.
int egret_fib_set_group(
	void *arena, uint32_t group, const struct egret_adjacency *paths, uint32_t n);
// Applies deltas to a network's FIB, in order, then bumps the versions of the chunks they touch.
// Returns how many were applied. Fewer than n: egret_fib_last_status() says why, and when it says
// nothing enough was done for one step: call again with the rest, the next call for this network.
int egret_fib_apply(
	void *arena, uint16_t network, const struct egret_fib_delta *deltas, uint32_t n);
// Why the last egret_fib_apply stopped early: -NO_SPACE, or -BAD_ARGUMENT for a delta out of range.
int egret_fib_last_status(void *arena);
// Empties a network's FIB (an ExternalNetwork that was removed).
int egret_fib_clear(void *arena, uint16_t network);
// Keeps plies free for a network as long as it has taken fewer; 0 when the generation begins. What is
// reserved for all networks together should not exceed limits.plies.
int egret_fib_reserve(void *arena, uint16_t network, uint32_t plies);
// Frees what readers can no longer see. Returns 1 when everything freed so far has been reclaimed,
// so that group numbers freed before the last call may be used again.
int egret_fib_reclaim(void *arena);
// Plies in use and in all, for status.
void egret_fib_usage(void *arena, uint32_t *plies_used, uint32_t *plies_max);

// -- Reading (status.c) ---------------------------------------------------------------------------

// Live views into the arena, for typed arrays: 64-bit words
//   ports:   [EGRET_PORT_MAX][EGRET_PORT_COUNTER_COUNT]
//   drops:   [EGRET_PORT_MAX][EGRET_DROP_COUNT]
//   worker:  [EGRET_WORKER_COUNTER_COUNT]
const uint64_t *egret_port_counters(void *arena);
const uint64_t *egret_drop_counters(void *arena);
const uint64_t *egret_worker_counters(void *arena);
// When the worker that is furthest behind last came to the end of a batch or of its housekeeping: at
// least once a second, as long as the forwarder runs. Any thread.
uint64_t egret_forwarder_heartbeat_ns(void *arena);
// Copies live sessions from record *cursor on; returns rows written and moves *cursor, by so few
// records that it takes a few milliseconds. The end is limits.sessions.
int egret_sessions_read(void *arena, uint32_t *cursor, struct egret_session_row *rows, uint32_t n);
// Copies neighbors that the forwarder knows, from row *cursor on; returns rows written and moves *cursor.
// The end is limits.neighbors. since_ns is how long it is in its state; 0: longer than this forwarder runs.
int egret_neighbors_read(
	void *arena, uint32_t *cursor, struct egret_neighbor_row *rows, uint32_t n);
// Copies the pool of one address slot.
int egret_pool_read(void *arena, uint16_t address_slot, struct egret_pool_row *row);
// The decision for a client's first packet. Reads the current plan and FIB; changes nothing.
int egret_why(void *arena, uint32_t client, uint32_t destination, struct egret_decision *decision);

// -- Forwarder (control_client.c, and forwarder/ on the other side) --------------------------------

// Connects to the forwarder's socket and compares ABI hashes; *fd is a stream that closes when it
// dies. CLOSED: none listens. ABI_MISMATCH: it runs, but was built from another abi.h; *fd is then
// good for egret_forwarder_take_ports, egret_forwarder_stop and egret_close.
int egret_forwarder_connect(const char *socket_path, int timeout_ms, int *fd, int *forwarder_pid);
// What a forwarder works on, also one of another abi.h: the inode of its arena's file (0: it does not
// say) and how many sessions it has.
int egret_forwarder_holds(int fd, uint64_t *arena_inode, uint32_t *sessions);
// Takes duplicates of the port descriptors that the forwarder holds. Returns how many.
int egret_forwarder_take_ports(int fd, int timeout_ms, uint16_t slots[EGRET_PORT_MAX],
	uint32_t ifindexes[EGRET_PORT_MAX], int fds[EGRET_PORT_MAX]);
// Hands a port over. `discard`: 1 when frames queued before now must not be forwarded.
int egret_forwarder_add_port(int fd, uint16_t slot, uint32_t ifindex, int port_fd, int discard);
int egret_forwarder_remove_port(int fd, uint16_t slot);
// Hands over the netlink socket for neighbor and link events (egret_neighbor_socket).
int egret_forwarder_set_netlink(int fd, int netlink_fd);
// Opens the stream of trials and answers (struct egret_trial, pipeline/trial.h): one end for the
// forwarder, the other one is returned.
int egret_forwarder_open_trials(int fd);
// Removes sessions in a slice of the table, from record *cursor on: of a network slot (EGRET_NONE: any),
// of inside addresses under a mask, of an outside address (0: any). Returns how many; *cursor is
// EGRET_NONE at the end of the table.
int egret_forwarder_clear_sessions(int fd, uint32_t network, uint32_t inside, uint32_t inside_mask,
	uint32_t outside, uint32_t *cursor);
// Wakes it up, so that a plan that was just published is taken up at once. Waits for no answer.
int egret_forwarder_wake(int fd);
// Asks it to end in order: sessions stay in the arena.
int egret_forwarder_stop(int fd);

// -- Sockets (sockets.c) --------------------------------------------------------------------------

// An AF_PACKET socket on an interface: ETH_P_ALL, virtio-net headers, own frames ignored, 32 MiB of
// receive queue. Returns the descriptor.
int egret_packet_socket(uint32_t ifindex);
// A netlink socket for neighbor and link events, for the forwarder.
int egret_neighbor_socket(void);
// A TCP socket for BGP. All strings may be NULL or empty.
struct egret_tcp_options {
	const char *local_address; // NULL: the kernel chooses (connecting) or any (listening)
	const char *remote_address; // connecting: where to; listening: NULL
	const char *interface; // SO_BINDTODEVICE
	uint16_t local_port; // listening: the port; connecting: 0
	uint16_t remote_port;
	uint32_t mark; // SO_MARK; 0: none
	uint8_t ttl; // IP_TTL; 0: the kernel's default
	uint8_t min_ttl; // IP_MINTTL (GTSM, RFC 5082); 0: none
};
// Listens (SO_REUSEADDR, SO_REUSEPORT). Returns a non-blocking descriptor.
int egret_tcp_listen(const struct egret_tcp_options *options);
// Starts to connect. `md5_key`: TCP-MD5 (RFC 2385) for the remote address, md5_bytes 0 to 80.
int egret_tcp_connect(
	const struct egret_tcp_options *options, const char *md5_key, uint32_t md5_bytes);
// Sets (or with 0 bytes removes) the key for one remote address on a listening socket.
int egret_tcp_md5(int fd, const char *remote_address, const char *md5_key, uint32_t md5_bytes);
// 0: connecting; 1: connected; otherwise -EGRET_STATUS_SYSTEM with egret_errno() the reason.
int egret_tcp_state(int fd);
// IP_MINTTL (0: none) and IP_TTL (0: unchanged) of a socket, a listening or an accepted one.
int egret_tcp_min_ttl(int fd, uint8_t min_ttl, uint8_t ttl);
int egret_close(int fd);
// Who is at the other end of a connected Unix socket, as the kernel noted at connect(2) (SO_PEERCRED).
int egret_peer_credentials(int fd, uint32_t *pid, uint32_t *uid);
// Takes an exclusive lock on a file (created 0600). Returns a descriptor, or -SYSTEM (EWOULDBLOCK).
int egret_lock(const char *path);

// -- Probes (probe.c) -----------------------------------------------------------------------------

// An ICMP socket for one target, connected, non-blocking, for echo replies only. `interface`
// (SO_BINDTODEVICE) may be NULL or empty, mark (SO_MARK) 0. Returns the descriptor.
int egret_echo_open(const char *remote_address, const char *interface, uint32_t mark);
// Sends an echo request.
int egret_echo_send(int fd, uint16_t id, uint16_t sequence);
// 1: the reply to that request has come; 0: not yet; -EGRET_STATUS_SYSTEM: the socket says why not.
int egret_echo_receive(int fd, uint16_t id, uint16_t sequence);

// -- Netlink for the control plane (netlink.c) ----------------------------------------------------

// Opens NETLINK_ROUTE, or another netlink_protocol, with extended acknowledgements and the given multicast groups; a thread frames
// every datagram as a 32-bit length and its bytes into a socket pair; a length of 0 says that
// messages were lost (ENOBUFS). *events is the end that Node reads; returns the netlink descriptor.
// filter_protocol: route notifications of this protocol stay in the kernel, by a socket filter, but
// for those of the main table, where others may use it too; 0: none.
int egret_netlink_open(uint8_t netlink_protocol, const uint32_t *groups, uint32_t group_count,
	uint32_t receive_bytes, uint8_t filter_protocol, int *events);
// Sends bytes that hold whole netlink messages.
int egret_netlink_send(int fd, const void *bytes, uint32_t n);

// -- Mirror (mirror.c) ----------------------------------------------------------------------------

// A thread of its own that installs routes into kernel tables, lowest in priority (see mirror.h).
struct egret_mirror_route {
	uint32_t prefix, prefix_length, table;
	uint32_t path_count; // 0: remove the route
	struct {
		uint32_t next_hop, ifindex;
	} paths[EGRET_GROUP_PATHS_MAX];
};
int egret_mirror_open(uint8_t protocol, void **mirror, int *events);
// Queues up to n routes; returns how many were taken (the queue is bounded).
int egret_mirror_submit(void *mirror, const struct egret_mirror_route *routes, uint32_t n);
// From here on the thread runs at normal priority: egretd has nothing else to do than to wait for it.
void egret_mirror_hurry(void *mirror);
void egret_mirror_close(void *mirror);

#pragma GCC visibility pop
