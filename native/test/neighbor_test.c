// SPDX-License-Identifier: Apache-2.0

// The neighbor table: which packets wait, which are sent, which neighbors are removed; then the same
// against a real kernel.
#include "arena/arena.h"
#include "egret.h"
#include "neighbor/neighbor.h"
#include "netns.h"
#include "packet/worker.h"
#include "plan/plan_buffer.h"
#include "tap.h"
#include "wire/header.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { FRAME_BYTES = 100, PORT = 2, ARRIVAL = 1, RELEASED_MAX = 2048 };
#define ADDRESS(n) (0x0a000000u + (n))
#define MS 1000000ull

static char directory[] = "/dev/shm/egret-neighbor-XXXXXX";
static char arena_path[64];
static struct worker worker;
static uint8_t frame[PACKET_BYTES_MAX];

// What the table lets go, and whom it asks.
static struct released {
	uint32_t bytes, next_hop;
	uint8_t first, last, verdict, drop;
} released[RELEASED_MAX];
static uint32_t released_count;

static struct asked {
	uint32_t address;
	int is_broadcast;
} asked[RELEASED_MAX];
static uint32_t asked_count;

static void note(const struct packet *p)
{
	const uint8_t *arp = p->data + ETHERNET_BYTES;
	if (p->is_generated)
		asked[asked_count++] = (struct asked){
			read32(arp + ARP_TARGET_ADDRESS), p->data[ETHERNET_DESTINATION] == 0xff};
	else
		released[released_count++] = (struct released){.bytes = p->bytes,
			.next_hop = p->next_hop,
			.first = p->data[0],
			.last = p->data[p->bytes - 1],
			.verdict = p->verdict,
			.drop = p->drop};
}

static const struct port_driver no_driver = {.name = "none"};
static const struct egret_plan_port plan_row = {.slot = PORT, .address = ADDRESS(254)};
static uint32_t plan_port_of_slot[EGRET_PORT_MAX];
static const struct {
	struct plan_derived derived;
	uint32_t starts[1], owners[1];
} no_clients = {.derived = {.at_starts = offsetof(__typeof__(no_clients), starts),
			.at_owners = offsetof(__typeof__(no_clients), owners)},
	.owners = {EGRET_NONE}};

static void begin(uint32_t neighbors)
{
	struct egret_limits limits = {.sessions = 4,
		.bindings = 4,
		.networks = 1,
		.plies = 4,
		.groups = 4,
		.neighbors = neighbors,
		.clients = 4,
		.rules = 4,
		.rule_addresses = 4};
	void *arena = NULL;
	if (egret_arena_create(arena_path, "", &limits, &arena) < 0)
		exit(1);
	worker.arena = arena;
	worker.port_counters = &worker.arena->counters->ports[0][0];
	worker.drop_counters = &worker.arena->counters->drops[0][0];
	worker.counters = worker.arena->counters->worker;
	// Always the same senders have one share, if any.
	worker.arena->header->hash_key[0] = worker.arena->header->hash_key[1] = 7;
	worker.neighbors = neighbor_table_make(arena);
	worker.now_ns = 1000 * MS;
	worker.batch.count = 0;
	worker.plan = (struct plan_view){.number = 1,
		.ports = &plan_row,
		.port_of_slot = plan_port_of_slot,
		.derived = &no_clients};
	memset(plan_port_of_slot, 0xff, sizeof plan_port_of_slot); // EGRET_NONE
	plan_port_of_slot[PORT] = 0;
	worker.ports[PORT].driver = &no_driver;
	released_count = asked_count = 0;
}

static void end(void)
{
	neighbor_table_free(worker.neighbors);
	egret_arena_close(worker.arena);
	unlink(arena_path);
}

static void housekeep_at(uint64_t ms)
{
	worker.now_ns = ms * MS;
	released_count = asked_count = 0;
	while (neighbor_take_ready(&worker))
		for (uint32_t i = 0; i < worker.batch.count; i++)
			note(&worker.batch.packets[i]);
}

static uint64_t held_gauge(void)
{
	return worker.port_counters[ARRIVAL * EGRET_PORT_COUNTER_COUNT + EGRET_PORT_COUNTER_HELD];
}

