// SPDX-License-Identifier: Apache-2.0

// Packets that are made here: ICMP errors, ARP, pieces of what is too large.
//
// They take the batch's slots behind those of the packets that came, and are counted as generated on
// the port of the packet that caused them.
#pragma once
#include "packet/worker.h"

// A fresh packet of the batch for something that `cause` brings about, or NULL when there is no room.
struct packet *packet_generate(struct worker *worker, const struct packet *cause);
// The same in the slot of one that was made for this batch, has left and is counted.
struct packet *packet_generate_again(struct worker *worker, const struct packet *cause);
