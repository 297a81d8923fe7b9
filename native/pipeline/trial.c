// SPDX-License-Identifier: Apache-2.0

// Trials and their answers. See trial.h.
#include "pipeline/trial.h"

#include "nat/session.h"
#include "wire/header.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCHES = 16, IP_BYTES_MAX = EGRET_TRIAL_BYTES - (int)sizeof(struct egret_trial) };

#define TRIAL_WATCH_NS 10000000000ull

// What answers a run: the other way round. A new run takes the place of the oldest.
struct watch {
	uint64_t until_ns;
	uint32_t number;
	uint32_t local, remote;
	uint16_t local_port; // or the query id
	uint16_t network; // of the box's own address; 0: an address that only one network can have
	uint8_t protocol;
};

struct message {
	struct egret_trial head;
	uint8_t ip[IP_BYTES_MAX];
};
_Static_assert(sizeof(struct message) == EGRET_TRIAL_BYTES, "a message has a fixed size");

struct trials {
	int fd; // -1: none
	uint32_t bytes; // of the inbox, so far
	struct message inbox;
	struct watch watches[WATCHES];
	uint64_t until_ns; // of the watch that ends last
};

struct trials *trials_make(void)
{
	struct trials *trials = calloc(1, sizeof *trials);
	if (trials)
		trials->fd = -1;
	return trials;
}

void trials_free(struct trials *trials)
{
	if (!trials)
		return;
	trials_set_socket(trials, -1);
	free(trials);
}

void trials_set_socket(struct trials *trials, int fd)
{
	if (trials->fd >= 0)
		close(trials->fd);
	trials->fd = fd;
	trials->bytes = 0;
	trials->until_ns = 0;
}

int trials_socket(const struct trials *trials)
{
	return trials->fd;
}

static int is_request(const struct egret_trial *head)
{
	return head->kind >= EGRET_TRIAL_CLIENT && head->kind <= EGRET_TRIAL_NETWORK &&
		head->bytes >= IPV4_BYTES_MIN + ICMP_BYTES && head->bytes <= IP_BYTES_MAX &&
		head->port < EGRET_PORT_MAX && head->network < EGRET_NETWORK_MAX;
}

int trials_next(struct trials *trials, const struct egret_trial **request, const uint8_t **ip)
{
	if (trials->fd < 0)
		return 0;
	struct message *inbox = &trials->inbox;
	if (trials->bytes == sizeof *inbox)
		trials->bytes = 0;
	ssize_t got = recv(trials->fd, (uint8_t *)inbox + trials->bytes,
		sizeof *inbox - trials->bytes, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got > 0)
		trials->bytes += (uint32_t)got;
	if (got <= 0 || (trials->bytes == sizeof *inbox && !is_request(&inbox->head))) {
		trials_set_socket(trials, -1);
		return 0;
	}
	*request = &inbox->head;
	*ip = inbox->ip;
	return trials->bytes == sizeof *inbox;
}

// -- The way in -----------------------------------------------------------------------------------

// The local port or query id of what is sent.
static uint16_t own_port(const uint8_t *ip)
{
	const uint8_t *transport = ip + ipv4_header_bytes(ip);
	return read16(transport + (ip[IPV4_PROTOCOL] == IPPROTO_ICMP ? ICMP_ID : 0));
}

static void expect_answers(
	struct worker *worker, const struct egret_trial *request, const uint8_t *ip)
{
	struct trials *trials = worker->trials;
	struct watch *place = trials->watches;
	struct watch watch = {
		.until_ns = worker->now_ns + TRIAL_WATCH_NS,
		.number = request->number,
		.local = read32(ip + IPV4_SOURCE),
		.remote = read32(ip + IPV4_DESTINATION),
		.local_port = own_port(ip),
		.network = request->kind == EGRET_TRIAL_NETWORK ? request->network : 0,
		.protocol = ip[IPV4_PROTOCOL],
	};
	for (uint32_t i = 0; i < WATCHES; i++) {
		struct watch *other = &trials->watches[i];
		if (other->number == watch.number) {
			place = other;
			break;
		}
		if (other->until_ns < place->until_ns)
			place = other;
	}
	*place = watch;
	trials->until_ns = watch.until_ns;
}

