// SPDX-License-Identifier: Apache-2.0

// TCP sockets with BGP's options, locks, and the netlink reader thread, in a namespace of its own.
#include "egret.h"
#include "netns.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BGP_PORT = 179, WAIT_MS = TAP_PATIENCE_MS, QUIET_MS = 300, ROUTE_PROTOCOL = 186 };

static int int_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t bytes = sizeof value;
	getsockopt(fd, level, option, &value, &bytes);
	return value;
}

static struct egret_tcp_options loopback(void)
{
	return (struct egret_tcp_options){.remote_address = "127.0.0.1", .remote_port = BGP_PORT};
}

// State of a connecting socket once it is decided.
static int settled_state(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	poll(&wait, 1, WAIT_MS);
	return egret_tcp_state(fd);
}

// 1 when a connecting socket has no answer after a while.
static int is_unheard(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	return poll(&wait, 1, QUIET_MS) == 0 && egret_tcp_state(fd) == 0;
}

static int accept_one(int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	return poll(&wait, 1, WAIT_MS) == 1 ? accept(listener, NULL, NULL) : -1;
}

static void test_connection(void)
{
	struct egret_tcp_options options = {
		.local_port = BGP_PORT, .interface = "lo", .ttl = 255, .mark = 500};
	int listener = egret_tcp_listen(&options);
	tap_ok(listener >= 0, "a listener opens");
	tap_ok(int_option(listener, SOL_SOCKET, SO_MARK) == 500, "with its mark");
	int second = egret_tcp_listen(&options);
	tap_ok(second >= 0, "a second one shares the port");
	egret_close(second);
	options = loopback();
	options.ttl = 7;
	int fd = egret_tcp_connect(&options, NULL, 0);
	tap_ok(fd >= 0 && settled_state(fd) == 1, "a connection comes up");
	tap_ok(int_option(fd, IPPROTO_IP, IP_TTL) == 7, "with its TTL");
	tap_ok(int_option(fd, IPPROTO_IP, IP_TOS) == 0xc0, "and the precedence of routing");
	int accepted = accept_one(listener);
	close(fd);
	struct pollfd wait = {.fd = accepted, .events = POLLIN};
	poll(&wait, 1, WAIT_MS);
	tap_ok(egret_tcp_state(accepted) == 1, "half closed still counts as connected");
	close(accepted);
	close(listener);
}

