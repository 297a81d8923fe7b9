// SPDX-License-Identifier: Apache-2.0

// Messages on the control socket, and egretd's side of it. The protocol stands in control.h.
#include "control/control.h"

#include "egret.h"
#include "lib/error.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 4 }; // received at once; all but the first are closed

struct rights {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
};

int control_send(int socket, const struct control_message *message, int fd)
{
	struct iovec part = {.iov_base = (void *)message, .iov_len = sizeof *message};
	struct rights rights = {0};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		header.msg_control = rights.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof fd);
		struct cmsghdr *control = CMSG_FIRSTHDR(&header);
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(control), &fd, sizeof fd);
	}
	ssize_t sent;
	do {
		sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	// So small a message is sent in one piece or, when the peer has not read for long, not at all.
	return sent == (ssize_t)sizeof *message ? 0 : -EGRET_STATUS_CLOSED;
}

// Keeps the first descriptor that comes with a message.
static void take_rights(struct msghdr *header, struct control_inbox *inbox)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = CMSG_NXTHDR(header, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
			if (inbox->fd < 0)
				inbox->fd = fd;
			else
				close(fd);
		}
	}
}

int control_receive(int socket, struct control_inbox *inbox)
{
	while (inbox->bytes < sizeof inbox->message) {
		struct iovec part = {
			.iov_base = (char *)&inbox->message + inbox->bytes,
			.iov_len = sizeof inbox->message - inbox->bytes,
		};
		struct rights rights;
		struct msghdr header = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = rights.bytes,
			.msg_controllen = sizeof rights.bytes,
		};
		ssize_t got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got <= 0)
			return -EGRET_STATUS_CLOSED;
		take_rights(&header, inbox);
		inbox->bytes += (uint32_t)got;
	}
	return inbox->message.magic == CONTROL_MAGIC ? 1 : -EGRET_STATUS_CLOSED;
}

void control_inbox_reset(struct control_inbox *inbox)
{
	if (inbox->fd >= 0)
		close(inbox->fd);
	inbox->bytes = 0;
	inbox->fd = -1;
}
