// SPDX-License-Identifier: Apache-2.0

#include "forwarder/ports.h"

#include "neighbor/neighbor.h"
#include "port/port_packet.h"

static void count_lost(struct worker *worker, struct port *port)
{
	uint64_t frames = port->driver->lost(port);
	if (frames > 0)
		worker_count(worker, port->slot, EGRET_PORT_COUNTER_KERNEL_LOST, frames);
}

void ports_discard(struct worker *worker, struct port *port)
{
	uint64_t bytes = 0, frames = port->driver->discard(port, &bytes);
	worker_count(worker, port->slot, EGRET_PORT_COUNTER_RECEIVED, frames);
	worker_count(worker, port->slot, EGRET_PORT_COUNTER_RECEIVED_BYTES, bytes);
	worker_count_drop(worker, port->slot, EGRET_DROP_STALE, frames);
}

void ports_close(struct worker *worker, uint16_t slot)
{
	struct port *port = &worker->ports[slot];
	if (!port->driver)
		return;
	ports_discard(worker, port);
	count_lost(worker, port);
	port->driver->close(port);
	neighbor_forget_port(worker->neighbors, slot);
}

void ports_set(struct worker *worker, const struct port *port)
{
	struct port *old = &worker->ports[port->slot];
	if (old->driver && old->ifindex == port->ifindex) {
		count_lost(worker, old);
		old->driver->close(old);
	} else {
		ports_close(worker, port->slot);
	}
	*old = *port;
}

void ports_close_removed(struct worker *worker)
{
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		if (worker->ports[slot].driver && !port_packet_is_bound(&worker->ports[slot]))
			ports_close(worker, slot);
}

void ports_count_lost(struct worker *worker)
{
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		if (worker->ports[slot].driver)
			count_lost(worker, &worker->ports[slot]);
}