static void test_failures(void)
{
	struct egret_tcp_options options = loopback();
	int fd = egret_tcp_connect(&options, NULL, 0);
	// On loopback the refusal may come at once.
	int state = fd < 0 ? fd : settled_state(fd);
	tap_ok(state == -EGRET_STATUS_SYSTEM && egret_errno() == ECONNREFUSED,
		"no process listens: ECONNREFUSED");
	if (fd >= 0)
		close(fd);
	options.remote_address = "127.0.0.256";
	tap_ok(egret_tcp_connect(&options, NULL, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"an address that is none");
	options.remote_address = "127.0.0.1";
	options.local_address = "::1";
	tap_ok(egret_tcp_connect(&options, NULL, 0) == -EGRET_STATUS_BAD_ARGUMENT,
		"addresses of two families");
	options = (struct egret_tcp_options){.local_port = BGP_PORT, .interface = "none0"};
	tap_ok(egret_tcp_listen(&options) == -EGRET_STATUS_SYSTEM && egret_errno() == ENODEV,
		"an interface that does not exist: ENODEV");
	options = (struct egret_tcp_options){.local_address = "192.0.2.1", .local_port = BGP_PORT};
	tap_ok(egret_tcp_listen(&options) == -EGRET_STATUS_SYSTEM && egret_errno() == EADDRNOTAVAIL,
		"an address that is not ours: EADDRNOTAVAIL");
	tap_ok(egret_close(-1) == -EGRET_STATUS_SYSTEM && egret_errno() == EBADF,
		"closing nothing: EBADF");
}

static void test_gtsm(void)
{
	struct egret_tcp_options options = {.local_port = BGP_PORT, .min_ttl = 255, .ttl = 255};
	int listener = egret_tcp_listen(&options);
	options = loopback();
	options.ttl = 254;
	int far = egret_tcp_connect(&options, NULL, 0);
	tap_ok(is_unheard(far), "GTSM: a TTL of 254 is not heard");
	close(far);
	options.ttl = 255;
	int near = egret_tcp_connect(&options, NULL, 0);
	tap_ok(settled_state(near) == 1, "GTSM: a TTL of 255 is");
	close(near);
	close(accept_one(listener));
	tap_ok(egret_tcp_min_ttl(listener, 0, 64) == 0, "the limit is lifted");
	options.ttl = 254;
	far = egret_tcp_connect(&options, NULL, 0);
	tap_ok(settled_state(far) == 1, "and 254 is heard");
	close(far);
	close(listener);
}

static void test_md5(void)
{
	struct egret_tcp_options options = {.local_port = BGP_PORT};
	int listener = egret_tcp_listen(&options);
	tap_ok(egret_tcp_md5(listener, "127.0.0.1", NULL, 0) == 0,
		"removing a key that is not there is no failure");
	if (egret_tcp_md5(listener, "127.0.0.1", "s3cret", 6) < 0) {
		tap_ok(egret_errno() == ENOPROTOOPT, "this kernel has no TCP-MD5");
		close(listener);
		return;
	}
	options = loopback();
	int fd = egret_tcp_connect(&options, "wrong", 5);
	tap_ok(is_unheard(fd), "a wrong key is not heard");
	close(fd);
	fd = egret_tcp_connect(&options, NULL, 0);
	tap_ok(is_unheard(fd), "nor is none");
	close(fd);
	fd = egret_tcp_connect(&options, "s3cret", 6);
	tap_ok(settled_state(fd) == 1, "the right key is");
	close(fd);
	close(accept_one(listener));
	char key[81] = {0};
	tap_ok(egret_tcp_md5(listener, "127.0.0.1", key, 81) == -EGRET_STATUS_BAD_ARGUMENT,
		"a key of 81 bytes is too long");
	tap_ok(egret_tcp_md5(listener, "127.0.0.1", NULL, 0) == 0, "the key is removed");
	fd = egret_tcp_connect(&options, NULL, 0);
	tap_ok(settled_state(fd) == 1, "and none is needed");
	close(fd);
	close(listener);
}

static void test_peer(void)
{
	int pair[2];
	uint32_t pid = 0, uid = EGRET_NONE;
	tap_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
			egret_peer_credentials(pair[0], &pid, &uid) == 0 &&
			pid == (uint32_t)getpid() && uid == getuid(),
		"who is at the other end");
	close(pair[0]);
	close(pair[1]);
	tap_ok(egret_peer_credentials(pair[0], &pid, &uid) == -EGRET_STATUS_SYSTEM,
		"not of a socket that is closed");
}

static void test_lock(void)
{
	char path[] = "/tmp/egret-lock-XXXXXX";
	close(mkstemp(path));
	int fd = egret_lock(path);
	tap_ok(fd >= 0, "a lock is taken");
	tap_ok(egret_lock(path) == -EGRET_STATUS_SYSTEM && egret_errno() == EWOULDBLOCK,
		"once only");
	close(fd);
	fd = egret_lock(path);
	tap_ok(fd >= 0, "and again when its holder has exited");
	close(fd);
	unlink(path);
}

// -- Netlink --------------------------------------------------------------------------------------

static _Alignas(struct nlmsghdr) char datagram[1 << 18];

// Reads exactly n bytes from the reader's end. Returns 0 when they do not come.
static int read_all(int fd, void *bytes, size_t n, int wait_ms)
{
	for (char *at = bytes; n > 0;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		if (poll(&wait, 1, wait_ms) <= 0)
			return 0;
		ssize_t got = read(fd, at, n);
		if (got <= 0)
			return 0;
		at += got;
		n -= (size_t)got;
	}
	return 1;
}

// Reads one frame: its bytes, 0 for an overrun, -1 when none comes for wait_ms.
static int read_frame_within(int fd, int wait_ms)
{
	uint32_t bytes;
	if (!read_all(fd, &bytes, sizeof bytes, wait_ms) || bytes > sizeof datagram)
		return -1;
	return read_all(fd, datagram, bytes, WAIT_MS) ? (int)bytes : -1;
}

static int read_frame(int fd)
{
	return read_frame_within(fd, WAIT_MS);
}

