// SPDX-License-Identifier: Apache-2.0

// The messages as bytes. See route_message.h.
#include "egretd/route_message.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static void *put_attribute(struct nlmsghdr *message, uint16_t type, const void *data, uint16_t n)
{
	struct rtattr *attribute = (struct rtattr *)((uint8_t *)message +
		NLMSG_ALIGN(message->nlmsg_len));
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(n);
	if (n > 0)
		memcpy(RTA_DATA(attribute), data, n);
	message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void put_paths(struct nlmsghdr *message, const struct egret_mirror_route *route)
{
	if (route->path_count == 1) {
		uint32_t gateway_be = htonl(route->paths[0].next_hop);
		if (gateway_be != 0)
			put_attribute(message, RTA_GATEWAY, &gateway_be, 4);
		put_attribute(message, RTA_OIF, &route->paths[0].ifindex, 4);
		return;
	}
	struct rtattr *multipath = put_attribute(message, RTA_MULTIPATH, NULL, 0);
	for (uint32_t i = 0; i < route->path_count; i++) {
		struct rtnexthop *hop = (struct rtnexthop *)((uint8_t *)message +
			message->nlmsg_len);
		*hop = (struct rtnexthop){.rtnh_ifindex = (int)route->paths[i].ifindex};
		message->nlmsg_len += sizeof(*hop);
		uint32_t gateway_be = htonl(route->paths[i].next_hop);
		if (gateway_be != 0)
			put_attribute(message, RTA_GATEWAY, &gateway_be, 4);
		hop->rtnh_len = (uint16_t)((uint8_t *)message + message->nlmsg_len -
			(uint8_t *)hop);
	}
	multipath->rta_len = (uint16_t)((uint8_t *)message + message->nlmsg_len -
		(uint8_t *)multipath);
}

uint32_t route_message_encode(void *at, const struct egret_mirror_route *route, uint8_t protocol,
	uint32_t sequence, int wants_answer)
{
	int is_removal = route->path_count == 0;
	int is_on_link = route->path_count == 1 && route->paths[0].next_hop == 0;
	struct nlmsghdr *message = at;
	*message = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		.nlmsg_type = is_removal ? RTM_DELROUTE : RTM_NEWROUTE,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (wants_answer ? NLM_F_ACK : 0) |
			(is_removal ? 0 : NLM_F_CREATE | NLM_F_REPLACE)),
		.nlmsg_seq = sequence,
	};
	struct rtmsg *body = NLMSG_DATA(message);
	*body = (struct rtmsg){
		.rtm_family = AF_INET,
		.rtm_dst_len = (uint8_t)route->prefix_length,
		.rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC,
		.rtm_protocol = protocol,
		.rtm_scope = is_removal ? RT_SCOPE_NOWHERE
			: is_on_link    ? RT_SCOPE_LINK
					: RT_SCOPE_UNIVERSE,
		.rtm_type = is_removal ? RTN_UNSPEC : RTN_UNICAST,
	};
	uint32_t prefix_be = htonl(route->prefix);
	put_attribute(message, RTA_TABLE, &route->table, 4);
	if (route->prefix_length > 0)
		put_attribute(message, RTA_DST, &prefix_be, 4);
	if (!is_removal)
		put_paths(message, route);
	return NLMSG_ALIGN(message->nlmsg_len);
}

int route_message_decode(const struct nlmsghdr *message, struct route_notice *notice)
{
	const struct rtmsg *body = NLMSG_DATA(message);
	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)) || body->rtm_family != AF_INET ||
		(body->rtm_flags & RTM_F_CLONED) || body->rtm_tos != 0)
		return 0;
	uint32_t table = body->rtm_table, metric = 0, prefix_be = 0;
	unsigned left = (unsigned)RTM_PAYLOAD(message);
	for (const struct rtattr *attribute = RTM_RTA(body); RTA_OK(attribute, left);
		attribute = RTA_NEXT(attribute, left)) {
		if (RTA_PAYLOAD(attribute) < 4)
			continue;
		if (attribute->rta_type == RTA_TABLE)
			memcpy(&table, RTA_DATA(attribute), 4);
		else if (attribute->rta_type == RTA_PRIORITY)
			memcpy(&metric, RTA_DATA(attribute), 4);
		else if (attribute->rta_type == RTA_DST)
			memcpy(&prefix_be, RTA_DATA(attribute), 4);
	}
	*notice = (struct route_notice){
		.prefix = ntohl(prefix_be),
		.prefix_length = body->rtm_dst_len,
		.table = table,
		.metric = metric,
		.protocol = body->rtm_protocol,
		.is_removal = message->nlmsg_type == RTM_DELROUTE,
	};
	return 1;
}
