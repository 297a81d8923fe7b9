// SPDX-License-Identifier: Apache-2.0

// The control socket, both ends: descriptors are passed both ways, malformed messages harm no connection.
#include "arena/arena.h"
#include "control/control.h"
#include "descriptors.h"
#include "egret.h"
#include "forwarder/control_server.h"
#include "forwarder/ports.h"
#include "lib/abi_hash.h"
#include "neighbor/neighbor.h"
#include "netns.h"
#include "packet/worker.h"
#include "tap.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char directory[] = "/dev/shm/egret-control-XXXXXX";
static char socket_path[64], arena_path[64];
static struct worker worker;
static struct control_server *server;
static atomic_int is_paused, is_resting, is_over;

// The forwarder's loop, without packets.
static void *serve(void *unused)
{
	while (!atomic_load(&is_over)) {
		struct pollfd polls[CONTROL_POLLS_MAX];
		uint32_t count = control_server_polls(server, polls);
		poll(polls, count, 5);
		int rests = atomic_load(&is_paused);
		atomic_store(&is_resting, rests);
		if (!rests)
			control_server_serve(server, polls, count);
	}
	return unused;
}

static int connect_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(fd, (struct sockaddr *)&address, sizeof address);
	return fd;
}

// 1 when the other side closes.
static int is_closed_soon(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;
	return poll(&wait, 1, TAP_PATIENCE_MS) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static int is_same_socket(int a, int b)
{
	struct stat one, other;
	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino;
}

static uint64_t port_counter(uint16_t slot, enum egret_port_counter counter)
{
	return worker.port_counters[slot * EGRET_PORT_COUNTER_COUNT + counter];
}

static void test_hello(int *fd)
{
	int pid = 0;
	tap_ok(egret_forwarder_connect("/dev/shm/none", 100, fd, &pid) == -EGRET_STATUS_CLOSED,
		"no process listens: CLOSED");
	struct stat stat_of_socket;
	tap_ok(stat(socket_path, &stat_of_socket) == 0 && (stat_of_socket.st_mode & 0777) == 0600,
		"the socket is its owner's alone");
	tap_ok(egret_forwarder_connect(socket_path, 0, fd, &pid) == 0 && *fd >= 0, "hello");
	tap_ok(pid == getpid(), "and the forwarder's pid");
	struct stat stat_of_arena;
	uint64_t inode = 0;
	uint32_t sessions = 0;
	worker.counters[EGRET_WORKER_COUNTER_SESSIONS] = 12345;
	tap_ok(egret_forwarder_holds(*fd, &inode, &sessions) == 0 &&
			stat(arena_path, &stat_of_arena) == 0 && inode == stat_of_arena.st_ino &&
			sessions == 12345,
		"and on which arena it works, with how many sessions");
}

static void test_ports(int fd)
{
	uint16_t slots[EGRET_PORT_MAX];
	uint32_t ifindexes[EGRET_PORT_MAX], loopback = if_nametoindex("lo");
	int fds[EGRET_PORT_MAX];
	tap_ok(egret_forwarder_take_ports(fd, 0, slots, ifindexes, fds) == 0, "no port at first");
	int port_fd = egret_packet_socket(loopback);
	tap_ok(egret_forwarder_add_port(fd, EGRET_PORT_MAX, loopback, port_fd, 0) ==
			-EGRET_STATUS_BAD_ARGUMENT,
		"a slot out of range is refused");
	tap_ok(egret_forwarder_add_port(fd, 5, loopback + 1, port_fd, 0) == -EGRET_STATUS_NOT_FOUND,
		"so is a socket that is bound elsewhere");
	tap_ok(egret_forwarder_add_port(fd, 5, loopback, fd, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"so is what is no AF_PACKET socket");
	tap_ok(egret_forwarder_add_port(fd, 5, loopback, -1, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"so is no descriptor at all");
	netns_run("ping -q -c 3 -i 0.01 127.0.0.1 > /dev/null");
	tap_ok(egret_forwarder_add_port(fd, 5, loopback, port_fd, 1) == 0, "a port is handed over");
	uint64_t received = port_counter(5, EGRET_PORT_COUNTER_RECEIVED);
	uint64_t stale = worker.drop_counters[5 * EGRET_DROP_COUNT + EGRET_DROP_STALE];
	tap_ok(received == 6 && stale == received, "what was queued is received and stale: %llu",
		(unsigned long long)received);
	tap_ok(egret_forwarder_add_port(fd, 9, loopback, port_fd, 0) == 0, "another one");
	int count = egret_forwarder_take_ports(fd, 0, slots, ifindexes, fds);
	tap_ok(count == 2 && slots[0] == 5 && slots[1] == 9 && ifindexes[0] == loopback,
		"both come back with slot and interface");
	tap_ok(count == 2 && is_same_socket(fds[0], port_fd), "as the very same sockets");
	for (int i = 0; i < count; i++)
		close(fds[i]);
	uint32_t before = open_descriptors();
	tap_ok(egret_forwarder_add_port(fd, 9, loopback, port_fd, 0) == 0 &&
			open_descriptors() == before,
		"a port that is given again replaces the old one");
	netns_run("ping -q -c 1 127.0.0.1 > /dev/null");
	tap_ok(egret_forwarder_remove_port(fd, 9) == 0, "a port is taken away");
	tap_ok(port_counter(9, EGRET_PORT_COUNTER_RECEIVED) == 2 &&
			worker.drop_counters[9 * EGRET_DROP_COUNT + EGRET_DROP_STALE] == 2,
		"what waited in its queue is received and stale");
	tap_ok(egret_forwarder_remove_port(fd, 9) == -EGRET_STATUS_NOT_FOUND, "once");
	close(port_fd);
}

// A request that changes nothing. Returns its status.
static int ask(int fd)
{
	uint64_t arena_inode;
	uint32_t sessions;
	return egret_forwarder_holds(fd, &arena_inode, &sessions);
}

static void test_netlink(int fd)
{
	tap_ok(neighbor_netlink_fd(worker.neighbors) < 0, "no netlink socket at first");
	tap_ok(egret_forwarder_set_netlink(fd, -1) == -EGRET_STATUS_BAD_ARGUMENT,
		"no descriptor: refused");
	tap_ok(egret_forwarder_set_netlink(fd, fd) == -EGRET_STATUS_BAD_ARGUMENT &&
			egret_forwarder_set_netlink(fd, STDIN_FILENO) == -EGRET_STATUS_BAD_ARGUMENT,
		"so is what is no netlink socket");
	int netlink = egret_neighbor_socket();
	tap_ok(egret_forwarder_set_netlink(fd, netlink) == 0 &&
			neighbor_netlink_fd(worker.neighbors) >= 0,
		"one is handed over");
	close(netlink);
	int second, pid;
	tap_ok(egret_forwarder_connect(socket_path, 0, &second, &pid) == 0 && ask(second) == 0,
		"the next egretd connects while the previous one still is");
	close(second);
	tap_ok(ask(fd) == 0, "the first connection continues");
}

static void test_wake(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	tap_ok(egret_forwarder_wake(fd) == 0 && poll(&wait, 1, 50) == 0, "a wake-up has no answer");
}

static void test_rubbish(int fd)
{
	uint32_t before = open_descriptors();
	char rubbish[200];
	memset(rubbish, 'x', sizeof rubbish);
	int raw = connect_raw();
	send(raw, rubbish, sizeof rubbish, MSG_NOSIGNAL);
	tap_ok(is_closed_soon(raw), "rubbish ends the connection");
	close(raw);
	raw = connect_raw();
	struct control_message message = {
		.magic = CONTROL_MAGIC, .kind = CONTROL_SET_NETLINK, .abi_hash = abi_hash()};
	control_send(raw, &message, STDIN_FILENO);
	tap_ok(is_closed_soon(raw), "so does a request before hello");
	close(raw);
	raw = connect_raw();
	message.kind = CONTROL_HELLO;
	send(raw, &message, 20, 0);
	struct pollfd wait = {.fd = raw, .events = POLLIN};
	tap_ok(poll(&wait, 1, 30) == 0, "part of a message waits for the rest");
	send(raw, (char *)&message + 20, sizeof message - 20, 0);
	struct control_message answer = {0};
	tap_ok(recv(raw, &answer, sizeof answer, MSG_WAITALL) == sizeof answer &&
			answer.abi_hash == abi_hash(),
		"and is a message then");
	message.kind = 77;
	control_send(raw, &message, -1);
	tap_ok(is_closed_soon(raw), "an unknown request ends the connection");
	close(raw);
	tap_ok(ask(fd) == 0, "others do not notice");
	tap_ok(open_descriptors() == before, "no descriptor is left behind");
}

static void test_other_abi(void)
{
	int raw = connect_raw();
	struct control_message message = {
		.magic = CONTROL_MAGIC, .kind = CONTROL_HELLO, .abi_hash = ~abi_hash()};
	struct control_message answer = {0};
	control_send(raw, &message, -1);
	recv(raw, &answer, sizeof answer, MSG_WAITALL);
	message.kind = CONTROL_REMOVE_PORT;
	message.slot = 5;
	control_send(raw, &message, -1);
	recv(raw, &answer, sizeof answer, MSG_WAITALL);
	tap_ok(answer.status == -EGRET_STATUS_ABI_MISMATCH,
		"an egretd of another build may not change ports");
	message.kind = CONTROL_TAKE_PORTS;
	control_send(raw, &message, -1);
	recv(raw, &answer, sizeof answer, MSG_WAITALL);
	tap_ok(answer.status == 0 && answer.count == 1, "but it may take them");
	close(raw);
}

// A forwarder of another build, which answers HELLO and STOP only.
static void *serve_other_abi(void *listener)
{
	int fd = accept(*(int *)listener, NULL, NULL);
	struct control_message message;
	recv(fd, &message, sizeof message, MSG_WAITALL);
	message.abi_hash = ~message.abi_hash;
	message.pid = 4711;
	control_send(fd, &message, -1);
	recv(fd, &message, sizeof message, MSG_WAITALL);
	message.status = message.kind == CONTROL_STOP ? 0 : -EGRET_STATUS_BAD_ARGUMENT;
	control_send(fd, &message, -1);
	close(fd);
	return NULL;
}

static void test_other_forwarder(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s/other", directory);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = -1, pid = 0;
	bind(listener, (struct sockaddr *)&address, sizeof address);
	listen(listener, 1);
	pthread_t thread;
	pthread_create(&thread, NULL, serve_other_abi, &listener);
	tap_ok(egret_forwarder_connect(address.sun_path, 0, &fd, &pid) ==
				-EGRET_STATUS_ABI_MISMATCH &&
			pid == 4711,
		"a forwarder of another build is recognized");
	tap_ok(egret_forwarder_stop(fd) == 0, "and can be stopped");
	pthread_join(thread, NULL);
	close(fd);
	close(listener);
	unlink(address.sun_path);
}

static void test_late_answer(int fd)
{
	uint16_t slots[EGRET_PORT_MAX];
	uint32_t ifindexes[EGRET_PORT_MAX];
	int fds[EGRET_PORT_MAX];
	atomic_store(&is_paused, 1);
	while (!atomic_load(&is_resting)) // the round that may be under way
		usleep(1000);
	tap_ok(egret_forwarder_take_ports(fd, 50, slots, ifindexes, fds) == -EGRET_STATUS_TIMEOUT,
		"a forwarder that does not answer: TIMEOUT");
	atomic_store(&is_paused, 0);
	uint32_t before = open_descriptors();
	tap_ok(ask(fd) == 0, "its late answer is not taken for another's");
	tap_ok(egret_forwarder_take_ports(fd, 0, slots, ifindexes, fds) == 1, "nor later");
	close(fds[0]);
	tap_ok(open_descriptors() == before, "and what came with it is closed");
}

static void test_many_connections(int oldest, pthread_t thread)
{
	int fds[CONTROL_PEERS_MAX], pid, connected = 0;
	for (int i = 0; i < CONTROL_PEERS_MAX; i++)
		connected += egret_forwarder_connect(socket_path, 0, &fds[i], &pid) == 0;
	tap_ok(connected == CONTROL_PEERS_MAX, "%d more connections", connected);
	tap_ok(is_closed_soon(oldest), "the oldest gives way");
	tap_ok(ask(oldest) == -EGRET_STATUS_CLOSED, "and says so");
	tap_ok(egret_forwarder_stop(fds[0]) == 0 && control_server_is_stopping(server),
		"the forwarder is asked to stop");
	for (int i = 1; i < CONTROL_PEERS_MAX; i++)
		close(fds[i]);
	atomic_store(&is_over, 1);
	struct pollfd wait = {.fd = fds[0], .events = POLLIN};
	pthread_join(thread, NULL);
	control_server_close(server);
	tap_ok(poll(&wait, 1, TAP_PATIENCE_MS) == 1 && wait.revents & POLLHUP, "its end is seen");
	close(fds[0]);
}

int main(void)
{
	if (!netns_enter())
		return 0;
	struct egret_limits limits = {.sessions = 4,
		.bindings = 4,
		.networks = 1,
		.plies = 4,
		.groups = 4,
		.neighbors = 4,
		.clients = 4,
		.rules = 4,
		.rule_addresses = 4};
	void *arena = NULL;
	if (!mkdtemp(directory))
		return 1;
	snprintf(socket_path, sizeof socket_path, "%s/socket", directory);
	snprintf(arena_path, sizeof arena_path, "%s/arena", directory);
	tap_ok(egret_arena_create(arena_path, "", &limits, &arena) == 0, "an arena");
	worker.arena = arena;
	worker.port_counters = &worker.arena->counters->ports[0][0];
	worker.drop_counters = &worker.arena->counters->drops[0][0];
	worker.counters = worker.arena->counters->worker;
	worker.neighbors = neighbor_table_make(arena);
	tap_ok(control_server_open(socket_path, &worker, &server) == 0, "a server");
	pthread_t thread;
	pthread_create(&thread, NULL, serve, NULL);
	int fd;
	test_hello(&fd);
	test_ports(fd);
	test_netlink(fd);
	test_wake(fd);
	test_rubbish(fd);
	test_other_abi();
	test_other_forwarder();
	test_late_answer(fd);
	test_many_connections(fd, thread);
	close(fd);
	ports_close(&worker, 5);
	neighbor_table_free(worker.neighbors);
	egret_arena_close(arena);
	unlink(socket_path); // a forwarder may not
	unlink(arena_path);
	tap_ok(rmdir(directory) == 0, "nothing else is left");
	return tap_done();
}
