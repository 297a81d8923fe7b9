// SPDX-License-Identifier: Apache-2.0

// What the pipeline costs a packet in memory, at a million sessions; `what | figure | unit` a line.
//
// Nanoseconds for the first packet of a session, for later packets of sessions in random order (every
// lookup misses the caches), of 64 sessions again and again (none does), and how long a new forwarder
// takes to rebuild everything from the records. Ports throw away what they are given.
#include "../test/memory_gateway.h"

#include <time.h>

enum { SESSIONS = 1 << 20, ROUNDS = SESSIONS / BATCH_PACKETS, CLIENTS = 32 };

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Session number: 32 clients, each with 32768 remote endpoints.
static void fill(struct gateway *g, const struct frame *template, uint32_t at, uint32_t session)
{
	gateway_put(g, CLIENT_PORT, template);
	uint8_t *ip = g->worker->batch.packets[at].data + ETHERNET_BYTES;
	write32(ip + IPV4_SOURCE, address_of("10.1.0.64") + session % CLIENTS);
	write16(ip + 20, (uint16_t)(4000 + session / CLIENTS % 512));
	write16(ip + 22, (uint16_t)(1 + session / CLIENTS / 512));
	write16(ip + IPV4_CHECKSUM, 0);
	write16(ip + IPV4_CHECKSUM, (uint16_t)~checksum_sum(ip, 20));
}

static double run(struct gateway *g, const struct frame *template, int order)
{
	uint64_t random = 88172645463325252ull;
	double spent = 0;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < BATCH_PACKETS; i++) {
			uint32_t next = fixture_random(&random) % SESSIONS;
			fill(g, template, i,
				order == 0           ? round * BATCH_PACKETS + i
					: order == 1 ? next
						     : i);
		}
		double start = now_s();
		worker_process(g->worker);
		spent += now_s() - start;
	}
	return spent * 1e9 / SESSIONS;
}

int main(void)
{
	struct gateway *g = gateway_make_with(SESSIONS / 2 * 3, SESSIONS / 2 * 3);
	g->plan.clients[0].prefix = address_of("10.1.0.64");
	g->plan.clients[0].prefix_length = 27;
	g->plan.plan.client_count = 1;
	gateway_publish(g);
	port_memory_discard(&g->worker->ports[RED_PORT]);
	g->worker->now_ns = g->now_ns;
	const struct frame *template = to_gateway(
		CLIENT_PORT, frame_udp(frame_ipv4("10.1.0.64", "192.0.2.10"), 1, 1, 18));
	printf("pipeline, first packet of a session | %.1f | ns\n", run(g, template, 0));
	printf("pipeline, packets of random sessions | %.1f | ns\n", run(g, template, 1));
	printf("pipeline, packets of 64 sessions | %.1f | ns\n", run(g, template, 2));
	printf("# %llu sessions, %llu drops\n",
		(unsigned long long)g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS],
		(unsigned long long)(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_RECEIVED) -
			gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_SENT)));
	worker_free(g->worker);
	double start = now_s();
	gateway_start_worker(g);
	printf("rebuild of the tables | %.1f | ms\n# %llu sessions\n", (now_s() - start) * 1e3,
		(unsigned long long)g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS]);
	gateway_publish(g);
	g->worker->now_ns = g->now_ns;
	start = now_s();
	uint32_t slices = 1;
	while (worker_housekeep(g->worker))
		slices++;
	printf("sweep of the sessions | %.1f | ms\n# in %u slices\n", (now_s() - start) * 1e3,
		slices);
	gateway_free(g);
	return 0;
}
