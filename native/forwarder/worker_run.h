// SPDX-License-Identifier: Apache-2.0

// A worker: making it over an arena, a batch, housekeeping. Its state: packet/worker.h.
#pragma once
#include "packet/worker.h"

// Makes a worker over an arena: private tables are built, sessions and ports rebuilt from records. All
// private memory is allocated here.
int worker_make(struct arena *arena, struct worker **worker);
void worker_free(struct worker *worker);
// Runs the packets in worker->batch (count, data, bytes, port, offload set) through the pipeline, at
// worker->now_ns. Counts them as received.
void worker_process(struct worker *worker);
// Processes a packet of egretd's at worker->now_ns, with an empty batch, and reports what became of it.
void worker_try(struct worker *worker, const struct egret_trial *request, const uint8_t *ip);
// Removes a session that the operator clears, outside of a batch.
void worker_remove_session(struct worker *worker, uint32_t session);
// Timers, held packets, sweeps after a plan change: a bounded slice. Call at every tick and often.
// Returns 1 when more work waits: call again before sleeping.
int worker_housekeep(struct worker *worker);