// Holds a frame that begins with `mark`. Returns 0 when held, otherwise the drop reason.
static int hold_of(
	uint32_t source, uint16_t network, uint32_t address, uint32_t bytes, uint8_t mark)
{
	memset(frame, mark, bytes);
	struct packet packet = {.data = frame,
		.bytes = bytes,
		.source = source,
		.network = network,
		.port = ARRIVAL,
		.out_port = PORT,
		.next_hop = address};
	enum egret_drop drop = EGRET_DROP_COUNT;
	int is_held = neighbor_hold(&worker, &packet, &drop);
	memset(frame, 0xee, bytes); // the batch's buffer is used again
	return is_held && packet.verdict == PACKET_HELD ? 0 : (int)drop;
}

static int hold(uint32_t address, uint32_t bytes, uint8_t mark)
{
	return hold_of(0, 0, address, bytes, mark);
}

static void set(uint32_t address, enum neighbor_state state, uint8_t mark)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, mark};
	neighbor_update(worker.neighbors, PORT, address, state, mac);
}

// Last byte of the neighbor's MAC address, -1 when it has none.
static int mac_of(uint16_t port, uint32_t address)
{
	uint8_t mac[6];
	return neighbor_find(worker.neighbors, port, address, mac) ? mac[5] : -1;
}

static uint32_t rows_in_use(void)
{
	const struct egret_neighbor_row *rows = arena_at(
		worker.arena, worker.arena->header->at_neighbors);
	uint32_t count = 0;
	for (uint32_t i = 0; i < worker.arena->header->limits.neighbors; i++)
		count += rows[i].address != 0;
	return count;
}

static void test_hold_and_release(void)
{
	begin(8);
	tap_ok(mac_of(PORT, ADDRESS(1)) == -1, "an unknown neighbor has no MAC address");
	tap_ok(hold(ADDRESS(1), FRAME_BYTES, 1) == 0 && hold(ADDRESS(1), FRAME_BYTES, 2) == 0 &&
			hold(ADDRESS(1), 60000, 3) == 0,
		"three frames wait for it, a superframe among them");
	tap_ok(held_gauge() == 3 && neighbor_held(worker.neighbors) == 3, "and are counted");
	tap_ok(hold(ADDRESS(1), FRAME_BYTES, 4) == EGRET_DROP_HOLD_FULL, "the fourth does not");
	housekeep_at(1500);
	tap_ok(released_count == 0, "nothing is sent before there is an answer");
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 7);
	tap_ok(mac_of(PORT, ADDRESS(1)) == 7, "the answer counts at once");
	tap_ok(mac_of(PORT + 1, ADDRESS(1)) == -1, "on its port only");
	housekeep_at(1500);
	int is_in_order = released_count == 3;
	for (uint8_t i = 0; i < released_count; i++)
		is_in_order &= released[i].first == i + 1 && released[i].last == i + 1 &&
			released[i].verdict == PACKET_LIVE && released[i].next_hop == ADDRESS(1);
	tap_ok(is_in_order && released[2].bytes == 60000, "all go, whole and in order");
	tap_ok(held_gauge() == 0, "and nothing waits any more");
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 8);
	tap_ok(mac_of(PORT, ADDRESS(1)) == 8, "another MAC address counts at once");
	set(ADDRESS(1), NEIGHBOR_UNKNOWN, 0);
	tap_ok(mac_of(PORT, ADDRESS(1)) == -1 && rows_in_use() == 0, "a neighbor is forgotten");
	end();
}

