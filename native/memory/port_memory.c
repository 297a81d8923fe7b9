// SPDX-License-Identifier: Apache-2.0

// A port in memory: frames that are sent are kept in order until the caller takes them. Nothing is
// received: tests put frames into the worker's batch.
#include "memory/port_memory.h"

#include "egret.h"

#include <stdlib.h>
#include <string.h>

struct memory_port {
	struct memory_frame *first, *last;
	uint32_t failures;
	uint8_t is_discarding;
};

static uint64_t frames_kept; // over all ports: tests are single-threaded

static uint32_t receive(struct port *port, struct packet *packets, uint32_t n)
{
	(void)port, (void)packets, (void)n;
	return 0;
}

static int keep(struct memory_port *state, const struct packet *packet)
{
	struct memory_frame *frame = malloc(sizeof *frame + packet->bytes);
	if (!frame)
		return 0;
	frame->next = NULL;
	frame->sequence = frames_kept++;
	frame->bytes = packet->bytes;
	frame->port = packet->out_port;
	frame->checksum = packet->checksum;
	frame->checksum_start = packet->checksum_start;
	frame->checksum_offset = packet->checksum_offset;
	frame->gso_type = packet->gso_type;
	frame->gso_bytes = packet->gso_bytes;
	memcpy(frame->data, packet->data, packet->bytes);
	if (state->last)
		state->last->next = frame;
	else
		state->first = frame;
	state->last = frame;
	return 1;
}

static void transmit(struct port *port, struct packet **packets, uint32_t n)
{
	struct memory_port *state = port->state;
	for (uint32_t i = 0; i < n; i++) {
		int is_failing = state->failures > 0;
		state->failures -= (uint32_t)is_failing;
		if (!is_failing && (state->is_discarding || keep(state, packets[i])))
			packets[i]->verdict = PACKET_SENT;
		else
			packet_drop(packets[i], EGRET_DROP_TX_FAILED);
	}
}

static uint64_t lost(struct port *port)
{
	(void)port;
	return 0;
}

static uint64_t discard(struct port *port, uint64_t *bytes)
{
	(void)port;
	*bytes = 0;
	return 0;
}

static void close_port(struct port *port)
{
	struct memory_frame *frame;
	while ((frame = port_memory_take(port)))
		free(frame);
	free(port->state);
	memset(port, 0, sizeof *port);
	port->fd = -1;
}

static const struct port_driver memory_driver = {
	.name = "memory",
	.receive = receive,
	.transmit = transmit,
	.discard = discard,
	.lost = lost,
	.close = close_port,
};

int port_memory_open(struct port *port, uint16_t slot)
{
	struct memory_port *state = calloc(1, sizeof *state);
	if (!state)
		return -EGRET_STATUS_NO_SPACE;
	*port = (struct port){.driver = &memory_driver, .slot = slot, .fd = -1, .state = state};
	return 0;
}

const struct memory_frame *port_memory_peek(const struct port *port)
{
	return ((const struct memory_port *)port->state)->first;
}

struct memory_frame *port_memory_take(struct port *port)
{
	struct memory_port *state = port->state;
	struct memory_frame *frame = state->first;
	if (frame) {
		state->first = frame->next;
		if (!state->first)
			state->last = NULL;
	}
	return frame;
}

void port_memory_discard(struct port *port)
{
	((struct memory_port *)port->state)->is_discarding = 1;
}

void port_memory_fail(struct port *port, uint32_t n)
{
	((struct memory_port *)port->state)->failures = n;
}
