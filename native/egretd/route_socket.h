// SPDX-License-Identifier: Apache-2.0

// A netlink socket on which the kernel tells of links, addresses, routes and neighbors, and takes
// requests (rtnetlink(7)).
//
// Of three users: Node's reader (netlink.c), the mirror's thread (mirror.c) and the forwarder, for
// which egretd opens one (sockets.c). What they send and read is theirs.
#pragma once
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

// Opens one, bound, whose answers quote only the header of what they answer.
//
// flags: SOCK_NONBLOCK or 0.   queue_bytes: of its receive queue; 0: the system's default. Without
// CAP_NET_ADMIN in the first user namespace net.core.rmem_max limits it.
// Returns the descriptor, or -1 with errno.
int route_socket_open(int flags, uint32_t queue_bytes);
// The same for another protocol: NETLINK_NETFILTER tells of nftables.
int route_socket_open_of(int protocol, int flags, uint32_t queue_bytes);

// Lets through what the program accepts. To be called before joining: nothing else is then queued.
// Returns 0, or -1 with errno. BPF loads convert from network order; netlink headers are in host order.
int route_socket_filter(int fd, struct sock_filter *program, size_t n);

// Joins multicast groups (RTNLGRP_*). Returns 0, or -1 with errno.
int route_socket_join(int fd, const uint32_t *groups, size_t n);
