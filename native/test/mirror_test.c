// SPDX-License-Identifier: Apache-2.0

// The mirror against the kernel, in a network namespace of the test's own: what is submitted is what
// `ip route` prints, failures and foreign changes are reported, and nothing is lost under load.
// Skipped where neither root nor user namespaces are to be had.
#include "egretd/mirror.h"
#include "tap.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROTOCOL_BIRD = 12, TABLE = 500 };

static void *mirror;
static int events = -1;
static uint64_t submitted, settled;
static uint32_t failed, foreign, overruns;
static struct mirror_event last_failed, last_foreign;

static int shell(const char *command)
{
	return system(command) == 0;
}

// The output of a command, newlines and all.
static const char *output_of(const char *command)
{
	static char text[8192];
	FILE *pipe = popen(command, "r");
	size_t n = pipe ? fread(text, 1, sizeof(text) - 1, pipe) : 0;
	text[n] = 0;
	if (pipe)
		pclose(pipe);
	return text;
}

// Reads one event. Returns 0 when none comes for wait_ms.
static int read_event(int wait_ms)
{
	struct pollfd fd = {.fd = events, .events = POLLIN};
	struct mirror_event event;
	if (poll(&fd, 1, wait_ms) <= 0 ||
		recv(events, &event, sizeof(event), MSG_WAITALL) != sizeof(event))
		return 0;
	if (event.kind == MIRROR_EVENT_PROGRESS)
		settled = event.sequence;
	if (event.kind == MIRROR_EVENT_OVERRUN)
		overruns++;
	if (event.kind == MIRROR_EVENT_FAILED) {
		failed++;
		last_failed = event;
	}
	if (event.kind == MIRROR_EVENT_FOREIGN) {
		foreign++;
		last_foreign = event;
	}
	return 1;
}

// Reads until everything submitted is settled.
static void read_settled(void)
{
	while (settled != submitted && read_event(TAP_PATIENCE_MS))
		;
}

// Reads until so many foreign changes have been reported.
static void read_foreign(uint32_t count)
{
	while (foreign < count && read_event(TAP_PATIENCE_MS))
		;
}

static void submit(const struct egret_mirror_route *routes, uint32_t n)
{
	while (n > 0) {
		int taken = egret_mirror_submit(mirror, routes, n);
		if (taken < 0)
			abort();
		submitted += (uint32_t)taken;
		routes += taken;
		n -= (uint32_t)taken;
		if (n > 0)
			read_event(10);
	}
}

static struct egret_mirror_route route_to(
	uint32_t prefix, uint32_t length, uint32_t next_hop, uint32_t ifindex)
{
	return (struct egret_mirror_route){
		.prefix = prefix,
		.prefix_length = length,
		.table = TABLE,
		.path_count = 1,
		.paths = {{next_hop, ifindex}},
	};
}

static int enter_namespace(void)
{
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 0;
	return shell("ip link set lo up && ip link add v0 type veth peer name v1 &&"
		     " ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up && ip link set v1 up");
}

static void test_shapes(uint32_t ifindex)
{
	struct egret_mirror_route routes[] = {
		route_to(0xc0000200, 24, 0x0a090002, ifindex),
		route_to(0, 0, 0x0a090002, ifindex),
		route_to(0x01020304, 32, 0x0a090003, ifindex),
		route_to(0xc6336400, 24, 0x0a090002, ifindex),
		route_to(0xcb007100, 24, 0, ifindex),
	};
	routes[3].path_count = 2;
	routes[3].paths[1].next_hop = 0x0a090003;
	routes[3].paths[1].ifindex = ifindex;
	submit(routes, 5);
	read_settled();
	tap_ok(settled == 5 && failed == 0, "five routes are settled, none failed");
	const char *want = "default via 10.9.0.2 dev v0 proto bird \n"
			   "1.2.3.4 via 10.9.0.3 dev v0 proto bird \n"
			   "192.0.2.0/24 via 10.9.0.2 dev v0 proto bird \n"
			   "198.51.100.0/24 proto bird \n"
			   "\tnexthop via 10.9.0.2 dev v0 weight 1 \n"
			   "\tnexthop via 10.9.0.3 dev v0 weight 1 \n"
			   "203.0.113.0/24 dev v0 proto bird scope link \n";
	const char *got = output_of("ip route show table 500");
	tap_ok(strcmp(got, want) == 0, "ip route prints what was submitted");

	struct egret_mirror_route replaced = route_to(0xc0000200, 24, 0x0a090003, ifindex);
	submit(&replaced, 1);
	read_settled();
	tap_ok(strcmp(output_of("ip route show table 500 192.0.2.0/24"),
		       "192.0.2.0/24 via 10.9.0.3 dev v0 proto bird \n") == 0,
		"a route is replaced, not added in addition");
	for (int i = 0; i < 5; i++)
		routes[i].path_count = 0;
	submit(routes, 5);
	read_settled();
	tap_ok(failed == 0 && output_of("ip route show table 500")[0] == 0, "and all are removed");
	submit(routes, 1);
	read_settled();
	tap_ok(failed == 0, "removing what is not there is no failure");
}

