// SPDX-License-Identifier: Apache-2.0

// The Unix socket between egretd and the forwarder: descriptors, wake-ups, liveness, and no more.
//
//   egretd (egretd/control_client.c)        forwarder (forwarder/control_server.c)
//     HELLO      ─────────────────────────▶
//                ◀─────────────────────────   HELLO: its ABI hash, pid, what it holds
//     ADD_PORT + descriptor ──────────────▶
//                ◀─────────────────────────   ADD_PORT: status
//     WAKE       ─────────────────────────▶   (no answer)
//
// A stream of messages of CONTROL_BYTES each. The forwarder only answers requests, so a client that waits
// for the end of the stream reads nothing else. A descriptor is passed as SCM_RIGHTS with the first byte
// of its message. An answer repeats its request's sequence number; answers to requests that were given up
// are skipped. The layout, HELLO, TAKE_PORTS and STOP are the same for every abi.h, so that an egretd of
// another build can stop the forwarder, and say before how many sessions that costs.
#pragma once
#include <stdint.h>

enum {
	CONTROL_MAGIC = 0x63676521,
	CONTROL_BYTES = 64,
};

enum control_kind {
	CONTROL_HELLO = 1,
	CONTROL_TAKE_PORTS = 2, // answered by `count`, then `count` messages PORT
	CONTROL_PORT = 3, // slot, ifindex, a descriptor
	CONTROL_ADD_PORT = 4, // slot, ifindex, flags, a descriptor
	CONTROL_REMOVE_PORT = 5, // slot
	CONTROL_SET_NETLINK = 6, // a descriptor
	CONTROL_STOP = 7,
	CONTROL_WAKE = 8,
	CONTROL_SET_TRIALS = 9, // a descriptor: a stream of struct egret_trial (pipeline/trial.h)
	CONTROL_CLEAR_SESSIONS = 10, // a slice of the table; see struct control_clear
};

enum { CONTROL_DISCARD = 1 }; // flags

// Which sessions to remove. Of an answer: `removed`, and nothing else.
struct control_clear {
	uint32_t network; // slot; EGRET_NONE: any
	uint32_t inside, inside_mask; // mask 0: any
	union {
		uint32_t outside; // 0: any
		uint32_t removed;
	};
};

struct control_message {
	uint32_t magic;
	uint32_t kind; // enum control_kind
	uint64_t abi_hash;
	uint32_t sequence;
	int32_t status; // of an answer: 0 or the negative of an enum egret_status
	int32_t system_errno; // with -EGRET_STATUS_SYSTEM
	uint32_t pid;
	union {
		struct {
			uint32_t count;
			uint32_t slot;
			uint32_t ifindex;
			uint32_t flags;
		};
		struct control_clear clear; // CONTROL_CLEAR_SESSIONS
	};
	uint32_t sessions; // of an answer: NAT sessions now
	uint32_t
		cursor; // CONTROL_CLEAR_SESSIONS: the record to begin with; of its answer: the next one
	uint64_t arena_inode; // of an answer: the arena's file
};
_Static_assert(sizeof(struct control_message) == CONTROL_BYTES, "a message has a fixed size");

// A message that is coming in, maybe in pieces.
struct control_inbox {
	struct control_message message;
	uint32_t bytes; // of it, so far
	int fd; // the descriptor that came with it; -1: none
};

// Sends a message, with a descriptor unless fd is -1. 0, or -CLOSED also when the peer does not read.
int control_send(int socket, const struct control_message *message, int fd);
// Reads what is there. 1: the message is whole (and the inbox's descriptor is the caller's now);
// 0: more is to come; -CLOSED: the peer has closed the connection, or sent something malformed.
int control_receive(int socket, struct control_inbox *inbox);
// Makes an inbox ready for the next message, closing a descriptor that was not taken.
void control_inbox_reset(struct control_inbox *inbox);