// The port by which a client's packets come: one by which the main table reaches it.
static const struct egret_plan_port *entry_port(
	const struct worker *worker, const struct egret_trial *request, const uint8_t *ip)
{
	if (request->kind != EGRET_TRIAL_CLIENT)
		return plan_port(&worker->plan, request->port);
	struct egret_adjacency paths[EGRET_GROUP_PATHS_MAX];
	uint32_t group = fib_lookup(&worker->fib, 0, read32(ip + IPV4_SOURCE));
	if (group < EGRET_GROUP_FIRST || fib_group_read(&worker->fib, group, paths) == 0)
		return NULL;
	return plan_port(&worker->plan, paths[0].port);
}

int trial_enter(struct worker *worker, const struct egret_trial *request, const uint8_t *ip,
	enum egret_drop *drop)
{
	const struct egret_plan_port *port = worker->plan.number == 0
		? NULL
		: entry_port(worker, request, ip);
	if (ipv4_header_bytes(ip) != IPV4_BYTES_MIN) {
		*drop = EGRET_DROP_BAD_HEADER;
		return 0;
	}
	if (!port) {
		*drop = worker->plan.number == 0 ? EGRET_DROP_NOT_FORWARDED
			: plan_client(&worker->plan, read32(ip + IPV4_SOURCE))
			? EGRET_DROP_WRONG_INTERFACE
			: EGRET_DROP_NOT_A_CLIENT;
		return 0;
	}
	expect_answers(worker, request, ip);
	struct packet *packet = &worker->batch.packets[0];
	*packet = (struct packet){
		.data = worker_buffer(worker, 0),
		.bytes = ETHERNET_BYTES + request->bytes,
		.port = port->slot,
		.trial = (uint8_t)request->kind,
		.network = request->network,
		.session = EGRET_NONE,
		.binding = EGRET_NONE,
	};
	memset(packet->data, 0, ETHERNET_BYTES);
	memcpy(packet->data + ETHERNET_DESTINATION, port->mac, MAC_BYTES);
	write16(packet->data + ETHERNET_TYPE, ETHERTYPE_IS_IPV4);
	memcpy(packet->data + ETHERNET_BYTES, ip, request->bytes);
	worker->batch.count = 1;
	worker_count(worker, packet->port, EGRET_PORT_COUNTER_RECEIVED, 1);
	worker_count(worker, packet->port, EGRET_PORT_COUNTER_RECEIVED_BYTES, packet->bytes);
	return 1;
}

// -- The way out ----------------------------------------------------------------------------------

