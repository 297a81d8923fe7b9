// SPDX-License-Identifier: Apache-2.0

// egretd's side of the control socket. The protocol stands in control/control.h.
#include "control/control.h"
#include "egret.h"
#include "lib/abi_hash.h"
#include "lib/clock.h"
#include "lib/error.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_WAIT_MS = 2000 };

// One thread of egretd talks to one forwarder, so one number does for every connection.
static uint32_t last_sequence;

// Waits for the next answer to this request. The descriptor that came with it is left in the inbox.
static int receive_answer(
	int socket, uint32_t sequence, uint64_t deadline_ns, struct control_inbox *inbox)
{
	for (;;) {
		int status = control_receive(socket, inbox);
		if (status < 0)
			return status;
		if (status == 1 && inbox->message.sequence == sequence)
			return 0;
		if (status == 1) {
			control_inbox_reset(inbox); // of a request that was given up
			continue;
		}
		uint64_t now_ns = clock_now_ns();
		if (now_ns >= deadline_ns)
			return -EGRET_STATUS_TIMEOUT;
		struct pollfd wait = {.fd = socket, .events = POLLIN};
		if (poll(&wait, 1, (int)((deadline_ns - now_ns) / 1000000 + 1)) < 0 &&
			errno != EINTR)
			return error_system();
	}
}

// Sends a request. Returns its sequence number, in the message too.
static int send_request(int socket, struct control_message *request, int passed_fd)
{
	request->magic = CONTROL_MAGIC;
	request->abi_hash = abi_hash();
	request->sequence = ++last_sequence;
	request->pid = (uint32_t)getpid();
	return control_send(socket, request, passed_fd);
}

// A request and its answer, which replaces it. The answer's status is the result.
static int ask(int socket, struct control_message *message, int passed_fd, int timeout_ms)
{
	struct control_inbox inbox = {.fd = -1};
	int status = send_request(socket, message, passed_fd);
	if (status == 0)
		status = receive_answer(socket, message->sequence,
			clock_now_ns() + (uint64_t)timeout_ms * 1000000, &inbox);
	*message = inbox.message;
	control_inbox_reset(&inbox);
	if (status == 0 && message->status == -EGRET_STATUS_SYSTEM) {
		errno = message->system_errno;
		return error_system();
	}
	return status == 0 ? message->status : status;
}

int egret_forwarder_connect(const char *socket_path, int timeout_ms, int *fd, int *forwarder_pid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!socket_path || !fd || !forwarder_pid ||
		(size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path) >=
			sizeof address.sun_path)
		return -EGRET_STATUS_BAD_ARGUMENT;
	*fd = -1;
	*forwarder_pid = 0;
	int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (stream < 0)
		return error_system();
	if (connect(stream, (struct sockaddr *)&address, sizeof address)) {
		int is_absent = errno == ENOENT || errno == ECONNREFUSED;
		int status = is_absent ? -EGRET_STATUS_CLOSED : error_system();
		close(stream);
		return status;
	}
	struct control_message hello = {.kind = CONTROL_HELLO};
	int status = ask(stream, &hello, -1, timeout_ms > 0 ? timeout_ms : ANSWER_WAIT_MS);
	if (status == 0 && hello.abi_hash != abi_hash())
		status = -EGRET_STATUS_ABI_MISMATCH;
	if (status < 0 && status != -EGRET_STATUS_ABI_MISMATCH) {
		close(stream);
		return status;
	}
	*fd = stream;
	*forwarder_pid = (int)hello.pid;
	return status;
}

int egret_forwarder_take_ports(int fd, int timeout_ms, uint16_t slots[EGRET_PORT_MAX],
	uint32_t ifindexes[EGRET_PORT_MAX], int fds[EGRET_PORT_MAX])
{
	struct control_message request = {.kind = CONTROL_TAKE_PORTS};
	if (timeout_ms <= 0)
		timeout_ms = ANSWER_WAIT_MS;
	int status = ask(fd, &request, -1, timeout_ms);
	if (status < 0)
		return status;
	uint32_t count = request.count < EGRET_PORT_MAX ? request.count : EGRET_PORT_MAX;
	uint64_t deadline_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
	for (uint32_t i = 0; i < count; i++) {
		struct control_inbox inbox = {.fd = -1};
		status = receive_answer(fd, request.sequence, deadline_ns, &inbox);
		if (status == 0 && (inbox.fd < 0 || inbox.message.slot >= EGRET_PORT_MAX))
			status = -EGRET_STATUS_CLOSED;
		if (status < 0) {
			control_inbox_reset(&inbox);
			while (i-- > 0)
				close(fds[i]);
			return status;
		}
		slots[i] = (uint16_t)inbox.message.slot;
		ifindexes[i] = inbox.message.ifindex;
		fds[i] = inbox.fd;
	}
	return (int)count;
}

int egret_forwarder_add_port(int fd, uint16_t slot, uint32_t ifindex, int port_fd, int discard)
{
	struct control_message request = {
		.kind = CONTROL_ADD_PORT,
		.slot = slot,
		.ifindex = ifindex,
		.flags = discard ? CONTROL_DISCARD : 0,
	};
	return ask(fd, &request, port_fd, ANSWER_WAIT_MS);
}

int egret_forwarder_remove_port(int fd, uint16_t slot)
{
	struct control_message request = {.kind = CONTROL_REMOVE_PORT, .slot = slot};
	return ask(fd, &request, -1, ANSWER_WAIT_MS);
}

int egret_forwarder_set_netlink(int fd, int netlink_fd)
{
	struct control_message request = {.kind = CONTROL_SET_NETLINK};
	return ask(fd, &request, netlink_fd, ANSWER_WAIT_MS);
}

int egret_forwarder_holds(int fd, uint64_t *arena_inode, uint32_t *sessions)
{
	struct control_message hello = {.kind = CONTROL_HELLO};
	if (!arena_inode || !sessions)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int status = ask(fd, &hello, -1, ANSWER_WAIT_MS);
	if (status < 0)
		return status;
	*arena_inode = hello.arena_inode;
	*sessions = hello.sessions;
	return 0;
}

int egret_forwarder_open_trials(int fd)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return error_system();
	struct control_message request = {.kind = CONTROL_SET_TRIALS};
	int status = ask(fd, &request, ends[1], ANSWER_WAIT_MS);
	close(ends[1]);
	if (status < 0)
		close(ends[0]);
	return status < 0 ? status : ends[0];
}

int egret_forwarder_clear_sessions(int fd, uint32_t network, uint32_t inside, uint32_t inside_mask,
	uint32_t outside, uint32_t *cursor)
{
	if (!cursor)
		return -EGRET_STATUS_BAD_ARGUMENT;
	struct control_message request = {
		.kind = CONTROL_CLEAR_SESSIONS,
		.clear = {.network = network,
			.inside = inside,
			.inside_mask = inside_mask,
			.outside = outside},
		.cursor = *cursor,
	};
	int status = ask(fd, &request, -1, ANSWER_WAIT_MS);
	if (status < 0)
		return status;
	*cursor = request.cursor;
	return (int)request.clear.removed;
}

int egret_forwarder_wake(int fd)
{
	struct control_message request = {.kind = CONTROL_WAKE};
	return send_request(fd, &request, -1);
}

int egret_forwarder_stop(int fd)
{
	struct control_message request = {.kind = CONTROL_STOP};
	return ask(fd, &request, -1, ANSWER_WAIT_MS);
}
