// SPDX-License-Identifier: Apache-2.0

// What the supervisor is notified of: sd_notify(3), a datagram to the socket in $NOTIFY_SOCKET. Without
// libsystemd, and without waiting: a supervisor that does not read must not stop forwarding.
#include "egret.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOT_ASKED = -2, NO_SUPERVISOR = -1 };

// Connected at the first call, before privileges are given up and system calls are filtered.
static int supervisor = NOT_ASKED;

static int connect_supervisor(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
		return NO_SUPERVISOR;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = 0; // unix(7): an abstract address has no zero behind it
	socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, bytes) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return NO_SUPERVISOR;
}

int egret_notify(const char *state)
{
	if (supervisor == NOT_ASKED)
		supervisor = connect_supervisor();
	return supervisor >= 0 && send(supervisor, state, strlen(state), MSG_NOSIGNAL) >= 0;
}
