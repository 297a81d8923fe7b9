// SPDX-License-Identifier: Apache-2.0

// Bytes become frames, waits, plans and routes for the gateway of test/memory_gateway.h. Whatever they are:
//
//   - nothing is read or written outside (ASan, UBSan);
//   - frames balance on every port after every step;
//   - what leaves by a network's port has a source that lives in that network: one of its pool
//     addresses, or the port's own address in an ICMP error or ARP made here;
//   - nothing leaves that is larger than the link takes, and every IPv4 header checksum is right.
#include "../test/memory_gateway.h"
#include "input.h"

#include <stdint.h>
#include <stdlib.h>

static struct gateway *g;
static uint16_t outside_port; // of the newest session, so that answers can hit

static int lives_in(uint32_t source, uint16_t port)
{
	uint32_t both = address_of("10.50.0.3");
	return source == both || source == address_of(port == RED_PORT ? "10.50.0.2" : "10.60.0.2");
}

static void check_network_frame(struct frame *frame)
{
	uint16_t type = read16(frame->data + ETHERNET_TYPE);
	check(frame->data[11] == frame->port, "from the port's MAC address");
	if (type == ETHERTYPE_IS_ARP) {
		check(lives_in(read32(frame->data + 14 + ARP_SENDER_ADDRESS), frame->port),
			"ARP for an address of this network");
		return;
	}
	check(type == ETHERTYPE_IS_IPV4, "IPv4 or ARP");
	uint32_t source = read32(frame_ip(frame) + IPV4_SOURCE);
	int is_error = frame_ip(frame)[IPV4_PROTOCOL] == IPPROTO_ICMP &&
		icmp_type_is_error(frame_l4(frame)[0]);
	check(lives_in(source, frame->port) || (source == address_of("172.16.1.1") && is_error),
		"a source that lives in this network");
}

static void check_out(void)
{
	check(gateway_is_balanced(g), "frames balance");
	for (uint32_t i = 0; i < g->out_count; i++) {
		struct frame *frame = g->out[i];
		if (frame->port == RED_PORT || frame->port == BLUE_PORT)
			check_network_frame(frame);
		if (read16(frame->data + ETHERNET_TYPE) != ETHERTYPE_IS_IPV4)
			continue;
		uint8_t *ip = frame_ip(frame);
		check(checksum_sum(ip, ipv4_header_bytes(ip)) == 0xffff, "IPv4 checksum");
		check(frame->gso_type || frame->bytes - 14 <= g->plan.ports[frame->port].mtu,
			"no larger than the MTU");
		if (frame->port == RED_PORT && !(read16(ip + IPV4_FRAGMENT) & IPV4_OFFSET) &&
			(ip[IPV4_PROTOCOL] == IPPROTO_UDP || ip[IPV4_PROTOCOL] == IPPROTO_TCP))
			outside_port = read16(frame_l4(frame));
	}
}

static const char *const clients[] = {"10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.9"};
static const char *const remotes[] = {"192.0.2.10", "192.0.2.200", "10.9.0.9", "203.0.113.1"};
static const char *const pools[] = {"10.50.0.2", "10.50.0.3", "10.60.0.2", "172.16.1.1"};

static struct frame *make_transport(struct input *input, struct frame *frame, int is_answer)
{
	uint8_t kind = take(input);
	uint16_t port = (uint16_t)(4000 + kind % 4), payload = (uint16_t)(take16(input) % 3000);
	uint16_t from = is_answer ? 53 : port, to = is_answer ? outside_port : 53;
	switch (kind >> 6) {
	case 0:
		return frame_udp(frame, from, to, payload);
	case 1:
		return frame_tcp(frame, from, to, take(input), payload);
	case 2:
		return frame_echo(
			frame, is_answer ? 0 : 8, is_answer ? outside_port : port, payload);
	default: {
		struct frame *about = frame_udp(
			frame_ipv4(is_answer ? pools[kind % 4] : remotes[kind % 4],
				is_answer ? remotes[kind / 4 % 4] : clients[kind / 4 % 4]),
			is_answer ? outside_port : 53, is_answer ? 53 : port, 64);
		return frame_error(frame, take(input) % 16, take(input), about, payload % 80);
	}
	}
}

