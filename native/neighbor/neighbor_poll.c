// SPDX-License-Identifier: Apache-2.0

// Polls the neighbors in use: are they still reachable, and at the same MAC address?
//
// RFC 1122 §2.3.2.1: unicast polls. A neighbor that is used and has not been confirmed for
// POLL_INTERVAL_NS gets a unicast ARP request, and without an answer a broadcast one. The kernel receives
// the answer, updates its table and notifies us (neighbor_netlink.c); here the answer only confirms the
// neighbor. So a next hop that changes its MAC address without an announcement is followed within two
// seconds, even when it sends us nothing. Only the kernel decides that a neighbor has failed, however
// many polls stay without an answer. But of several paths, those by a silent neighbor are taken last.
//
// Unused neighbors cost nothing, and all others together POLL_BUDGET frames in POLL_BUDGET_NS: with
// thousands in use, each waits for its turn.
#include "neighbor/neighbor.h"
#include "neighbor/neighbor_table.h"
#include "packet/arp_frame.h"
#include "packet/generate.h"
#include "wire/header.h"

#include <string.h>

enum {
	POLL_ATTEMPTS = 4, // the first to it alone
	POLL_BUDGET = 16,
};

_Static_assert((int)POLL_BUDGET <= (int)BATCH_PACKETS, "a batch takes all questions of one moment");

#define POLL_INTERVAL_NS 700000000ull
#define POLL_RETRY_NS 300000000ull
#define POLL_PAUSE_NS 1000000000ull // after POLL_ATTEMPTS in vain
#define POLL_BUDGET_NS 100000000ull

int neighbor_is_polling(const struct neighbor_table *table)
{
	return table->polled_count > 0;
}

void neighbor_confirm(
	struct neighbor_table *table, uint16_t port, uint32_t address, const uint8_t mac[6])
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index == EGRET_NONE || memcmp(table->rows[index].mac, mac, MAC_BYTES) != 0)
		return;
	struct neighbor *neighbor = &table->neighbors[index];
	neighbor->unanswered = 0;
	neighbor->is_silent = 0;
	if (neighbor->poll_ns != UINT64_MAX)
		neighbor->poll_ns = table->now_ns + POLL_INTERVAL_NS;
}

void neighbor_doubt(struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index != EGRET_NONE && table->neighbors[index].unanswered == 0)
		table->neighbors[index].poll_ns = 0;
}

void neighbor_trust(struct neighbor_table *table, uint16_t port, uint32_t address)
{
	uint32_t index = neighbor_row_find(table, port, address);
	if (index == EGRET_NONE)
		return;
	table->neighbors[index].poll_ns = UINT64_MAX;
	table->neighbors[index].is_silent = 0;
}

// Puts a question into the batch.
static void ask(struct worker *worker, const struct egret_neighbor_row *row, int is_broadcast)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, row->port);
	if (!port || !worker->ports[row->port].driver)
		return;
	const struct packet cause = {.port = row->port};
	struct packet *packet = packet_generate(worker, &cause);
	arp_write_request(packet, port, row->address, is_broadcast ? NULL : row->mac);
}

// Polls one neighbor if its time has come. Returns 0 when there is nothing more to wait for.
static int poll_one(struct worker *worker, uint32_t index)
{
	struct neighbor_table *table = worker->neighbors;
	struct neighbor *neighbor = &table->neighbors[index];
	if (table->rows[index].state != NEIGHBOR_REACHABLE)
		return 0;
	if (table->now_ns < neighbor->poll_ns)
		return neighbor->unanswered > 0;
	if (neighbor->unanswered >= POLL_ATTEMPTS) {
		neighbor->is_silent = 1;
		// Everybody is asked again when it is used after the pause.
		neighbor->unanswered = 1;
		neighbor->poll_ns = table->now_ns + POLL_PAUSE_NS;
		return 0;
	}
	if (table->poll_budget == 0)
		return 1;
	table->poll_budget--;
	ask(worker, &table->rows[index], neighbor->unanswered > 0);
	neighbor->unanswered++;
	neighbor->poll_ns = table->now_ns + POLL_RETRY_NS;
	return 1;
}

void neighbor_poll(struct worker *worker)
{
	struct neighbor_table *table = worker->neighbors;
	if (table->polled_count == 0)
		return;
	if (table->now_ns - table->poll_budget_ns >= POLL_BUDGET_NS) {
		table->poll_budget_ns = table->now_ns;
		table->poll_budget = POLL_BUDGET;
	}
	uint32_t kept = 0;
	for (uint32_t i = 0; i < table->polled_count; i++) {
		uint32_t index = table->polled[i];
		struct neighbor *neighbor = &table->neighbors[index];
		if (!neighbor->is_polled)
			continue; // forgotten meanwhile
		if (poll_one(worker, index))
			table->polled[kept++] = index;
		else
			neighbor->is_polled = 0;
	}
	table->polled_count = kept;
}