static void test_failure(void)
{
	begin(8);
	hold(ADDRESS(1), FRAME_BYTES, 1);
	housekeep_at(1999);
	tap_ok(released_count == 0, "it waits for almost a second");
	housekeep_at(2000);
	tap_ok(released_count == 1 && released[0].verdict == PACKET_DROP &&
			released[0].drop == EGRET_DROP_NO_NEIGHBOR && held_gauge() == 0,
		"and drops after one");
	tap_ok(hold(ADDRESS(1), FRAME_BYTES, 1) == EGRET_DROP_NO_NEIGHBOR,
		"for a second more nothing waits");
	set(ADDRESS(1), NEIGHBOR_RESOLVING, 0);
	tap_ok(hold(ADDRESS(1), FRAME_BYTES, 1) == EGRET_DROP_NO_NEIGHBOR,
		"also when the kernel tries again");
	worker.now_ns = 3000 * MS;
	tap_ok(hold(ADDRESS(1), FRAME_BYTES, 5) == 0, "then it is tried again");
	set(ADDRESS(1), NEIGHBOR_FAILED, 0);
	housekeep_at(3001);
	tap_ok(released_count == 1 && released[0].drop == EGRET_DROP_NO_NEIGHBOR,
		"when the kernel gives up, so do we");
	worker.now_ns = 5000 * MS;
	hold(ADDRESS(2), FRAME_BYTES, 6);
	set(ADDRESS(2), NEIGHBOR_UNKNOWN, 0);
	set(ADDRESS(2), NEIGHBOR_REACHABLE, 9);
	housekeep_at(5001);
	tap_ok(released_count == 1 && released[0].verdict == PACKET_LIVE,
		"a neighbor that is deleted and comes back gets what waited");
	end();
}

static void test_limits(void)
{
	begin(512);
	int held = 0;
	for (uint32_t i = 0; i < 512 * 3; i++)
		held += hold(ADDRESS(1 + i / 3), FRAME_BYTES, 1) == 0;
	tap_ok(held == 64 * 3, "%d frames of one sender wait at most", held);
	housekeep_at(2000);
	tap_ok(released_count == 64 * 3 && held_gauge() == 0, "and all drop");
	held = 0;
	worker.now_ns = 9000 * MS;
	for (uint32_t i = 0; i < 20; i++)
		held += hold(ADDRESS(1 + i), 3000, 1) == 0;
	tap_ok(held == 16, "%d superframes wait at most", held);
	end();
	begin(4);
	for (uint32_t i = 1; i <= 4; i++)
		set(ADDRESS(i), NEIGHBOR_REACHABLE, (uint8_t)i);
	set(ADDRESS(5), NEIGHBOR_REACHABLE, 5);
	tap_ok(mac_of(PORT, ADDRESS(5)) == -1 && mac_of(PORT, ADDRESS(4)) == 4,
		"a full table keeps the neighbors that answer");
	tap_ok(hold(ADDRESS(5), FRAME_BYTES, 1) == EGRET_DROP_HOLD_FULL,
		"nothing waits for one that has no place");
	set(ADDRESS(2), NEIGHBOR_FAILED, 0);
	tap_ok(hold(ADDRESS(5), FRAME_BYTES, 1) == 0 && rows_in_use() == 4,
		"one that failed gives its place up");
	set(ADDRESS(3), NEIGHBOR_FAILED, 0);
	tap_ok(hold(ADDRESS(6), FRAME_BYTES, 1) == 0 &&
			hold(ADDRESS(7), FRAME_BYTES, 1) == EGRET_DROP_HOLD_FULL,
		"one for which frames wait does not");
	end();
}

// New neighbors of one sender in one network, of which some are asked for.
static int scan(uint32_t source, uint16_t network, uint32_t first, uint32_t count)
{
	int held = 0;
	for (uint32_t i = 0; i < count; i++)
		held += hold_of(source, network, ADDRESS(first + i), FRAME_BYTES, 1) == 0;
	return held;
}

static void test_shares(void)
{
	begin(2048);
	int scanned = scan(1, 1, 1, 1000);
	int same_network = scan(2, 1, 1001, 20), other_network = scan(3, 2, 1101, 20);
	tap_ok(scanned == 64 && other_network == 20,
		"a scan of a network (%d of 1000) leaves another its neighbors: %d of 20", scanned,
		other_network);
	tap_ok(same_network == 20, "and other senders theirs in the same one: %d of 20",
		same_network);
	housekeep_at(2000);
	tap_ok(held_gauge() == 0 && neighbor_held(worker.neighbors) == 0, "nothing stays");
	end();
}

