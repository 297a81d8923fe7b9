// SPDX-License-Identifier: Apache-2.0

// A worker's ports: into their slots, out of them, and what was lost on the way.
#pragma once
#include "packet/worker.h"

// Puts a port into its slot, in place of the one that is there. The same interface keeps its
// neighbors.
void ports_set(struct worker *worker, const struct port *port);
// Throws away what waits in a port's queue; it counts as received, and as stale.
void ports_discard(struct worker *worker, struct port *port);
// Closes a port and forgets its neighbors; what waits in its queue is discarded. Nothing happens when
// the slot is empty.
void ports_close(struct worker *worker, uint16_t slot);
// Closes ports whose interface was removed. A link that is only down keeps its port.
void ports_close_removed(struct worker *worker);
// Counts the frames that the kernel could not queue since the last call.
void ports_count_lost(struct worker *worker);
