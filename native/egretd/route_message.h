// SPDX-License-Identifier: Apache-2.0

// rtnetlink's messages on IPv4 routes, as the mirror writes them in bulk and hears of others' changes.
//
// rtnetlink(7), RFC 3549 §3.1.1. Routes have no metric and no onlink flag; several next hops have
// weight 1 each (rtnh_hops 0). Tables above 255 go into RTA_TABLE.
//
// Absent: of a notification, everything but the route's prefix, table and protocol; and dumps, which
// src/kernel/route-codec.ts reads.
#pragma once
#include "egret.h"

#include <linux/rtnetlink.h>
#include <stdint.h>

enum {
	// RTM_NEWROUTE with EGRET_GROUP_PATHS_MAX next hops.
	ROUTE_MESSAGE_BYTES_MAX = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct rtmsg)) +
		2 * RTA_SPACE(4) +
		RTA_SPACE(EGRET_GROUP_PATHS_MAX * (sizeof(struct rtnexthop) + RTA_SPACE(4))),
};

// Encodes a request to install the route in place of what has its prefix, or to remove it. A removal
// names the protocol, so that it never removes another program's route.
//
// at: ROUTE_MESSAGE_BYTES_MAX bytes, aligned for a struct nlmsghdr.   sequence: of the answer, which is
// asked for when wants_answer; a failure is answered anyway.
// Returns the bytes it took, a multiple of 4.
uint32_t route_message_encode(void *at, const struct egret_mirror_route *route, uint8_t protocol,
	uint32_t sequence, int wants_answer);

// Which route a notification is about.
struct route_notice {
	uint32_t prefix, prefix_length, table, metric;
	uint8_t protocol;
	uint8_t is_removal;
};

// Reads RTM_NEWROUTE or RTM_DELROUTE. Returns 0 for what is no route of a table: another family, an
// entry of the cache; and for a route for a TOS, or a message cut short.
int route_message_decode(const struct nlmsghdr *message, struct route_notice *notice);