static void test_forget(void)
{
	begin(8);
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 1);
	hold(ADDRESS(2), FRAME_BYTES, 1);
	uint8_t mac[6] = {2, 0, 0, 0, 0, 3};
	neighbor_update(worker.neighbors, PORT + 1, ADDRESS(1), NEIGHBOR_REACHABLE, mac);
	neighbor_forget_port(worker.neighbors, PORT);
	housekeep_at(1001);
	tap_ok(mac_of(PORT, ADDRESS(1)) == -1 && released_count == 1 &&
			released[0].verdict == PACKET_DROP,
		"with a port its neighbors are removed, and packets that wait for them drop");
	tap_ok(mac_of(PORT + 1, ADDRESS(1)) == 3, "other ports keep theirs");
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 1);
	set(ADDRESS(3), NEIGHBOR_REACHABLE, 3);
	neighbor_dump_begin(worker.neighbors);
	set(ADDRESS(3), NEIGHBOR_REACHABLE, 4);
	neighbor_dump_end(worker.neighbors);
	tap_ok(mac_of(PORT, ADDRESS(1)) == -1 && mac_of(PORT + 1, ADDRESS(1)) == -1 &&
			mac_of(PORT, ADDRESS(3)) == 4,
		"what a dump does not name is removed");
	end();
}

static void test_next_instance(void)
{
	begin(8);
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 1);
	hold(ADDRESS(2), FRAME_BYTES, 1);
	hold(ADDRESS(2), FRAME_BYTES, 2);
	neighbor_table_free(worker.neighbors); // as if killed here
	worker.neighbors = neighbor_table_make(worker.arena);
	tap_ok(mac_of(PORT, ADDRESS(1)) == 1, "the next forwarder knows the neighbors at once");
	tap_ok(rows_in_use() == 1, "but not those that were being resolved");
	end();
}

// Uses a neighbor and keeps house every 100 ms up to a moment. Returns how often it was asked.
static uint32_t use_until(uint32_t address, uint64_t ms, int *is_last_broadcast)
{
	static uint64_t now_ms;
	uint32_t count = 0;
	for (now_ms = worker.now_ns / MS + 100; now_ms <= ms; now_ms += 100) {
		mac_of(PORT, address);
		housekeep_at(now_ms);
		count += asked_count;
		if (asked_count > 0)
			*is_last_broadcast = asked[0].is_broadcast;
	}
	return count;
}

static void answer(uint32_t address, uint8_t mark)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, mark};
	neighbor_confirm(worker.neighbors, PORT, address, mac);
}