static void test_failures(uint32_t ifindex)
{
	struct egret_mirror_route routes[] = {
		route_to(0xc0000200, 24, 0x0a090002, ifindex),
		route_to(0xc0000300, 24, 0xc0a80001, ifindex), // not on the link
		route_to(0xc0000400, 24, 0x0a090002, 9999), // no such interface
		route_to(0xc0000500, 24, 0x0a090002, ifindex),
	};
	failed = 0;
	uint64_t before = submitted;
	submit(routes, 4);
	read_settled();
	tap_ok(failed == 2, "two of four are refused: %u", failed);
	tap_ok(last_failed.sequence == before + 3 && last_failed.prefix == 0xc0000400 &&
			last_failed.prefix_length == 24 && last_failed.table == TABLE &&
			last_failed.error != 0,
		"a failure names its route and its number");
	routes[0].path_count = EGRET_GROUP_PATHS_MAX + 1;
	tap_ok(egret_mirror_submit(mirror, routes, 1) == -EGRET_STATUS_BAD_ARGUMENT,
		"seventeen next hops are refused");
}

static void test_foreign(void)
{
	foreign = 0;
	shell("ip route del 192.0.2.0/24 table 500");
	read_foreign(1);
	tap_ok(foreign == 1 && last_foreign.prefix == 0xc0000200 && last_foreign.table == TABLE,
		"a removal by another program is reported");
	shell("ip route replace 192.0.5.0/24 via 10.9.0.9 table 500 proto static");
	read_foreign(2);
	tap_ok(foreign == 2 && last_foreign.prefix == 0xc0000500, "and a replacement");
	shell("ip route add 192.0.9.0/24 via 10.9.0.9 table 501 proto static");
	shell("ip route add 192.0.9.0/24 via 10.9.0.9 table 500 proto static metric 9");
	shell("ip route replace 192.0.5.0/24 via 10.9.0.8 table 500 proto static");
	read_foreign(3);
	tap_ok(foreign == 3 && last_foreign.prefix == 0xc0000500,
		"other tables and other metrics are not ours, what comes after them is");
}

static void test_load(uint32_t ifindex, uint32_t count)
{
	struct egret_mirror_route *routes = calloc(count, sizeof(*routes));
	for (uint32_t i = 0; i < count; i++)
		routes[i] = route_to(0x14000000 + i, 32, 0x0a090002, ifindex);
	failed = overruns = 0;
	submit(routes, count);
	read_settled();
	tap_ok(settled == submitted && failed == 0 && overruns == 0, "%u routes are installed",
		count);
	tap_ok((uint32_t)atoi(output_of("ip route show table 500 root 20.0.0.0/8 | wc -l")) ==
			count,
		"the kernel holds them all");
	for (uint32_t i = 0; i < count; i++)
		routes[i].path_count = 0;
	submit(routes, count);
	read_settled();
	tap_ok(settled == submitted && failed == 0, "and removed");
	tap_ok(atoi(output_of("ip route show table 500 root 20.0.0.0/8 | wc -l")) == 0,
		"the kernel holds none of them");
	free(routes);
}

// Answers that do not fit into the queue are lost, that to the last message among them.
static void test_lost_answers(uint32_t ifindex)
{
	struct egret_mirror_route routes[MIRROR_BATCH_ROUTES];
	for (uint32_t i = 0; i < MIRROR_BATCH_ROUTES; i++)
		routes[i] = route_to(0x15000000 + i, 32, 0xc0a80001, ifindex);
	for (int fd = 3; fd < 64; fd++) {
		int domain = 0, least = 1;
		socklen_t bytes = sizeof(domain);
		getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes);
		if (domain == AF_NETLINK)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	}
	failed = overruns = 0;
	submit(routes, MIRROR_BATCH_ROUTES);
	read_settled();
	tap_ok(settled == submitted && overruns > 0 && failed < MIRROR_BATCH_ROUTES,
		"lost answers are reported, and not waited for: %u of %u came", failed,
		MIRROR_BATCH_ROUTES);
	overruns = 0;
	routes[0].path_count = 0;
	submit(routes, 1);
	read_settled();
	tap_ok(settled == submitted && overruns == 0, "the next one is heard again");
}

// Closing must not wait for a reader that never comes.
static void test_close_unread(uint32_t ifindex)
{
	struct egret_mirror_route routes[512];
	for (uint32_t round = 0; round < 400; round++) {
		for (uint32_t i = 0; i < 512; i++)
			routes[i] = route_to(0x15000000 + round * 512 + i, 32, 0xc0a80001, ifindex);
		egret_mirror_submit(mirror, routes, 512);
	}
	egret_mirror_close(mirror);
	tap_ok(1, "closes, even when its stream is not read");
	close(events);
}

int main(int argc, char **argv)
{
	if (!enter_namespace()) {
		printf("1..0 # SKIP no network namespace\n");
		return 0;
	}
	uint32_t ifindex = (uint32_t)atoi(output_of("ip -o link show v0"));
	tap_ok(egret_mirror_open(PROTOCOL_BIRD, &mirror, &events) == 0, "the mirror opens");
	test_shapes(ifindex);
	test_failures(ifindex);
	test_foreign();
	test_load(ifindex, argc > 1 ? (uint32_t)atoi(argv[1]) : 50000);
	test_lost_answers(ifindex);
	test_close_unread(ifindex);
	return tap_done();
}
