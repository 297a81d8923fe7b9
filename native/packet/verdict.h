// SPDX-License-Identifier: Apache-2.0

// The one place where a packet's verdict becomes a counter.
//
// Each is counted on the port by which the packet (or the packet that caused it) came, so that for
// each port
//   received + generated = sent + kernel + dropped + absorbed + held
// holds whenever no batch is in flight.
#pragma once
#include "packet/worker.h"

// Counts one packet's verdict; its slot may then be used again.
void verdict_count(struct worker *worker, struct packet *packet);
// Counts frames that were held and are given up.
void verdict_count_given_up(
	struct worker *worker, uint16_t port, enum egret_drop drop, uint32_t frames);
