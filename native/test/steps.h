// SPDX-License-Identifier: Apache-2.0

// One step against the gateway of memory_gateway.h, and what came of it.
#pragma once
#include "memory_gateway.h"
#include "tap.h"

static struct gateway *g; // of the test that runs

#define CLEAN() \
	tap_ok(!g->problem, "balanced, checksums right: %s", g->problem ? g->problem : "yes")

// Sends a frame and expects nothing but one drop with this reason.
#define DROPPED(port, frame, reason, text) \
	do { \
		uint64_t drops_before = gateway_drops(g, EGRET_DROP_##reason); \
		gateway_send(g, port, frame); \
		tap_ok(is_only_dropped(EGRET_DROP_##reason, drops_before), text ": " #reason); \
	} while (0)

static inline int is_from(struct frame *frame, const char *source, const char *destination)
{
	return frame && read32(frame_ip(frame) + IPV4_SOURCE) == address_of(source) &&
		read32(frame_ip(frame) + IPV4_DESTINATION) == address_of(destination);
}

static inline uint16_t source_port(struct frame *frame)
{
	return frame ? read16(frame_l4(frame)) : 0;
}

// 1 when all that happened since is a drop with this reason.
static inline int is_only_dropped(enum egret_drop drop, uint64_t before)
{
	return g->out_count == 0 && !g->problem && gateway_drops(g, drop) == before + 1;
}

static inline uint64_t worker_counter(enum egret_worker_counter counter)
{
	return g->arena->counters->worker[counter];
}

static inline struct frame *udp(
	const char *source, uint16_t from, const char *destination, uint16_t to)
{
	return frame_udp(frame_ipv4(source, destination), from, to, 32);
}

static inline struct frame *tcp(
	const char *source, uint16_t from, const char *destination, uint16_t to, uint8_t flags)
{
	return frame_tcp(frame_ipv4(source, destination), from, to, flags, 0);
}

static inline struct frame *arp_request(const char *target)
{
	struct frame *frame = frame_new();
	static const uint8_t fixed[] = {
		0, 1, 8, 0, 6, 4, 0, 1, 2, 1, 172, 16, 1, 140, 172, 16, 1, 140};
	memset(frame->data, 0xff, 6);
	write16(frame->data + ETHERNET_TYPE, ETHERTYPE_IS_ARP);
	memcpy(frame->data + 14, fixed, sizeof fixed);
	write32(frame->data + 14 + ARP_TARGET_ADDRESS, address_of(target));
	frame->bytes = 60;
	return frame;
}
