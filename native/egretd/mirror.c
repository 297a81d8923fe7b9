// SPDX-License-Identifier: Apache-2.0

// The mirror's thread, its ring and its sockets. See mirror.h; the messages stand in route_message.c.
#include "egretd/mirror.h"

#include "egretd/route_message.h"
#include "egretd/route_socket.h"
#include "lib/error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RECEIVE_BYTES = 65536,
	QUEUE_BYTES = 4 << 20, // of answers, and of what others do
};

// src/kernel/mirror-codec.ts writes the one and reads the other.
_Static_assert(sizeof(struct egret_mirror_route) == 16 + 8 * 16, "layout of a submitted route");
_Static_assert(sizeof(struct mirror_event) == 32, "layout of an event");

struct mirror {
	uint8_t protocol;
	int request_fd; // requests and their answers
	int watch_fd; // what others do
	int wake_fd; // eventfd
	int event_fd; // our end of the stream of struct mirror_event
	uint32_t port_id; // of request_fd: the sender that the watch ignores
	pthread_t thread;
	atomic_int is_stopping;
	atomic_int is_asleep;
	atomic_int is_urgent;

	// The ring: tail is the producer's, head the consumer's. Both only ever grow.
	_Alignas(64) atomic_uint_least64_t tail;
	_Alignas(64) atomic_uint_least64_t head;
	struct egret_mirror_route queue[MIRROR_QUEUE_ROUTES];

	// The thread's own.
	uint32_t message_sequence;
	uint32_t tables[MIRROR_TABLE_MAX]; // those that ever were submitted
	uint32_t table_count;
	uint32_t event_count;
	struct mirror_event events[MIRROR_BATCH_ROUTES + 2];
	_Alignas(8) uint8_t request[MIRROR_BATCH_ROUTES * ROUTE_MESSAGE_BYTES_MAX];
	_Alignas(8) uint8_t answer[RECEIVE_BYTES];
};

static void *mirror_run(void *argument);
static int open_sockets(struct mirror *mirror, int *events);
static void free_mirror(struct mirror *mirror);

int egret_mirror_open(uint8_t protocol, void **handle, int *events)
{
	struct mirror *mirror = aligned_alloc(_Alignof(struct mirror), sizeof(*mirror));
	if (!mirror)
		return error_system();
	memset(mirror, 0, sizeof(*mirror));
	mirror->protocol = protocol;
	mirror->request_fd = mirror->watch_fd = mirror->wake_fd = mirror->event_fd = -1;
	*events = -1;
	int status = open_sockets(mirror, events);
	if (status == 0) {
		// Signals are for the caller's threads.
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		errno = pthread_create(&mirror->thread, NULL, mirror_run, mirror);
		if (errno != 0)
			status = error_system();
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (status != 0) {
		if (*events >= 0)
			close(*events);
		free_mirror(mirror);
		return status;
	}
	*handle = mirror;
	return 0;
}

int egret_mirror_submit(void *handle, const struct egret_mirror_route *routes, uint32_t n)
{
	struct mirror *mirror = handle;
	for (uint32_t i = 0; i < n; i++)
		if (routes[i].path_count > EGRET_GROUP_PATHS_MAX || routes[i].prefix_length > 32)
			return -EGRET_STATUS_BAD_ARGUMENT;

	uint64_t tail = atomic_load_explicit(&mirror->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&mirror->head, memory_order_acquire);
	uint32_t room = (uint32_t)(MIRROR_QUEUE_ROUTES - (tail - head));
	if (n > room)
		n = room;
	for (uint32_t i = 0; i < n; i++)
		mirror->queue[(tail + i) % MIRROR_QUEUE_ROUTES] = routes[i];
	// Sequentially consistent with the thread's store to is_asleep before it reads tail again:
	// one of the two sees the other.
	atomic_store(&mirror->tail, tail + n);
	if (n > 0 && atomic_exchange(&mirror->is_asleep, 0))
		eventfd_write(mirror->wake_fd, 1);
	return (int)n;
}

void egret_mirror_hurry(void *handle)
{
	atomic_store(&((struct mirror *)handle)->is_urgent, 1);
}

void egret_mirror_close(void *handle)
{
	struct mirror *mirror = handle;
	atomic_store(&mirror->is_stopping, 1);
	eventfd_write(mirror->wake_fd, 1);
	shutdown(mirror->event_fd, SHUT_RDWR); // without a reader, the thread waits in send
	pthread_join(mirror->thread, NULL);
	free_mirror(mirror);
}

// Lets only RTM_NEWROUTE and RTM_DELROUTE of other senders than `port_id` through.
static int filter_watch(int fd, uint32_t port_id)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port_id), 3, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	return route_socket_filter(fd, program, sizeof(program) / sizeof(program[0]));
}

