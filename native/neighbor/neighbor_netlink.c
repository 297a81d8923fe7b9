// SPDX-License-Identifier: Apache-2.0

// The kernel's neighbor table, over rtnetlink (RFC 3549 §3): events, dumps, and requests to resolve.
//
// egretd opens the socket and hands it over, so that it outlives egretd. Every message is a
// suggestion: nothing here trusts a length, an index or an address. Requests ask for no answer but an
// error, and errors are ignored: a probe that failed is sent again while packets wait.
//
// A request takes the kernel's RTNL lock and so may wait for another process that holds it. Only
// unresolved neighbors cost one, and next hops are kept resolved by the kernel (NTF_EXT_MANAGED).
#include "neighbor/neighbor.h"
#include "neighbor/neighbor_table.h"
#include "packet/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DATAGRAM_BYTES = 65536,
	DATAGRAMS_PER_READ = 16, // so that a burst of events delays packets by little
	NUD_USABLE = NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP | NUD_STALE | NUD_DELAY | NUD_PROBE,
};

struct neighbor_request {
	struct nlmsghdr header;
	struct ndmsg neighbor;
	struct rtattr address_header;
	uint32_t address_be;
	struct rtattr flags_header;
	uint32_t flags_ext;
};

static void request_dump(struct worker *worker)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	struct {
		struct nlmsghdr header;
		struct ndmsg neighbor;
	} request = {
		.header = {.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_GETNEIGH,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++netlink->sequence},
		.neighbor = {.ndm_family = AF_INET},
	};
	netlink->is_dump_wanted = 0;
	netlink->is_dump_refused = send(netlink->fd, &request, sizeof request, MSG_DONTWAIT) < 0;
	if (netlink->is_dump_refused)
		return;
	netlink->dump_sequence = netlink->sequence;
	neighbor_dump_begin(worker->neighbors);
}

int neighbor_netlink_fd(const struct neighbor_table *table)
{
	return table->netlink.fd;
}

void neighbor_netlink_set(struct worker *worker, int fd)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	if (netlink->fd >= 0)
		close(netlink->fd);
	*netlink = (struct neighbor_netlink){.fd = fd};
	if (fd >= 0)
		request_dump(worker);
}

void neighbor_netlink_refresh(struct worker *worker)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	netlink->is_dump_wanted = 1;
	if (netlink->fd >= 0 && netlink->dump_sequence == 0)
		request_dump(worker);
}

void neighbor_netlink_retry(struct worker *worker)
{
	if (worker->neighbors->netlink.is_dump_refused)
		neighbor_netlink_refresh(worker);
}

void neighbor_netlink_probe(
	struct worker *worker, uint16_t port, uint32_t address, uint8_t flags, uint8_t flags_ext)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	if (netlink->fd < 0 || !worker->ports[port].driver)
		return;
	struct neighbor_request request = {
		.header = {.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_NEWNEIGH,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE,
			.nlmsg_seq = ++netlink->sequence},
		.neighbor = {.ndm_family = AF_INET,
			.ndm_ifindex = (int)worker->ports[port].ifindex,
			.ndm_flags = NTF_USE | flags},
		.address_header = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = NDA_DST},
		.address_be = htonl(address),
		.flags_header = {.rta_len = RTA_LENGTH(sizeof(uint32_t)),
			.rta_type = NDA_FLAGS_EXT},
		.flags_ext = flags_ext,
	};
	worker->counters[EGRET_WORKER_COUNTER_NEIGHBOR_PROBES]++;
	ssize_t sent = send(netlink->fd, &request, sizeof request, MSG_DONTWAIT);
	(void)sent; // it is sent again while packets wait
}

// The port with this interface, EGRET_PORT_MAX when none of ours.
static uint16_t slot_of(const struct worker *worker, int ifindex)
{
	uint16_t slot = 0;
	while (slot < EGRET_PORT_MAX &&
		(!worker->ports[slot].driver || worker->ports[slot].ifindex != (uint32_t)ifindex))
		slot++;
	return slot;
}

static enum neighbor_state state_of(const struct ndmsg *neighbor, int is_new, int has_mac)
{
	if (!is_new)
		return NEIGHBOR_UNKNOWN;
	if (neighbor->ndm_state & NUD_USABLE)
		return has_mac ? NEIGHBOR_REACHABLE : NEIGHBOR_UNKNOWN;
	if (neighbor->ndm_state & NUD_FAILED)
		return NEIGHBOR_FAILED;
	return neighbor->ndm_state & NUD_INCOMPLETE ? NEIGHBOR_RESOLVING : NEIGHBOR_UNKNOWN;
}

