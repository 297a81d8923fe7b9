// SPDX-License-Identifier: Apache-2.0

// ICMP errors of our own. See icmp.h.
#include "pipeline/icmp.h"

#include "nat/session.h"
#include "packet/generate.h"
#include "packet/offload.h"
#include "packet/rewrite.h"
#include "pipeline/stage.h"
#include "plan/decide.h"
#include "wire/checksum.h"
#include "wire/header.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	ERROR_BYTES_MAX = 576, // RFC 1812 §4.3.2.3
	ERROR_TTL = 64,
	ERROR_TOS = 0xc0, // RFC 1812 §4.3.2.5: internetwork control
	LIMITER_BUCKETS = 4096,
	LIMITER_WAYS = 4,
	LIMITER_FLOWS = 4096,
	BOX_SHARES = 100, // the box's limit is that of so many addresses
};

#define SECOND_NS 1000000000ull

// Credit in nanoseconds of waiting. A new address takes the bucket that was used longest ago.
struct icmp_bucket {
	uint32_t address;
	uint64_t full_ns; // when it will be (or was) full again
};

// A flow that was sent an error recently. Of two with the same slot the newer one stays.
struct icmp_flow {
	uint32_t hash;
	uint64_t told_ns; // until then
};

struct icmp_limiter {
	uint64_t box_full_ns; // as that of a bucket, for all addresses together
	struct icmp_bucket buckets[LIMITER_BUCKETS];
	struct icmp_flow flows[LIMITER_FLOWS];
};

struct icmp_limiter *icmp_limiter_make(void)
{
	return calloc(1, sizeof(struct icmp_limiter));
}

void icmp_limiter_free(struct icmp_limiter *limiter)
{
	free(limiter);
}

static struct icmp_bucket *find_bucket(struct icmp_limiter *limiter, uint32_t address)
{
	uint32_t row = (uint32_t)((uint64_t)address * 0x9e3779b97f4a7c15ull >> 40) %
		(LIMITER_BUCKETS / LIMITER_WAYS) * LIMITER_WAYS;
	struct icmp_bucket *oldest = &limiter->buckets[row];
	for (uint32_t i = 0; i < LIMITER_WAYS; i++) {
		struct icmp_bucket *bucket = &limiter->buckets[row + i];
		if (bucket->address == address)
			return bucket;
		if (bucket->full_ns < oldest->full_ns)
			oldest = bucket;
	}
	*oldest = (struct icmp_bucket){.address = address};
	return oldest;
}

// Which flow a quoted packet belongs to: its addresses, and its ports or its query id.
static uint32_t flow_of(const uint8_t *ip)
{
	const uint8_t *l4 = ip + (ip[0] & 0xf) * 4;
	uint32_t ends = ip[IPV4_PROTOCOL] == IPPROTO_ICMP ? read16(l4 + ICMP_ID) : read32(l4);
	uint64_t hash = ((uint64_t)read32(ip + IPV4_SOURCE) << 32 | read32(ip + IPV4_DESTINATION)) *
		0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 29 ^ ends ^ (uint64_t)ip[IPV4_PROTOCOL] << 32) *
		0xbf58476d1ce4e5b9ull;
	return (uint32_t)(hash >> 32);
}

// When a bucket will be full again after one more token, or 0 when it has none left. It holds a second's
// worth, and half as many in reserve for those that the caller says.
static uint64_t spend(uint64_t full_ns, uint64_t now_ns, uint64_t cost_ns, int has_reserve)
{
	if (full_ns < now_ns)
		full_ns = now_ns;
	full_ns += cost_ns;
	return full_ns - now_ns > SECOND_NS + (has_reserve ? SECOND_NS / 2 : 0) ? 0 : full_ns;
}

// 1 when the sender is a client with sessions: no forged source, or one whose sessions are there.
static int is_known_client(
	const struct worker *worker, const struct packet *packet, uint32_t sender)
{
	return packet_has_session(packet) ||
		(packet->direction == SESSION_OUTBOUND &&
			session_client_count(worker->sessions, sender) > 0);
}

