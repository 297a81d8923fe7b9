// SPDX-License-Identifier: Apache-2.0

// A gateway for tests of the real forwarder: two namespaces, an arena with routes and a plan, and the
// program that ships (build/egret-forwarder, next to the folder of the tests). No egretd.
//
//   client 10.1.0.2 ──c0─g0── forwarder ──g1─s0── server 172.16.1.140 = 192.0.2.10
//
// Needs netns_enter first.
#pragma once
#include "arena/arena.h"
#include "egret.h"
#include "netns.h"
#include "tap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TABLE = 500 };
#define SECOND_NS 1000000000ull

static char directory[] = "/dev/shm/egret-forwarder-XXXXXX";
static char arena_path[64], socket_path[64], pid_path[64], log_path[64], program[256];
static struct arena *arena;
static pid_t client_ns, server_ns, forwarder;
static int control = -1, port_fds[2], netlink_fd;
static const char *const interfaces[2] = {"g0", "g1"};

static uint32_t ip(const char *text)
{
	return ntohl(inet_addr(text));
}

// A process that holds a namespace, until this one ends.
static pid_t hold_namespace(void)
{
	int ready[2];
	char byte;
	if (pipe(ready))
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

// A UDP socket in another process's namespace.
static int socket_in(pid_t pid, const char *address, uint16_t port)
{
	char path[64];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	setns(there, CLONE_NEWNET);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setns(home, CLONE_NEWNET);
	close(home);
	close(there);
	struct sockaddr_in local = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(address)};
	if (bind(fd, (struct sockaddr *)&local, sizeof local))
		exit(1);
	return fd;
}

static void make_topology(void)
{
	client_ns = hold_namespace();
	server_ns = hold_namespace();
	netns_run("ip link add g0 type veth peer name c0 netns %d && "
		  "ip link add g1 type veth peer name s0 netns %d && "
		  "ip address add 10.1.0.1/24 dev g0 && ip address add 172.16.1.1/24 dev g1 && "
		  "ip link set g0 up && ip link set g1 up",
		client_ns, server_ns);
	netns_run("nsenter -t %d -n sh -c 'ip address add 10.1.0.2/24 dev c0 && "
		  "ip link set c0 up && ip route add default via 10.1.0.1'",
		client_ns);
	netns_run("nsenter -t %d -n sh -c 'ip address add 172.16.1.140/24 dev s0 && "
		  "ip link set lo up && ip address add 192.0.2.10/32 dev lo && "
		  "ip link set s0 up && ip route add 198.51.100.7 via 172.16.1.1'",
		server_ns);
}

// -- What egretd does -----------------------------------------------------------------------------

static void read_mac(const char *interface, struct egret_plan_port *port)
{
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	if (ioctl(netlink_fd, SIOCGIFHWADDR, &request))
		exit(1);
	memcpy(port->mac, request.ifr_hwaddr.sa_data, 6);
}

static int64_t publish_plan(void)
{
	struct {
		struct egret_plan plan;
		struct egret_plan_port ports[2];
		struct egret_plan_local locals[2];
		struct egret_plan_address address;
		struct egret_plan_rule rule;
		uint32_t rule_address;
		struct egret_plan_client client;
	} __attribute__((packed)) encoded = {
		.plan = {.udp_timeout_ns = 300 * SECOND_NS,
			.tcp_established_timeout_ns = 7440 * SECOND_NS,
			.tcp_transitory_timeout_ns = 240 * SECOND_NS,
			.icmp_timeout_ns = 60 * SECOND_NS,
			.quarantine_ns = 120 * SECOND_NS,
			.icmp_errors_per_second = 100,
			.port_count = 2,
			.local_count = 2,
			.address_count = 1,
			.rule_count = 1,
			.rule_address_count = 1,
			.client_count = 1},
		.locals = {{.address = ip("10.1.0.1")}, {.address = ip("172.16.1.1")}},
		.address = {.address = ip("198.51.100.7"), .is_ready = 1, .network_count = 1},
		.rule = {.address_count = 1, .action = EGRET_ACTION_GATEWAY},
		.client = {.prefix = ip("10.1.0.2"), .prefix_length = 32, .rule_count = 1},
	};
	uint16_t network = (uint16_t)egret_network_slot(arena, TABLE);
	for (int i = 0; i < 2; i++) {
		struct egret_plan_port port = {.ifindex = if_nametoindex(interfaces[i]),
			.address = encoded.locals[i].address,
			.mtu = 1500,
			.slot = (uint16_t)egret_port_slot(arena, interfaces[i]),
			.network = i == 0 ? 0 : network,
			.role = i == 0 ? EGRET_ROLE_CLIENTS : EGRET_ROLE_NETWORKS,
			.is_up = 1};
		read_mac(interfaces[i], &port);
		encoded.ports[i] = port;
		encoded.locals[i].network = port.network;
	}
	encoded.address.slot = (uint16_t)egret_address_slot(arena, ip("198.51.100.7"));
	encoded.address.networks[0] = network;
	return egret_plan_publish(arena, &encoded, sizeof encoded);
}