// Reads up to the next route that a program added, past links and what the kernel adds by itself.
// Returns its protocol, -1 when none comes.
static int next_route_protocol(int fd)
{
	const struct nlmsghdr *header = (void *)datagram;
	const struct rtmsg *route = NLMSG_DATA(header);
	while (read_frame(fd) > 0)
		if (header->nlmsg_type == RTM_NEWROUTE && route->rtm_protocol != RTPROT_KERNEL)
			return route->rtm_protocol;
	return -1;
}

// Reads until a message of one type came. Returns 0 when none comes.
static int has_message(int fd, uint16_t type)
{
	for (int bytes; (bytes = read_frame(fd)) >= 0;)
		for (const struct nlmsghdr *at = (void *)datagram; NLMSG_OK(at, bytes);
			at = NLMSG_NEXT(at, bytes))
			if (at->nlmsg_type == type)
				return 1;
	return 0;
}

static void test_netlink_events(void)
{
	uint32_t groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE};
	int events = -1;
	int fd = egret_netlink_open(NETLINK_ROUTE, groups, 2, 1 << 20, ROUTE_PROTOCOL, &events);
	tap_ok(fd >= 0 && events >= 0, "a netlink socket opens");
	netns_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		  "ip link set v1 up && ip address add 10.0.0.1/24 dev v0");
	tap_ok(has_message(events, RTM_NEWLINK), "an event arrives, framed");
	netns_run("ip route add 192.0.2.0/24 via 10.0.0.2 table 500 proto %d", ROUTE_PROTOCOL);
	netns_run("ip route del 192.0.2.0/24 table 500");
	netns_run("ip route add 198.51.100.0/24 via 10.0.0.2 table 500 proto static");
	tap_ok(next_route_protocol(events) == RTPROT_STATIC,
		"events of the filtered protocol stay in the kernel, others come");
	netns_run("ip route add 203.0.113.0/24 via 10.0.0.2 proto %d", ROUTE_PROTOCOL);
	tap_ok(next_route_protocol(events) == ROUTE_PROTOCOL,
		"and so do those of the main table, whatever their protocol");
	netns_run("ip route add 192.0.2.0/24 via 10.0.0.2 proto %d", ROUTE_PROTOCOL);
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} request = {
		.header = {.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = 9},
		.route = {.rtm_family = AF_INET},
	};
	tap_ok(egret_netlink_send(fd, &request, sizeof request) == 0, "a dump is asked for");
	int is_there = 0, is_done = 0;
	for (int bytes; !is_done && (bytes = read_frame(events)) > 0;)
		for (const struct nlmsghdr *header = (void *)datagram; NLMSG_OK(header, bytes);
			header = NLMSG_NEXT(header, bytes)) {
			const struct rtmsg *route = NLMSG_DATA(header);
			is_done |= header->nlmsg_type == NLMSG_DONE;
			is_there |= header->nlmsg_type == RTM_NEWROUTE &&
				route->rtm_protocol == ROUTE_PROTOCOL;
		}
	tap_ok(is_there && is_done, "and shows the filtered protocol's routes");
	close(events);
	tap_ok(egret_netlink_send(fd, &request, sizeof request) == 0,
		"the socket outlives its reader");
	close(fd);
}

static void test_netlink_overrun(void)
{
	uint32_t group = RTNLGRP_IPV4_ROUTE;
	int events = -1;
	int fd = egret_netlink_open(NETLINK_ROUTE, &group, 1, 8192, 0, &events);
	netns_run("for i in $(seq 4000); do echo route replace 203.0.113.$((i %% 200))/32 via "
		  "10.0.0.2 mtu $((1000 + i %% 400)); done | ip -batch -");
	int overruns = 0, frames = 0;
	for (int bytes; (bytes = read_frame_within(events, 5 * QUIET_MS)) >= 0; frames++)
		overruns += bytes == 0;
	tap_ok(overruns > 0 && frames < 4000,
		"messages that were lost are reported: %d of %d frames", overruns, frames);
	netns_run("ip route add 192.0.2.128/25 via 10.0.0.2");
	tap_ok(has_message(events, RTM_NEWROUTE), "and later events come");
	close(events);
	close(fd);
}

int main(void)
{
	if (!netns_enter())
		return 0;
	test_connection();
	test_failures();
	test_gtsm();
	test_md5();
	test_peer();
	test_lock();
	test_netlink_events();
	test_netlink_overrun();
	return tap_done();
}