// Takes a token from the sender's bucket, as many a second as the plan says, and one from the box's,
// BOX_SHARES times as many (RFC 1812 §4.3.2.8): forged sources have a bucket each, and all of them
// together that one.
//
// The reserve of a sender's bucket is for flows that were sent no error yet, so that a busy flow does not
// use up the others' tokens. That of the box is for clients with sessions: a flood of others leaves them
// the whole rate, since it gets no token while they have used of the reserve.
//
// A random cost keeps an attacker from inferring a bucket's level from our answers (the attack known as
// SAD DNS, CVE-2020-25705). It varies most in the box's bucket, which everybody can observe: there a token
// costs none to two.
static int is_within_limit(struct worker *worker, const struct packet *packet, const uint8_t *ip)
{
	uint32_t rate = worker->plan.plan->icmp_errors_per_second;
	if (rate == 0)
		return 0;
	struct icmp_limiter *limiter = worker->icmp;
	uint64_t now_ns = worker->now_ns, cost = SECOND_NS / rate, box_cost = cost / BOX_SHARES;
	uint32_t sender = read32(ip + IPV4_SOURCE);
	uint64_t box_full_ns = spend(limiter->box_full_ns, now_ns,
		worker_random(worker) % (2 * box_cost + 1),
		is_known_client(worker, packet, sender));
	if (!box_full_ns)
		return 0;
	struct icmp_bucket *bucket = find_bucket(limiter, sender);
	uint32_t hash = flow_of(ip);
	struct icmp_flow *flow = &limiter->flows[hash % LIMITER_FLOWS];
	int is_told = flow->hash == hash && now_ns < flow->told_ns;
	uint64_t full_ns = spend(bucket->full_ns, now_ns, cost, !is_told);
	if (!full_ns)
		return 0;
	limiter->box_full_ns = box_full_ns;
	bucket->full_ns = full_ns + worker_random(worker) % (cost / 16 + 1);
	*flow = (struct icmp_flow){.hash = hash, .told_ns = now_ns + SECOND_NS};
	return 1;
}

// RFC 1812 §4.3.2.7: about what no error is sent.
static int may_answer(const struct packet *packet, const uint8_t *ip)
{
	uint32_t source = read32(ip + IPV4_SOURCE);
	if (packet->is_generated || packet->is_icmp_error || (packet->data[0] & 1))
		return 0;
	if (read16(ip + IPV4_FRAGMENT) & IPV4_OFFSET)
		return 0;
	return !ipv4_is_martian(source);
}

// Path back to the packet's sender: out of the arrival port if the table knows one there.
static int find_path_back(const struct worker *worker, const struct egret_plan_port *port,
	uint16_t network, uint32_t address, struct packet *error)
{
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	uint32_t group = fib_lookup(&worker->fib, network, address);
	if (group < EGRET_GROUP_FIRST)
		return 0;
	uint32_t count = fib_group_read(&worker->fib, group, paths);
	for (uint32_t i = 0; i < count; i++) {
		const struct egret_plan_port *exit = plan_port(&worker->plan, paths[i].port);
		// Never out of another network's port.
		if (!exit || !exit->is_up || exit->network != port->network)
			continue;
		if (exit->slot != port->slot &&
			(exit->role == EGRET_ROLE_NETWORKS) != (port->role == EGRET_ROLE_NETWORKS))
			continue;
		error->out_port = exit->slot;
		error->next_hop = paths[i].next_hop ? paths[i].next_hop : address;
		if (exit->slot == port->slot)
			return 1;
	}
	return error->next_hop != 0;
}

