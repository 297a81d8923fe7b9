// Packets in memory, for egretd's own tests and for benchmarks: a worker whose ports are all memory
// ports, one frame at a time, at times of the caller's. See egret.h.
#include "egret.h"

#include "arena/epoch.h"
#include "neighbor/neighbor.h"
#include "memory/port_memory.h"
#include "forwarder/worker.h"

#include <stdlib.h>
#include <string.h>

int egret_memory_open(void *arena, void **result)
{
	struct worker *worker;
	int status = worker_make(arena, &worker);
	if (status < 0)
		return status;
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++) {
		status = port_memory_open(&worker->ports[slot], slot);
		if (status < 0) {
			worker_free(worker);
			return status;
		}
	}
	*result = worker;
	return 0;
}

int egret_memory_neighbor(void *handle, uint16_t port, uint32_t address, const uint8_t mac[6])
{
	struct worker *worker = handle;
	if (port >= EGRET_PORT_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	neighbor_update(worker->neighbors, port, address, NEIGHBOR_REACHABLE, mac);
	neighbor_trust(worker->neighbors, port, address); // nobody answers polls here
	return 0;
}

// The worker is quiet between calls, so that whoever writes tables need not wait for it.
static void housekeep(struct worker *worker)
{
	while (worker_housekeep(worker))
		;
}

int egret_memory_inject(
	void *handle, uint16_t port, const void *frame, uint32_t bytes, uint64_t now_ns)
{
	struct worker *worker = handle;
	if (port >= EGRET_PORT_MAX || bytes > PACKET_BYTES_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	epoch_online(worker->arena, 0, now_ns);
	worker->now_ns = now_ns;
	worker->batch.packets[0] = (struct packet){
		.data = worker_buffer(worker, 0),
		.bytes = bytes,
		.port = port,
	};
	memcpy(worker->batch.packets[0].data, frame, bytes);
	worker->batch.count = 1;
	worker_process(worker);
	housekeep(worker);
	epoch_offline(worker->arena, 0);
	return 0;
}

int egret_memory_take(void *handle, uint16_t *port, void *frame, uint32_t capacity)
{
	struct worker *worker = handle;
	struct port *oldest = NULL;
	uint64_t sequence = UINT64_MAX;
	for (uint32_t slot = 0; slot < EGRET_PORT_MAX; slot++) {
		const struct memory_frame *waiting = port_memory_peek(&worker->ports[slot]);
		if (waiting && waiting->sequence < sequence) {
			sequence = waiting->sequence;
			oldest = &worker->ports[slot];
		}
	}
	if (!oldest)
		return 0;
	if (port_memory_peek(oldest)->bytes > capacity)
		return -EGRET_STATUS_NO_SPACE;
	struct memory_frame *taken = port_memory_take(oldest);
	int bytes = (int)taken->bytes;
	memcpy(frame, taken->data, taken->bytes);
	*port = oldest->slot;
	free(taken);
	return bytes;
}

int egret_memory_tick(void *handle, uint64_t now_ns)
{
	struct worker *worker = handle;
	epoch_online(worker->arena, 0, now_ns);
	worker->now_ns = now_ns;
	housekeep(worker);
	epoch_offline(worker->arena, 0);
	return 0;
}

void egret_memory_close(void *worker)
{
	worker_free(worker);
}
