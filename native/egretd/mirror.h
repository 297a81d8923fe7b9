// SPDX-License-Identifier: Apache-2.0

// The mirror: a thread that installs routes into kernel tables, lowest in priority.
//
//   egretd ── egret_mirror_submit ──▶ ring ──▶ thread ── RTM_NEWROUTE / RTM_DELROUTE ──▶ kernel
//     ▲                                          │  ▲
//     └── struct mirror_event, a stream ─────────┘  └── routes that another program changed
//
// The ring has one producer (the caller) and one consumer (the thread) and no lock, so that the
// thread, which is niced, never keeps the caller waiting. The thread encodes up to
// MIRROR_BATCH_ROUTES messages into one send. The kernel executes them before send returns and
// answers each failure; only the last message asks for an acknowledgement, which ends the batch: at
// most one batch is ever unacknowledged, and no answer is waited for.
//
// A second socket listens for changes that others make to routes of ours. A filter in the kernel
// (classic BPF, RFC 3549 §2.3.2 for the header) drops what this thread caused itself.
//
// Absent on purpose: any memory of what is installed. src/kernel/mirror.ts keeps that, decides what
// to repair and when to try again.
#pragma once
#include "egret.h"

#include <stdint.h>

enum {
	MIRROR_QUEUE_ROUTES = 16384, // a power of two; what waits here can no longer be coalesced
	MIRROR_BATCH_ROUTES = 256,
	MIRROR_TABLE_MAX = EGRET_NETWORK_MAX,
	MIRROR_NICE = 10,
};

enum mirror_event_kind {
	// Every route up to number `sequence` is settled.
	MIRROR_EVENT_PROGRESS = 1,
	// Route number `sequence` was refused with errno `error`. Comes before the progress that covers
	// it. Removing what is not there is no failure.
	MIRROR_EVENT_FAILED = 2,
	// Another program removed or replaced the route to this prefix.
	MIRROR_EVENT_FOREIGN = 3,
	// Answers or notifications were lost: read the tables again.
	MIRROR_EVENT_OVERRUN = 4,
};

// What the events descriptor carries, whole, in host order. src/kernel/mirror-codec.ts reads it.
struct mirror_event {
	uint64_t sequence; // routes submitted before and with this one; the first has number 1
	uint32_t kind;
	uint32_t prefix, prefix_length, table;
	uint32_t error;
	uint32_t reserved;
};