static void write_fib(void)
{
	uint16_t network = (uint16_t)egret_network_slot(arena, TABLE);
	struct egret_adjacency client_link = {.port = 0};
	struct egret_adjacency next_hop = {.next_hop = ip("172.16.1.140"), .port = 1};
	struct egret_fib_delta client = {ip("10.1.0.0"), 24, EGRET_GROUP_FIRST};
	struct egret_fib_delta server = {ip("192.0.2.0"), 24, EGRET_GROUP_FIRST + 1};
	tap_ok(egret_arena_begin_generation(arena) == 0 &&
			egret_fib_set_group(arena, EGRET_GROUP_FIRST, &client_link, 1) == 0 &&
			egret_fib_set_group(arena, EGRET_GROUP_FIRST + 1, &next_hop, 1) == 0 &&
			egret_fib_apply(arena, 0, &client, 1) == 1 &&
			egret_fib_apply(arena, network, &server, 1) == 1 &&
			egret_arena_commit_generation(arena) == 0,
		"routes are written");
}

static void start_forwarder(void)
{
	forwarder = fork();
	if (forwarder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(log, STDERR_FILENO);
		execl(program, program, "--arena", arena_path, "--socket", socket_path,
			"--pid-file", pid_path, (char *)NULL);
		_exit(127);
	}
	int pid = 0, status = -1;
	for (int ms = 0; ms < TAP_PATIENCE_MS && status < 0; ms += 10) {
		status = egret_forwarder_connect(socket_path, 1000, &control, &pid);
		if (status < 0)
			usleep(10000);
	}
	tap_ok(status == 0 && pid == forwarder, "a forwarder answers");
}

static void hand_over(int discard)
{
	int failed = egret_forwarder_set_netlink(control, netlink_fd);
	for (uint16_t i = 0; i < 2; i++)
		failed |= egret_forwarder_add_port(
			control, i, if_nametoindex(interfaces[i]), port_fds[i], discard);
	tap_ok(failed == 0, "it takes the netlink socket and both ports");
}

static uint64_t port_counter(uint16_t port, enum egret_port_counter counter)
{
	return __atomic_load_n(
		&egret_port_counters(arena)[port * EGRET_PORT_COUNTER_COUNT + counter],
		__ATOMIC_RELAXED);
}

static uint64_t drops(uint16_t port)
{
	uint64_t sum = 0;
	for (uint32_t drop = 0; drop < EGRET_DROP_COUNT; drop++)
		sum += egret_drop_counters(arena)[port * EGRET_DROP_COUNT + drop];
	return sum;
}

static uint64_t cpu_ms_of(pid_t pid)
{
	char path[64], line[1024] = "";
	unsigned long user = 0, system_ticks = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	if (file && fgets(line, sizeof line, file))
		sscanf(strrchr(line, ')') + 1, "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%lu%lu", &user,
			&system_ticks);
	if (file)
		fclose(file);
	return (user + system_ticks) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

// Namespaces, arena, routes, plan, sockets: all that stands before a forwarder starts.
static void make_gateway(const char *self)
{
	char path[256];
	snprintf(path, sizeof path, "%s", self);
	snprintf(program, sizeof program, "%s/../egret-forwarder", dirname(path));
	if (!mkdtemp(directory))
		exit(1);
	snprintf(arena_path, sizeof arena_path, "%s/arena", directory);
	snprintf(socket_path, sizeof socket_path, "%s/socket", directory);
	snprintf(pid_path, sizeof pid_path, "%s/pid", directory);
	snprintf(log_path, sizeof log_path, "%s/log", directory);
	make_topology();
	struct egret_limits limits = {.sessions = 64,
		.bindings = 64,
		.networks = 2,
		.plies = 16,
		.groups = 8,
		.neighbors = 16,
		.clients = 4,
		.rules = 4,
		.rule_addresses = 4};
	void *made = NULL;
	tap_ok(egret_arena_create(arena_path, "", &limits, &made) == 0, "an arena");
	arena = made;
	write_fib();
	for (int i = 0; i < 2; i++)
		port_fds[i] = egret_packet_socket(if_nametoindex(interfaces[i]));
	netlink_fd = egret_neighbor_socket();
	tap_ok(publish_plan() > 0, "a plan");
}

static void remove_gateway(void)
{
	close(control);
	kill(client_ns, SIGKILL);
	kill(server_ns, SIGKILL);
	egret_arena_close(arena);
	unlink(arena_path);
	unlink(log_path);
	rmdir(directory);
}