// Tells the table what a message said of one neighbor.
static void update(struct worker *worker, uint16_t slot, uint32_t address,
	const struct nlmsghdr *header, uint32_t flags_ext, const uint8_t *mac)
{
	const struct ndmsg *neighbor = NLMSG_DATA(header);
	struct neighbor_table *table = worker->neighbors;
	int is_new = header->nlmsg_type == RTM_NEWNEIGH;
	enum neighbor_state state = state_of(neighbor, is_new, mac != NULL);
	neighbor_update(table, slot, address, state, mac);
	if (is_new)
		neighbor_keep_flags(table, slot, address, neighbor->ndm_flags & NTF_EXT_LEARNED,
			flags_ext & NTF_EXT_MANAGED);
	if (state != NEIGHBOR_REACHABLE)
		return;
	if (neighbor->ndm_state & (NUD_PERMANENT | NUD_NOARP))
		neighbor_trust(table, slot, address);
	else if (neighbor->ndm_state & NUD_REACHABLE)
		neighbor_confirm(table, slot, address, mac);
	else
		neighbor_doubt(table, slot, address);
}

static void handle_neighbor(struct worker *worker, const struct nlmsghdr *header)
{
	const struct ndmsg *neighbor = NLMSG_DATA(header);
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof *neighbor) || neighbor->ndm_family != AF_INET ||
		neighbor->ndm_flags & NTF_PROXY)
		return;
	uint16_t slot = slot_of(worker, neighbor->ndm_ifindex);
	if (slot == EGRET_PORT_MAX)
		return;
	uint32_t address_be = 0;
	uint32_t flags_ext = 0;
	uint8_t mac[6];
	int has_mac = 0;
	int bytes = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *neighbor));
	const struct rtattr *attribute = (const struct rtattr *)((const char *)neighbor +
		NLMSG_ALIGN(sizeof *neighbor));
	for (; RTA_OK(attribute, bytes); attribute = RTA_NEXT(attribute, bytes)) {
		if (attribute->rta_type == NDA_DST && RTA_PAYLOAD(attribute) == sizeof address_be)
			memcpy(&address_be, RTA_DATA(attribute), sizeof address_be);
		if (attribute->rta_type == NDA_LLADDR && RTA_PAYLOAD(attribute) == sizeof mac) {
			memcpy(mac, RTA_DATA(attribute), sizeof mac);
			has_mac = 1;
		}
		if (attribute->rta_type == NDA_FLAGS_EXT &&
			RTA_PAYLOAD(attribute) == sizeof flags_ext)
			memcpy(&flags_ext, RTA_DATA(attribute), sizeof flags_ext);
	}
	if (address_be != 0)
		update(worker, slot, ntohl(address_be), header, flags_ext, has_mac ? mac : NULL);
}

// The end of a dump, or an error in its place.
static void handle_end(struct worker *worker, const struct nlmsghdr *header)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	if (netlink->dump_sequence == 0 || header->nlmsg_seq != netlink->dump_sequence)
		return;
	netlink->dump_sequence = 0;
	if (header->nlmsg_type == NLMSG_ERROR)
		netlink->is_dump_refused = 1;
	else if (!netlink->is_dump_wanted)
		neighbor_dump_end(worker->neighbors);
}

// Returns 1 when it says that an interface was removed.
static int handle_message(struct worker *worker, const struct nlmsghdr *header)
{
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		netlink->is_dump_wanted = 1;
	switch (header->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		handle_neighbor(worker, header);
		break;
	case RTM_DELLINK:
		return 1;
	case NLMSG_DONE:
	case NLMSG_ERROR:
		handle_end(worker, header);
		break;
	}
	return 0;
}

int neighbor_netlink_read(struct worker *worker)
{
	int is_link_removed = 0;
	_Alignas(struct nlmsghdr) char datagram[DATAGRAM_BYTES];
	struct neighbor_netlink *netlink = &worker->neighbors->netlink;
	for (int i = 0; i < DATAGRAMS_PER_READ && netlink->fd >= 0; i++) {
		struct sockaddr_nl from = {0};
		socklen_t from_bytes = sizeof from;
		ssize_t got = recvfrom(netlink->fd, datagram, sizeof datagram, MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_bytes);
		if (got < 0 && errno == ENOBUFS) {
			worker->counters[EGRET_WORKER_COUNTER_NEIGHBOR_OVERRUNS]++;
			netlink->is_dump_wanted = 1;
			is_link_removed = 1; // it may be what was lost
			continue;
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			close(netlink->fd);
			netlink->fd = -1;
		}
		if (got <= 0)
			break;
		if (from.nl_pid != 0)
			continue; // not from the kernel
		int bytes = (int)got;
		for (const struct nlmsghdr *at = (const void *)datagram; NLMSG_OK(at, bytes);
			at = NLMSG_NEXT(at, bytes))
			is_link_removed |= handle_message(worker, at);
	}
	if (netlink->fd >= 0 && netlink->is_dump_wanted && netlink->dump_sequence == 0)
		request_dump(worker);
	return is_link_removed;
}