static void test_polls(void)
{
	begin(256);
	int is_broadcast = -1;
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 1);
	housekeep_at(1000);
	answer(ADDRESS(1), 1);
	tap_ok(use_until(ADDRESS(1), 1600, &is_broadcast) == 0,
		"one that has just answered is not polled");
	tap_ok(use_until(ADDRESS(1), 1900, &is_broadcast) == 1 && !is_broadcast,
		"after a while it is asked, alone");
	answer(ADDRESS(1), 1);
	tap_ok(use_until(ADDRESS(1), 2500, &is_broadcast) == 0,
		"its answer is good for as long again");
	housekeep_at(20000);
	tap_ok(asked_count == 0, "one that is not used is never polled");
	tap_ok(use_until(ADDRESS(1), 20500, &is_broadcast) == 2 && is_broadcast,
		"without an answer the poll is broadcast");
	tap_ok(neighbor_is_answering(worker.neighbors, PORT, ADDRESS(1)), "it is given time");
	answer(ADDRESS(1), 9);
	tap_ok(use_until(ADDRESS(1), 20900, &is_broadcast) == 1,
		"an answer from another MAC address is the kernel's to judge");
	uint32_t many = use_until(ADDRESS(1), 30900, &is_broadcast);
	tap_ok(many >= 10 && many <= 20 && is_broadcast && mac_of(PORT, ADDRESS(1)) == 1,
		"a silent one is asked once or twice a second (%u in 10 s), and used on", many);
	tap_ok(!neighbor_is_answering(worker.neighbors, PORT, ADDRESS(1)),
		"but other paths are better");
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 1);
	tap_ok(!neighbor_is_answering(worker.neighbors, PORT, ADDRESS(1)),
		"the kernel's word that it is reachable does not count as an answer");
	set(ADDRESS(1), NEIGHBOR_REACHABLE, 2);
	tap_ok(neighbor_is_answering(worker.neighbors, PORT, ADDRESS(1)),
		"another MAC address is one");
	answer(ADDRESS(1), 2);
	tap_ok(use_until(ADDRESS(1), 31500, &is_broadcast) == 0, "until the kernel says better");
	neighbor_trust(worker.neighbors, PORT, ADDRESS(1));
	tap_ok(use_until(ADDRESS(1), 40000, &is_broadcast) == 0, "what is permanent is not polled");
	for (uint32_t i = 2; i < 202; i++)
		set(ADDRESS(i), NEIGHBOR_REACHABLE, 1);
	uint32_t asked_all = 0;
	for (uint64_t ms = 50000; ms <= 51000; ms += 10) {
		for (uint32_t i = 2; i < 202; i++)
			mac_of(PORT, ADDRESS(i));
		housekeep_at(ms);
		asked_all += asked_count;
	}
	tap_ok(asked_all >= 100 && asked_all <= 180, "200 at once: %u questions a second",
		asked_all);
	neighbor_forget_port(worker.neighbors, PORT);
	housekeep_at(51500);
	set(ADDRESS(2), NEIGHBOR_REACHABLE, 1);
	mac_of(PORT, ADDRESS(2));
	housekeep_at(52000);
	tap_ok(asked_count == 1, "forgotten ones are not asked");
	end();
}

// A table of 16 rows and 24 possible neighbors against an array.
static void test_random_sequence(void)
{
	begin(16);
	int model[24], errors = 0;
	uint32_t seed = 7, reachable = 0;
	for (uint32_t i = 0; i < 24; i++)
		model[i] = -1;
	for (uint32_t step = 0; step < 20000; step++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t i = (seed >> 8) % 24;
		int mark = (int)(seed >> 16 & 0x7f);
		if (seed >> 29 < 4 && (reachable < 16 || model[i] >= 0)) {
			set(ADDRESS(i + 1), NEIGHBOR_REACHABLE, (uint8_t)mark);
			reachable += model[i] < 0;
			model[i] = mark;
		} else if (seed >> 29 >= 4) {
			set(ADDRESS(i + 1), seed >> 29 < 6 ? NEIGHBOR_UNKNOWN : NEIGHBOR_FAILED, 0);
			reachable -= model[i] >= 0;
			model[i] = -1;
		}
		for (uint32_t j = 0; j < 24; j++)
			errors += mac_of(PORT, ADDRESS(j + 1)) != model[j];
	}
	tap_ok(errors == 0, "20000 random changes: table and array agree");
	end();
}

// -- The kernel -----------------------------------------------------------------------------------

// Returns 1 when an interface was removed.
static int read_events(void)
{
	int is_link_removed = 0;
	struct pollfd wait = {.fd = neighbor_netlink_fd(worker.neighbors), .events = POLLIN};
	while (poll(&wait, 1, 100) > 0)
		is_link_removed |= neighbor_netlink_read(&worker);
	return is_link_removed;
}

// A port without a socket: only its interface matters here.
static void fake_port(uint16_t slot, const char *interface)
{
	worker.ports[slot] = (struct port){
		.driver = &no_driver, .slot = slot, .ifindex = if_nametoindex(interface), .fd = -1};
}

