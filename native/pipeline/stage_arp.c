// SPDX-License-Identifier: Apache-2.0

// ARP as far as the kernel does not do it: answers for pool addresses, which no interface holds, and
// the answers to our own polls of neighbors (neighbor/neighbor_poll.c).
//
// RFC 826. A request is answered when its target is a ready gateway address that lives in the arrival
// port's network, and that network (or the main table, for a port without one) says that the address
// is on the port's own link. The request itself stays with the kernel, which learns the sender from
// it. Absent: gratuitous announcements.
#include "neighbor/neighbor.h"
#include "packet/arp_frame.h"
#include "packet/generate.h"
#include "pipeline/stage.h"
#include "wire/header.h"

static int is_on_link(const struct fib_view *fib, uint16_t network, uint32_t address, uint16_t port)
{
	return fib_group_leads(fib, fib_lookup(fib, network, address), port, 1);
}

static int is_ours(const struct worker *worker, const struct egret_plan_port *port,
	const struct egret_plan_address *address)
{
	if (!address->is_ready)
		return 0;
	if (port->network != 0 || address->network_count == 0)
		return plan_address_in_network(address, port->network) &&
			is_on_link(&worker->fib, port->network, address->address, port->slot);
	if (port->role != EGRET_ROLE_NETWORKS)
		return 0;
	// The port is shared: any of the address's networks.
	for (uint32_t i = 0; i < address->network_count; i++)
		if (is_on_link(&worker->fib, address->networks[i], address->address, port->slot))
			return 1;
	return 0;
}

static void answer(struct worker *worker, const struct packet *packet, const uint8_t *request)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	const struct egret_plan_address *address = plan_address(
		&worker->plan, read32(request + ARP_TARGET_ADDRESS));
	if (!address || !is_ours(worker, port, address))
		return;
	struct packet *generated = packet_generate(worker, packet);
	if (!generated)
		return;
	arp_write_reply(generated, port, address->address, request);
}

void arp_receive(struct worker *worker, const struct packet *packet)
{
	const uint8_t *message = packet->data + ETHERNET_BYTES;
	if (!arp_is_ipv4(packet))
		return;
	neighbor_confirm(worker->neighbors, packet->port, read32(message + ARP_SENDER_ADDRESS),
		message + ARP_SENDER_MAC);
	if (read16(message + ARP_OPERATION) == ARP_REQUEST)
		answer(worker, packet, message);
}
