// SPDX-License-Identifier: Apache-2.0

// ICMP errors that the gateway sends itself, and how many.
//
// RFC 792, RFC 1812 §4.3.2, RFC 1191. The source is the address of the port by which the offending
// packet arrived, which is what a traceroute expects to see. Errors that pass through are not made
// here: stage_rewrite.c translates them.
#pragma once
#include "packet/worker.h"

// A token bucket for each address that gets errors, and one for the box (RFC 1812 §4.3.2.8).
struct icmp_limiter *icmp_limiter_make(void);
void icmp_limiter_free(struct icmp_limiter *limiter);

// Answers a packet with an error, unless RFC 1812 §4.3.2.7 or the limit forbids it. Adds a live packet
// to the batch, ready for stage_transmit. The offending packet keeps its verdict; when it has been
// rewritten already, the quote shows it as its sender sent it. `mtu`: with code 4, else 0.
void icmp_send_error(
	struct worker *worker, struct packet *packet, uint8_t type, uint8_t code, uint16_t mtu);
// Drops a packet and answers it.
void icmp_drop(struct worker *worker, struct packet *packet, enum egret_drop drop, uint8_t type,
	uint8_t code);