static int open_sockets(struct mirror *mirror, int *events)
{
	mirror->request_fd = route_socket_open(0, QUEUE_BYTES);
	mirror->watch_fd = route_socket_open(0, QUEUE_BYTES);
	mirror->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int pair[2];
	if (mirror->request_fd < 0 || mirror->watch_fd < 0 || mirror->wake_fd < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return error_system();
	mirror->event_fd = pair[1];
	*events = pair[0];

	struct sockaddr_nl address;
	socklen_t bytes = sizeof(address);
	if (getsockname(mirror->request_fd, (struct sockaddr *)&address, &bytes) != 0)
		return error_system();
	mirror->port_id = address.nl_pid;

	// Larger than the system's default may be: a batch is one send.
	int bytes_max = sizeof(mirror->request);
	uint32_t group = RTNLGRP_IPV4_ROUTE;
	if (setsockopt(mirror->request_fd, SOL_SOCKET, SO_SNDBUF, &bytes_max, sizeof(bytes_max)) ||
		filter_watch(mirror->watch_fd, mirror->port_id) ||
		route_socket_join(mirror->watch_fd, &group, 1))
		return error_system();
	return 0;
}

static void free_mirror(struct mirror *mirror)
{
	int fds[] = {mirror->request_fd, mirror->watch_fd, mirror->wake_fd, mirror->event_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(mirror);
}

static void send_events(struct mirror *mirror)
{
	const uint8_t *from = (const uint8_t *)mirror->events;
	size_t left = mirror->event_count * sizeof(struct mirror_event);
	mirror->event_count = 0;
	while (left > 0) {
		ssize_t sent = send(mirror->event_fd, from, left, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return; // the reader has closed the stream
		from += sent;
		left -= (size_t)sent;
	}
}

static void add_event(struct mirror *mirror, struct mirror_event event)
{
	if (mirror->event_count == sizeof(mirror->events) / sizeof(mirror->events[0]))
		send_events(mirror);
	mirror->events[mirror->event_count++] = event;
}

static void add_failure(
	struct mirror *mirror, const struct egret_mirror_route *route, uint64_t sequence, int error)
{
	if (error == ESRCH && route->path_count == 0)
		return;
	add_event(mirror,
		(struct mirror_event){
			.sequence = sequence,
			.kind = MIRROR_EVENT_FAILED,
			.prefix = route->prefix,
			.prefix_length = route->prefix_length,
			.table = route->table,
			.error = (uint32_t)error,
		});
}

// Reads answers until the one to the batch's last message. All are there when send has returned: one
// that is not was lost. The batch counts as settled all the same, since the reader of events, who is
// told, reads the tables.
static void read_answers(struct mirror *mirror, uint64_t head, uint32_t n, uint32_t first)
{
	for (;;) {
		ssize_t bytes = recv(
			mirror->request_fd, mirror->answer, sizeof(mirror->answer), MSG_DONTWAIT);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0) {
			int is_over = errno != ENOBUFS; // or else others are left
			add_event(mirror, (struct mirror_event){.kind = MIRROR_EVENT_OVERRUN});
			if (is_over)
				return;
			continue;
		}
		struct nlmsghdr *message = (struct nlmsghdr *)mirror->answer;
		for (unsigned left = (unsigned)bytes; NLMSG_OK(message, left);
			message = NLMSG_NEXT(message, left)) {
			uint32_t index = message->nlmsg_seq - first;
			if (message->nlmsg_type != NLMSG_ERROR || index >= n ||
				message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
				continue;
			int error = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
			if (error != 0)
				add_failure(mirror,
					&mirror->queue[(head + index) % MIRROR_QUEUE_ROUTES],
					head + index + 1, error);
			if (index == n - 1)
				return;
		}
	}
}

static int is_our_table(const struct mirror *mirror, uint32_t table)
{
	for (uint32_t i = 0; i < mirror->table_count; i++)
		if (mirror->tables[i] == table)
			return 1;
	return 0;
}

static void remember_table(struct mirror *mirror, uint32_t table)
{
	if (!is_our_table(mirror, table) && mirror->table_count < MIRROR_TABLE_MAX)
		mirror->tables[mirror->table_count++] = table;
}

// Sends up to MIRROR_BATCH_ROUTES routes and settles them. Returns how many.
static uint32_t run_batch(struct mirror *mirror)
{
	uint64_t head = atomic_load_explicit(&mirror->head, memory_order_relaxed);
	uint64_t tail = atomic_load(&mirror->tail);
	uint32_t n = (uint32_t)(tail - head);
	if (n == 0)
		return 0;
	if (n > MIRROR_BATCH_ROUTES)
		n = MIRROR_BATCH_ROUTES;

	uint32_t first = mirror->message_sequence + 1;
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct egret_mirror_route
			*route = &mirror->queue[(head + i) % MIRROR_QUEUE_ROUTES];
		remember_table(mirror, route->table);
		bytes += route_message_encode(
			mirror->request + bytes, route, mirror->protocol, first + i, i == n - 1);
		assert(bytes <= sizeof(mirror->request));
	}
	mirror->message_sequence += n;

	ssize_t sent;
	do
		sent = send(mirror->request_fd, mirror->request, bytes, 0);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		int error = errno;
		for (uint32_t i = 0; i < n; i++)
			add_failure(mirror, &mirror->queue[(head + i) % MIRROR_QUEUE_ROUTES],
				head + i + 1, error);
	} else {
		read_answers(mirror, head, n, first);
	}
	add_event(
		mirror, (struct mirror_event){.sequence = head + n, .kind = MIRROR_EVENT_PROGRESS});
	atomic_store_explicit(&mirror->head, head + n, memory_order_release);
	send_events(mirror);
	return n;
}

// A change that another program made: reported when it may have touched a route of ours.
static void watch_message(struct mirror *mirror, const struct nlmsghdr *message)
{
	struct route_notice notice;
	if (!route_message_decode(message, &notice) || notice.metric != 0 ||
		(notice.is_removal && notice.protocol != mirror->protocol) ||
		!is_our_table(mirror, notice.table))
		return;
	add_event(mirror,
		(struct mirror_event){
			.kind = MIRROR_EVENT_FOREIGN,
			.prefix = notice.prefix,
			.prefix_length = notice.prefix_length,
			.table = notice.table,
		});
}

static void read_watch(struct mirror *mirror)
{
	for (;;) {
		ssize_t bytes = recv(
			mirror->watch_fd, mirror->answer, sizeof(mirror->answer), MSG_DONTWAIT);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0 && errno == ENOBUFS) {
			add_event(mirror, (struct mirror_event){.kind = MIRROR_EVENT_OVERRUN});
			continue;
		}
		if (bytes < 0)
			break;
		const struct nlmsghdr *message = (const struct nlmsghdr *)mirror->answer;
		for (unsigned left = (unsigned)bytes; NLMSG_OK(message, left);
			message = NLMSG_NEXT(message, left))
			watch_message(mirror, message);
	}
	send_events(mirror);
}

static void *mirror_run(void *argument)
{
	struct mirror *mirror = argument;
	setpriority(PRIO_PROCESS, (id_t)gettid(), MIRROR_NICE); // this thread alone, on Linux
	struct pollfd fds[2] = {
		{.fd = mirror->wake_fd, .events = POLLIN},
		{.fd = mirror->watch_fd, .events = POLLIN},
	};
	while (!atomic_load(&mirror->is_stopping)) {
		if (atomic_exchange(&mirror->is_urgent, 0))
			setpriority(PRIO_PROCESS, (id_t)gettid(), 0);
		uint32_t n = run_batch(mirror);
		if (n == 0)
			atomic_store(&mirror->is_asleep, 1);
		int is_idle = n == 0 &&
			atomic_load(&mirror->tail) ==
				atomic_load_explicit(&mirror->head, memory_order_relaxed);
		if (poll(fds, 2, is_idle ? -1 : 0) > 0) {
			eventfd_t count;
			if (fds[0].revents)
				eventfd_read(mirror->wake_fd, &count);
			if (fds[1].revents)
				read_watch(mirror);
		}
		atomic_store(&mirror->is_asleep, 0);
	}
	return NULL;
}