static void test_kernel(void)
{
	begin(64);
	netns_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		  "ip link set v1 up && ip address add 10.0.0.254/24 dev v0");
	fake_port(PORT, "v0");
	netns_run("ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:11 dev v0");
	netns_run("ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev v1");
	set(ADDRESS(3), NEIGHBOR_REACHABLE, 3); // of the previous instance
	neighbor_netlink_set(&worker, egret_neighbor_socket());
	read_events();
	tap_ok(mac_of(PORT, ADDRESS(1)) == 0x11, "the kernel's table is read at first");
	tap_ok(mac_of(PORT, ADDRESS(9)) == -1, "other interfaces' neighbors are not");
	tap_ok(mac_of(PORT, ADDRESS(3)) == -1, "what it does not hold is removed");
	netns_run("ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:22 dev v0");
	read_events();
	tap_ok(mac_of(PORT, ADDRESS(1)) == 0x22, "a changed MAC address is followed");
	netns_run("ip neigh change 10.0.0.1 lladdr 02:00:00:00:00:23 nud stale dev v0");
	read_events();
	tap_ok(mac_of(PORT, ADDRESS(1)) == 0x23, "a stale one is used");
	uint64_t probes = worker.counters[EGRET_WORKER_COUNTER_NEIGHBOR_PROBES];
	housekeep_at(1000);
	tap_ok(asked_count == 1 && asked[0].address == ADDRESS(1), "and asked because it is used");
	netns_run("ip neigh change 10.0.0.1 lladdr 02:00:00:00:00:23 nud permanent dev v0");
	read_events();
	mac_of(PORT, ADDRESS(1));
	housekeep_at(9000);
	tap_ok(asked_count == 0, "a permanent one is not");
	netns_run("ip neigh del 10.0.0.1 dev v0");
	read_events();
	tap_ok(mac_of(PORT, ADDRESS(1)) == -1, "a deleted one is forgotten");
	hold(ADDRESS(7), FRAME_BYTES, 1);
	hold(ADDRESS(7), FRAME_BYTES, 2);
	tap_ok(worker.counters[EGRET_WORKER_COUNTER_NEIGHBOR_PROBES] == probes + 1,
		"two frames, one question within 200 ms");
	// By now it may have asked in vain.
	tap_ok(netns_run("ip neigh show 10.0.0.7 | grep -qE 'INCOMPLETE|FAILED'"),
		"the kernel asks");
	netns_run("ip neigh replace 10.0.0.8 managed extern_learn dev v0");
	neighbor_netlink_refresh(&worker); // no event tells of a neighbor that has not answered yet
	read_events();
	hold(ADDRESS(8), FRAME_BYTES, 1);
	tap_ok(worker.counters[EGRET_WORKER_COUNTER_NEIGHBOR_PROBES] == probes + 2 &&
			netns_run("ip neigh show 10.0.0.8 | grep -q 'managed.*extern_learn'"),
		"one that the kernel keeps resolved stays so");
	fake_port(PORT + 1, "v1");
	neighbor_netlink_refresh(&worker);
	read_events();
	tap_ok(mac_of(PORT + 1, ADDRESS(9)) == 0x99, "a port that is added brings its neighbors");
	end();
}

static void test_kernel_overrun(void)
{
	begin(64);
	fake_port(PORT, "v0");
	int fd = egret_neighbor_socket(), few = 2304;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &few, sizeof few);
	neighbor_netlink_set(&worker, fd);
	read_events();
	netns_run("for i in $(seq 600); do echo neigh replace 10.0.0.$((1 + i %% 40)) "
		  "lladdr 02:00:00:00:00:$(printf %%02x $((i %% 100))) dev v0; done | ip -batch -");
	read_events();
	tap_ok(worker.counters[EGRET_WORKER_COUNTER_NEIGHBOR_OVERRUNS] > 0, "events overrun");
	int wrong = 0;
	for (int i = 561; i <= 600; i++)
		wrong += mac_of(PORT, ADDRESS((uint32_t)(1 + i % 40))) != i % 100;
	tap_ok(wrong == 0, "and the table is right all the same");
	netns_run("ip link del v0");
	tap_ok(read_events(), "the removal of an interface is reported");
	end();
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	snprintf(arena_path, sizeof arena_path, "%s/arena", directory);
	worker.buffers = malloc((size_t)BATCH_MAX * WORKER_BUFFER_BYTES);
	test_hold_and_release();
	test_failure();
	test_limits();
	test_shares();
	test_forget();
	test_next_instance();
	test_polls();
	test_random_sequence();
	if (netns_can_enter()) {
		test_kernel();
		test_kernel_overrun();
	}
	free(worker.buffers);
	rmdir(directory);
	return tap_done();
}
