// SPDX-License-Identifier: Apache-2.0

#include "packet/generate.h"

#include <stddef.h>

static struct packet *generate(struct worker *worker, uint32_t slot, const struct packet *cause)
{
	struct packet *packet = &worker->batch.packets[slot];
	*packet = (struct packet){
		.data = worker_buffer(worker, slot),
		.port = cause->port,
		.is_generated = 1,
		.session = EGRET_NONE,
		.binding = EGRET_NONE,
	};
	worker_count(worker, cause->port, EGRET_PORT_COUNTER_GENERATED, 1);
	return packet;
}

struct packet *packet_generate(struct worker *worker, const struct packet *cause)
{
	if (worker->batch.count == BATCH_MAX)
		return NULL;
	return generate(worker, worker->batch.count++, cause);
}

struct packet *packet_generate_again(struct worker *worker, const struct packet *cause)
{
	for (uint32_t slot = 0; slot < worker->batch.count; slot++) {
		const struct packet *packet = &worker->batch.packets[slot];
		if (packet->verdict == PACKET_COUNTED && packet->is_generated && !packet->is_busy)
			return generate(worker, slot, cause);
	}
	return NULL;
}
