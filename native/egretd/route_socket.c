// SPDX-License-Identifier: Apache-2.0

// Opening, filtering and joining. See route_socket.h.
#include "egretd/route_socket.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

int route_socket_open(int flags, uint32_t queue_bytes)
{
	return route_socket_open_of(NETLINK_ROUTE, flags, queue_bytes);
}

int route_socket_open_of(int protocol, int flags, uint32_t queue_bytes)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
	if (fd < 0)
		return -1;
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int bytes = (int)queue_bytes, on = 1;
	if (bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) ||
		setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) ||
		bind(fd, (struct sockaddr *)&address, sizeof address)) {
		int reason = errno;
		close(fd);
		errno = reason;
		return -1;
	}
	return fd;
}

int route_socket_filter(int fd, struct sock_filter *program, size_t n)
{
	struct sock_fprog code = {.len = (unsigned short)n, .filter = program};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof code);
}

int route_socket_join(int fd, const uint32_t *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setsockopt(
			    fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]))
			return -1;
	return 0;
}