// A message is written whole or, when egretd does not read, not at all: so small a one is never split.
static void send_message(struct trials *trials, const struct message *message)
{
	if (trials->fd >= 0)
		(void)!send(trials->fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void trial_report(
	struct worker *worker, const struct egret_trial *request, int entered, enum egret_drop drop)
{
	const struct packet *packet = &worker->batch.packets[0];
	struct message message = {.head = {
					  .time_ns = worker->now_ns,
					  .number = request->number,
					  .kind = EGRET_TRIAL_FATE,
					  .drop = (uint16_t)(entered ? packet->drop : drop),
				  }};
	if (entered && packet->drop == EGRET_DROP_NONE) {
		message.head.is_local = !packet->is_rewritten;
		if (packet->is_rewritten) {
			message.head.outside_addr = read32(packet_ip(packet) + IPV4_SOURCE);
			message.head.next_hop = packet->next_hop;
			message.head.port = packet->out_port;
			message.head.network = packet->network;
		}
	}
	send_message(worker->trials, &message);
}

static int is_answer(const struct watch *watch, const uint8_t *ip, uint32_t bytes)
{
	if (bytes < IPV4_BYTES_MIN || read32(ip + IPV4_DESTINATION) != watch->local)
		return 0;
	uint32_t header = ipv4_header_bytes(ip);
	const uint8_t *transport = ip + header;
	if (header < IPV4_BYTES_MIN || bytes < header + ICMP_BYTES ||
		(read16(ip + IPV4_FRAGMENT) & IPV4_OFFSET))
		return 0;
	uint8_t protocol = ip[IPV4_PROTOCOL];
	if (protocol == IPPROTO_ICMP && icmp_type_is_error(transport[0])) {
		const uint8_t *quote = transport + ICMP_BYTES;
		uint32_t left = bytes - header - ICMP_BYTES;
		return left >= IPV4_BYTES_MIN && left >= ipv4_header_bytes(quote) + ICMP_BYTES &&
			ipv4_header_bytes(quote) >= IPV4_BYTES_MIN &&
			quote[IPV4_PROTOCOL] == watch->protocol &&
			read32(quote + IPV4_SOURCE) == watch->local &&
			read32(quote + IPV4_DESTINATION) == watch->remote &&
			own_port(quote) == watch->local_port;
	}
	if (protocol != watch->protocol || read32(ip + IPV4_SOURCE) != watch->remote)
		return 0;
	if (protocol == IPPROTO_ICMP)
		return transport[0] == ICMP_IS_ECHO_REPLY &&
			read16(transport + ICMP_ID) == watch->local_port;
	return read16(transport + 2) == watch->local_port;
}

static const struct watch *find_watch(const struct worker *worker, const struct packet *packet)
{
	const struct egret_plan_port *port = plan_port(&worker->plan, packet->port);
	for (uint32_t i = 0; i < WATCHES; i++) {
		const struct watch *watch = &worker->trials->watches[i];
		int is_its_network = watch->network == 0 || !port || port->network == 0 ||
			port->network == watch->network;
		if (worker->now_ns < watch->until_ns && is_its_network &&
			is_answer(watch, packet_ip(packet), packet_ip_bytes(packet)))
			return watch;
	}
	return NULL;
}

static void send_answer(
	const struct worker *worker, const struct watch *watch, const struct packet *packet)
{
	struct message message = {.head = {
					  .time_ns = worker->now_ns,
					  .number = watch->number,
					  .kind = EGRET_TRIAL_ANSWER,
					  .port = packet->port,
				  }};
	uint32_t bytes = packet_ip_bytes(packet);
	message.head.bytes = bytes < IP_BYTES_MAX ? bytes : IP_BYTES_MAX;
	memcpy(message.ip, packet_ip(packet), message.head.bytes);
	send_message(worker->trials, &message);
}

int trial_is_own_session(const struct worker *worker, const struct packet *packet)
{
	if (!packet_has_session(packet) || packet->direction != SESSION_INBOUND)
		return 0;
	const struct session_record *session = &worker->sessions->sessions[packet->session];
	return session->inside_addr == session->outside_addr;
}

void trial_divert(struct worker *worker, struct batch *batch)
{
	int is_watching = worker->now_ns < worker->trials->until_ns;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[i];
		int is_kernels = packet->verdict == PACKET_KERNEL;
		if ((packet->verdict != PACKET_LIVE && !is_kernels) || packet->l3 == 0)
			continue;
		const struct watch *watch = is_watching && !packet->trial &&
				packet->bytes > packet->l3
			? find_watch(worker, packet)
			: NULL;
		if (watch)
			send_answer(worker, watch, packet);
		if (watch && !is_kernels)
			packet->verdict = PACKET_KERNEL; // egretd's, on the box
		else if (!is_kernels && trial_is_own_session(worker, packet))
			packet_drop(packet, EGRET_DROP_NO_SESSION);
	}
}
