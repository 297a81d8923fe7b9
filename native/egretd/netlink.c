// SPDX-License-Identifier: Apache-2.0

// A netlink socket that Node can read.
//
//   kernel ──datagrams──▶ [thread] ──length, bytes, length, bytes …──▶ socket pair ──▶ net.Socket
//
// Node cannot adopt a netlink descriptor, so a thread frames what arrives. When Node is slow the
// socket pair fills, the thread waits, and the kernel's queue overruns: a length of 0 then says that
// messages were lost. The thread lives until the other end of the pair is closed.
#include "egret.h"
#include "egretd/route_socket.h"
#include "lib/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READER_BYTES = 256 << 10, // a datagram of a dump is 32 KB, of a link with many VFs more
	READER_STACK_BYTES = 256 << 10,
};

struct reader {
	int netlink, events; // duplicates that belong to the thread
	uint32_t datagram_bytes; // in front of the datagram, as it is written
	uint8_t datagram[READER_BYTES];
};

static int write_all(int fd, const void *bytes, size_t n)
{
	for (const char *at = bytes; n > 0;) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -1;
		at += sent;
		n -= (size_t)sent;
	}
	return 0;
}

// Passes one datagram on, or reports that some were lost. Returns -1 when the reader has closed the stream.
static int pass_on(struct reader *reader)
{
	ssize_t got = recv(reader->netlink, reader->datagram, sizeof reader->datagram,
		MSG_DONTWAIT | MSG_TRUNC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	// ENOBUFS: the queue was full; or a dump broke off, for want of memory.
	int is_lost = got < 0 || (size_t)got > sizeof reader->datagram;
	reader->datagram_bytes = is_lost ? 0 : (uint32_t)got;
	// One write, so that a frame is rarely torn. The length is in host order.
	return write_all(reader->events, &reader->datagram_bytes,
		sizeof reader->datagram_bytes + reader->datagram_bytes);
}

static void *run_reader(void *argument)
{
	struct reader *reader = argument;
	struct pollfd polls[] = {
		{.fd = reader->netlink, .events = POLLIN},
		{.fd = reader->events, .events = 0}, // POLLHUP
	};
	for (;;) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			break;
		if (polls[1].revents || (polls[0].revents && pass_on(reader)))
			break;
	}
	close(reader->netlink);
	close(reader->events);
	free(reader);
	return NULL;
}

// Notifications of routes of one protocol stay in the kernel, but for the main table's. Answers to a
// dump are not notifications (NLM_F_MULTI) and pass.
static int filter_protocol_out(int fd, uint8_t protocol)
{
	enum { ACCEPT = 9, DROP = 10 };
	const uint8_t at_type = offsetof(struct nlmsghdr, nlmsg_type);
	const uint8_t at_flags = offsetof(struct nlmsghdr, nlmsg_flags);
	const uint8_t at_table = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table);
	const uint8_t at_protocol = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol);
	struct sock_filter program[] = {
		[0] = BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at_type),
		[1] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		[2] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, ACCEPT - 3),
		[3] = BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at_flags),
		[4] = BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_MULTI), ACCEPT - 5, 0),
		[5] = BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at_table),
		[6] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_MAIN, ACCEPT - 7, 0),
		[7] = BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at_protocol),
		[8] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, DROP - 9, 0),
		[ACCEPT] = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		[DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
	};
	return route_socket_filter(fd, program, sizeof program / sizeof *program);
}

static int open_socket(uint8_t netlink_protocol, const uint32_t *groups, uint32_t group_count,
	uint32_t receive_bytes, uint8_t filter_protocol)
{
	int fd = route_socket_open_of(netlink_protocol, 0, receive_bytes);
	if (fd < 0)
		return error_system();
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &(int){1}, sizeof(int)) == 0 &&
		(!filter_protocol || filter_protocol_out(fd, filter_protocol) == 0) &&
		route_socket_join(fd, groups, group_count) == 0)
		return fd;
	int status = error_system();
	close(fd);
	return status;
}

// Starts the thread, with every signal blocked: signals are for the program's own threads.
static int start_reader(struct reader *reader)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, READER_STACK_BYTES);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int error = pthread_create(&thread, &attributes, run_reader, reader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	errno = error;
	return error == 0 ? 0 : error_system();
}

int egret_netlink_open(uint8_t netlink_protocol, const uint32_t *groups, uint32_t group_count,
	uint32_t receive_bytes, uint8_t filter_protocol, int *events)
{
	if (!events || (group_count > 0 && !groups))
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open_socket(netlink_protocol, groups, group_count, receive_bytes, filter_protocol);
	if (fd < 0)
		return fd;
	int pair[2] = {-1, -1}, status = 0;
	struct reader *reader = malloc(sizeof *reader);
	if (!reader)
		status = -EGRET_STATUS_NO_SPACE;
	else if ((reader->netlink = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		status = error_system();
	if (status == 0) {
		reader->events = pair[1];
		status = start_reader(reader);
	}
	if (status == 0) {
		*events = pair[0];
		return fd;
	}
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	if (reader && reader->netlink >= 0)
		close(reader->netlink);
	free(reader);
	close(fd);
	return status;
}

int egret_netlink_send(int fd, const void *bytes, uint32_t n)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;
	do {
		sent = sendto(fd, bytes, n, 0, (struct sockaddr *)&kernel, sizeof kernel);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? error_system() : 0;
}
