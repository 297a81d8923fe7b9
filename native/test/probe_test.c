// SPDX-License-Identifier: Apache-2.0

// Echo requests through bound and marked sockets, in a namespace of its own.
#include "egret.h"
#include "netns.h"
#include "tap.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static int int_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t bytes = sizeof value;
	getsockopt(fd, level, option, &value, &bytes);
	return value;
}

// The result for one request, once anything has come.
static int settled(int fd, uint16_t id, uint16_t sequence)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	poll(&wait, 1, TAP_PATIENCE_MS);
	return egret_echo_receive(fd, id, sequence);
}

static void test_answers(void)
{
	int fd = egret_echo_open("127.0.0.1", "lo", 500);
	tap_ok(fd >= 0, "a socket opens");
	tap_ok(int_option(fd, SOL_SOCKET, SO_MARK) == 500, "with its mark");
	tap_ok(egret_echo_receive(fd, 7, 1) == 0, "nothing has come yet");
	tap_ok(egret_echo_send(fd, 7, 1) == 0 && settled(fd, 7, 1) == 1, "a target answers");
	tap_ok(egret_echo_receive(fd, 7, 1) == 0, "once");
	tap_ok(egret_echo_send(fd, 7, 2) == 0 && settled(fd, 7, 1) == 0,
		"the answer to another sequence is none");
	tap_ok(egret_echo_send(fd, 8, 1) == 0 && settled(fd, 7, 1) == 0, "nor that to another id");
	int other = egret_echo_open("127.0.0.2", NULL, 0);
	egret_echo_send(fd, 9, 1);
	tap_ok(settled(fd, 9, 1) == 1 && egret_echo_receive(other, 9, 1) == 0,
		"nor that of another target");
	egret_close(other);
	egret_close(fd);
}

// Two networks with one target: which of them answers depends on interface and mark alone.
static void test_networks(void)
{
	tap_ok(netns_run("ip link add red0 type veth peer name red1 && ip link set red0 up && "
			 "ip link set red1 up && ip address add 192.0.2.1/24 dev red0 && "
			 "ip rule add fwmark 500 lookup 500 priority 102 && "
			 "ip route add 198.51.100.0/24 via 192.0.2.9 table 500 && "
			 "ip neighbor add 192.0.2.9 lladdr 02:00:00:00:00:09 dev red0"),
		"a network");
	int fd = egret_echo_open("198.51.100.1", "red0", 500);
	tap_ok(fd >= 0 && egret_echo_send(fd, 1, 1) == 0, "its table leads to the target");
	tap_ok(egret_echo_receive(fd, 1, 1) == 0, "which says nothing");
	egret_close(fd);
	fd = egret_echo_open("198.51.100.1", NULL, 0);
	tap_ok(fd == -EGRET_STATUS_SYSTEM && egret_errno() == ENETUNREACH,
		"without the mark there is no way");
}

static void test_refusals(void)
{
	tap_ok(egret_echo_open("example.net", NULL, 0) == -EGRET_STATUS_BAD_ARGUMENT, "a name");
	tap_ok(egret_echo_open(NULL, NULL, 0) == -EGRET_STATUS_BAD_ARGUMENT, "no address");
	tap_ok(egret_echo_open("127.0.0.1", "none0", 0) == -EGRET_STATUS_SYSTEM &&
			egret_errno() == ENODEV,
		"an interface that does not exist");
	tap_ok(egret_echo_receive(-1, 0, 0) == -EGRET_STATUS_SYSTEM, "a descriptor that is none");
}

int main(void)
{
	if (!netns_enter())
		return 0;
	test_answers();
	test_networks();
	test_refusals();
	return tap_done();
}
