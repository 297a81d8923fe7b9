// SPDX-License-Identifier: Apache-2.0

// A process that can open the forwarder's socket may send anything: the input becomes connections, pieces
// of messages, valid and invalid requests, and descriptors of every kind. Whatever they are:
//
//   - nothing is read or written outside (ASan, UBSan), and no call waits;
//   - once all connections are closed, so is every descriptor that was passed.
#include "../test/descriptors.h"
#include "../test/memory_gateway.h"
#include "../test/netns.h"
#include "control/control.h"
#include "forwarder/control_server.h"
#include "forwarder/ports.h"
#include "input.h"
#include "lib/abi_hash.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CLIENTS = CONTROL_PEERS_MAX + 2 };
enum passed { PASS_NOTHING, PASS_PORT, PASS_NETLINK, PASS_STREAM, PASS_PIPE, PASS_FILE, PASSED };

static struct gateway *g;
static struct control_server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int clients[CLIENTS];
static uint32_t loopback;

static void set_up(void)
{
	netns_can_enter();
	loopback = if_nametoindex("lo");
	g = gateway_make_with(4, 4);
	for (uint32_t i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	snprintf(address.sun_path, sizeof address.sun_path, "/tmp/egret-fuzz.%d.socket",
		(int)getpid());
}

static void serve(void)
{
	struct pollfd polls[CONTROL_POLLS_MAX];
	uint32_t count = control_server_polls(server, polls);
	if (poll(polls, count, 0) > 0)
		control_server_serve(server, polls, count);
}

// A descriptor to pass on, to be closed after; -1: none, or not allowed here.
static int make_descriptor(enum passed kind)
{
	int pair[2] = {-1, -1};
	switch (kind) {
	case PASS_PORT: {
		int fd = egret_packet_socket(loopback);
		return fd < 0 ? -1 : fd;
	}
	case PASS_NETLINK:
		return egret_neighbor_socket();
	case PASS_STREAM:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
			close(pair[1]);
		return pair[0];
	case PASS_PIPE:
		if (pipe2(pair, O_CLOEXEC) == 0)
			close(pair[1]);
		return pair[0];
	case PASS_FILE:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		return -1;
	}
}

static void send_request(struct input *input, int client)
{
	uint8_t how = take(input);
	struct control_message message = {
		.magic = CONTROL_MAGIC,
		.kind = take(input) % 10,
		.abi_hash = how & 64 ? ~abi_hash() : abi_hash(),
		.sequence = how,
		.slot = take(input),
		.ifindex = how & 128 ? take(input) : loopback,
		.flags = how >> 4 & 3,
	};
	int fd = make_descriptor(how % 8 < PASSED ? (enum passed)(how % 8) : PASS_NOTHING);
	control_send(client, &message, fd);
	if (fd >= 0)
		close(fd);
}

static void send_bytes(struct input *input, int client)
{
	uint8_t bytes[2 * CONTROL_BYTES], count = take(input) % sizeof bytes;
	struct control_message sound = {
		.magic = CONTROL_MAGIC, .kind = CONTROL_HELLO, .abi_hash = abi_hash()};
	uint8_t as_is = take(input); // so many bytes are those of a sound message
	memcpy(bytes, &sound, sizeof sound);
	for (uint32_t i = 0; i < count; i++)
		if (i >= as_is)
			bytes[i] = take(input);
	send(client, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void step(struct input *input)
{
	uint8_t op = take(input);
	int *client = &clients[op / 8 % CLIENTS];
	if (*client < 0) {
		*client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(*client, (struct sockaddr *)&address, sizeof address);
		serve();
	}
	uint8_t drain[4096];
	switch (op % 8) {
	case 0:
		close(*client);
		*client = -1;
		break;
	case 1:
		send_bytes(input, *client);
		break;
	case 2:
		while (recv(*client, drain, sizeof drain, MSG_DONTWAIT) > 0)
			;
		break;
	default:
		send_request(input, *client);
	}
	if (op < 200)
		serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!g)
		set_up();
	uint32_t before = open_descriptors();
	check(control_server_open(address.sun_path, g->worker, &server) == 0, "it listens");
	struct input input = {bytes, n};
	while (input.left > 0)
		step(&input);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (clients[i] >= 0)
			close(clients[i]);
		clients[i] = -1;
	}
	serve();
	control_server_close(server);
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		ports_close(g->worker, slot);
	neighbor_netlink_set(g->worker, -1);
	check(open_descriptors() == before, "no descriptor is left behind");
	return 0;
}
