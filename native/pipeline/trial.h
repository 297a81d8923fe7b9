// SPDX-License-Identifier: Apache-2.0

// Packets that egretd sends to see what becomes of them: ping, traceroute and tcp-check.
//
// A trial is processed as a packet that came by a port: the same policy, ports of the pool, routes,
// neighbors, counters. Its source is a client, a gateway's egress address, or the box's own address in a
// network. What answers it leaves the pipeline in front of stage_transmit, for egretd's socket:
//
//   egretd ─▶ trial ─▶ parse … rewrite ─▶ transmit        FATE: where it left, or the drop reason
//   egretd ◀─ answer ◀─ rewrite … parse ◀─ network        ANSWER: the packet, as its source would see it
//
// An answer is known by the trial's addresses, protocol and local port (or query id), for TRIAL_WATCH_NS after the
// last trial of its run. A client that uses just these at the same time misses its answers meanwhile; egretd
// chooses the id at random. Sessions of trials are ordinary ones; that of a gateway's own has the same
// inside and outside address.
#pragma once
#include "packet/worker.h"

#include <stdint.h>

struct trials;

struct trials *trials_make(void);
void trials_free(struct trials *trials);

// The socket to egretd, a stream; -1: none. The one before is closed.
void trials_set_socket(struct trials *trials, int fd);
int trials_socket(const struct trials *trials);

// Takes requests that have come, one at a time. 1: *request and *ip are whole, until the next call.
// Closes a socket that sends something malformed, or whose other end was closed.
int trials_next(struct trials *trials, const struct egret_trial **request, const uint8_t **ip);
// Puts a request into the batch, which is empty, and expects answers. Returns 0 when there is no port
// by which such a packet could come; then `drop` is what the pipeline would say.
int trial_enter(struct worker *worker, const struct egret_trial *request, const uint8_t *ip,
	enum egret_drop *drop);
// Reports what became of the batch's first packet; `drop` when it did not enter.
void trial_report(struct worker *worker, const struct egret_trial *request, int entered,
	enum egret_drop drop);

// Takes what answers a trial out of the batch.
void trial_divert(struct worker *worker, struct batch *batch);
// 1 for a session between a gateway's own address and a remote.
int trial_is_own_session(const struct worker *worker, const struct packet *packet);