// Turns the copy of a rewritten packet back into what its sender sent. Returns 0 when the session that
// rewrote it was removed.
static int restore_quote(
	const struct worker *worker, const struct packet *packet, uint8_t *ip, uint32_t bytes)
{
	rewrite_ttl(ip, (uint8_t)(ip[IPV4_TTL] + 1));
	if (!packet_has_session(packet))
		return 1;
	const struct session_record *session = &worker->sessions->sessions[packet->session];
	if (!session_record_is_live(session) ||
		read32(ip +
			(packet->direction == SESSION_OUTBOUND ? IPV4_SOURCE : IPV4_DESTINATION)) !=
			(packet->direction == SESSION_OUTBOUND ? session->outside_addr
							       : session->inside_addr))
		return 0;
	if (packet->direction == SESSION_OUTBOUND)
		rewrite_endpoint(ip, bytes, 1, session->inside_addr, session->inside_port,
			CHECKSUM_COMPLETE);
	else
		rewrite_endpoint(ip, bytes, 0, session->outside_addr, session->outside_port,
			CHECKSUM_COMPLETE);
	return 1;
}

static void write_header(uint8_t *ip, uint32_t bytes, uint32_t source, uint32_t destination)
{
	memset(ip, 0, IPV4_BYTES_MIN);
	ip[0] = 4 << 4 | IPV4_BYTES_MIN / 4;
	ip[IPV4_TOS] = ERROR_TOS;
	write16(ip + IPV4_TOTAL, (uint16_t)bytes);
	ip[IPV4_TTL] = ERROR_TTL;
	ip[IPV4_PROTOCOL] = IPPROTO_ICMP;
	write32(ip + IPV4_SOURCE, source);
	write32(ip + IPV4_DESTINATION, destination);
	rewrite_header_checksum(ip);
}

// The network whose table knows the sender: that of the port by which the packet came.
static uint16_t sender_network(const struct worker *worker, const struct packet *packet,
	const struct egret_plan_port *port)
{
	if (port->network != 0 || packet->direction == SESSION_OUTBOUND ||
		!packet_has_session(packet))
		return port->network;
	return worker->sessions->sessions[packet->session].network;
}

void icmp_send_error(
	struct worker *worker, struct packet *packet, uint8_t type, uint8_t code, uint16_t mtu)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	if (!port || port->address == 0 || packet->l3 == 0)
		return;
	offload_complete(packet);
	uint8_t original[ERROR_BYTES_MAX] = {0};
	uint32_t bytes = packet_ip_bytes(packet);
	if (bytes > ERROR_BYTES_MAX - IPV4_BYTES_MIN - ICMP_BYTES)
		bytes = ERROR_BYTES_MAX - IPV4_BYTES_MIN - ICMP_BYTES;
	memcpy(original, packet_ip(packet), bytes);
	if (packet->is_rewritten && !restore_quote(worker, packet, original, bytes))
		return;
	if (!may_answer(packet, original))
		return;
	uint32_t sender = read32(original + IPV4_SOURCE);
	struct packet path = {0};
	if (!find_path_back(worker, port, sender_network(worker, packet, port), sender, &path))
		return;
	if (!is_within_limit(worker, packet, original)) {
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_ICMP_LIMITED, 1);
		return;
	}
	struct packet *error = packet_generate(worker, packet);
	if (!error)
		return;
	uint32_t total = IPV4_BYTES_MIN + ICMP_BYTES + bytes;
	error->l3 = ETHERNET_BYTES;
	error->l4 = ETHERNET_BYTES + IPV4_BYTES_MIN;
	error->bytes = ETHERNET_BYTES + total;
	error->protocol = IPPROTO_ICMP;
	error->out_port = path.out_port;
	error->next_hop = path.next_hop;
	uint8_t *ip = packet_ip(error), *icmp = ip + IPV4_BYTES_MIN;
	write_header(ip, total, port->address, sender);
	memset(icmp, 0, ICMP_BYTES);
	icmp[0] = type;
	icmp[ICMP_CODE] = code;
	write16(icmp + ICMP_NEXT_HOP_MTU, mtu);
	memcpy(icmp + ICMP_BYTES, original, bytes);
	write16(icmp + ICMP_CHECKSUM, (uint16_t)~checksum_sum(icmp, ICMP_BYTES + bytes));
}

void icmp_drop(struct worker *worker, struct packet *packet, enum egret_drop drop, uint8_t type,
	uint8_t code)
{
	icmp_send_error(worker, packet, type, code, 0);
	packet_drop(packet, drop);
}