static void send_frame(struct input *input, uint8_t op)
{
	uint16_t at = op & 3;
	uint8_t who = take(input);
	int is_answer = at == RED_PORT || at == BLUE_PORT;
	struct frame *frame = is_answer
		? frame_ipv4(remotes[who % 4], who & 16 ? clients[who / 4 % 4] : pools[who / 4 % 4])
		: frame_ipv4(clients[who % 4], remotes[who / 4 % 4]);
	frame = make_transport(input, frame, is_answer);
	uint8_t how = take(input);
	if (how & 1)
		frame = with_df(frame);
	if (how & 2)
		frame = with_ttl(frame, take(input) % 3);
	if (how & 4)
		frame = with_fragment(frame, take16(input));
	if ((how & 24) == 8)
		frame = with_partial(frame);
	if ((how & 24) == 16)
		frame = with_gso(frame, take(input), take16(input));
	to_gateway(at, frame);
	for (uint8_t changes = how >> 5; changes > 0; changes--) {
		uint32_t where = take16(input) % (frame->bytes < 100 ? frame->bytes : 100);
		frame->data[where] = take(input);
	}
	if (how == 0xff)
		frame->bytes = take16(input) % (frame->bytes + 1);
	gateway_put(g, at, frame);
}

static void send_raw(struct input *input, uint8_t op)
{
	struct frame *frame = frame_new();
	uint32_t bytes = take(input);
	while (frame->bytes < bytes)
		frame->data[frame->bytes++] = take(input);
	if (op & 4)
		to_gateway(op & 3, frame);
	gateway_put(g, op & 3, frame);
}

static void change_plan(struct input *input)
{
	uint8_t what = take(input);
	gateway_plan(g);
	g->plan.plan.filtering = what % 3;
	g->plan.plan.mapping = what >> 2 & 1;
	g->plan.plan.client_sessions_max = what & 8 ? 2 : 0;
	g->plan.addresses[0].is_ready = !(what & 16);
	g->plan.ports[RED_PORT].mtu = what & 32 ? 576 : 1500;
	g->plan.ports[BLUE_PORT].is_up = !(what & 64);
	if (what & 128)
		g->plan.rules[1].first_address = 2;
	gateway_publish(g);
}

static void change_routes(struct input *input)
{
	uint8_t what = take(input);
	uint32_t red = what & 1 ? EGRET_GROUP_NONE : what & 2 ? GROUP_BLUE : GROUP_RED;
	gateway_route(g, RED, "192.0.2.0", 24, red);
	gateway_route(g, BLUE, "192.0.2.128", 25, what & 4 ? GROUP_BLUE : EGRET_GROUP_NONE);
	gateway_route(g, 0, "10.9.0.0", 16, what & 8 ? GROUP_RED : GROUP_OFFICE);
	gateway_route(g, 0, "10.1.0.0", 24, what & 16 ? GROUP_BLUE : GROUP_CLIENTS);
	gateway_route(g, RED, "10.50.0.0", 24, what & 32 ? GROUP_RED_LINK : EGRET_GROUP_NONE);
}

static void run(struct input *input)
{
	while (input->left > 0) {
		uint8_t op = take(input);
		if (op < 160) {
			send_frame(input, op);
			if ((op & 12) && g->worker->batch.count < BATCH_PACKETS)
				continue; // more of them in one batch
		} else if (op < 200) {
			send_raw(input, op);
		} else if (op < 220) {
			gateway_run(g);
			gateway_wait(g, (uint64_t)take16(input) * 10000000);
		} else {
			gateway_run(g);
			check_out();
			if (op < 240)
				change_plan(input);
			else
				change_routes(input);
		}
		gateway_run(g);
		check_out();
	}
	gateway_run(g);
	check_out();
}

// Back to the beginning: everything expires, plan and routes are those of the picture.
static void reset(void)
{
	gateway_plan(g);
	gateway_publish(g);
	gateway_routes(g);
	gateway_route(g, BLUE, "192.0.2.128", 25, EGRET_GROUP_NONE);
	gateway_route(g, RED, "10.50.0.0", 24, EGRET_GROUP_NONE);
	gateway_wait(g, 8000000000000ull);
	gateway_wait(g, 200000000000ull);
	check_out();
	check(g->arena->counters->worker[EGRET_WORKER_COUNTER_SESSIONS] == 0, "all expire");
	struct egret_pool_row none = {0}, row;
	for (uint16_t slot = 0; slot < 3; slot++) {
		egret_pool_read(g->arena, slot, &row);
		check(memcmp(&row, &none, sizeof row) == 0, "all ports come back");
	}
	check(gateway_counter(g, CLIENT_PORT, EGRET_PORT_COUNTER_HELD) == 0, "nothing is held");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!g)
		g = gateway_make_with(16, 16);
	struct input input = {bytes, n};
	run(&input);
	reset();
	return 0;
}
