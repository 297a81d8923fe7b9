// SPDX-License-Identifier: Apache-2.0

#include "packet/verdict.h"

void verdict_count(struct worker *worker, struct packet *packet)
{
	switch ((enum packet_verdict)packet->verdict) {
	case PACKET_SENT:
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_SENT, 1);
		worker_count(worker, packet->out_port, EGRET_PORT_COUNTER_TRANSMITTED, 1);
		worker_count(worker, packet->out_port, EGRET_PORT_COUNTER_TRANSMITTED_BYTES,
			packet->bytes);
		break;
	case PACKET_KERNEL:
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_KERNEL, 1);
		break;
	case PACKET_LIVE: // a port's driver gave it no verdict
		worker_count_drop(worker, packet->port, EGRET_DROP_TX_FAILED, 1);
		break;
	case PACKET_DROP:
		worker_count_drop(worker, packet->port, (enum egret_drop)packet->drop, 1);
		break;
	case PACKET_HELD: // counted where it is held, up and down
	case PACKET_ABSORBED:
	case PACKET_COUNTED:
		break;
	}
	packet->verdict = PACKET_COUNTED;
}

void verdict_count_given_up(
	struct worker *worker, uint16_t port, enum egret_drop drop, uint32_t frames)
{
	worker_count(worker, port, EGRET_PORT_COUNTER_HELD, (uint64_t)0 - frames);
	worker_count_drop(worker, port, drop, frames);
}
