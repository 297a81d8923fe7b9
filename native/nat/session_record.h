// SPDX-License-Identifier: Apache-2.0

// The records of sessions and bindings, as they lie in the arena: the truth that outlives a forwarder,
// and a build.
//
// Their fields are tables, so that an arena can say by name where each of them stands
// (session_record_fields) and the next build finds what it knows (tables/convert.c). What a value means
// is part of it: the enums here, of egret_session_state and EGRET_TICK_NS go into the record hash.
#pragma once

#include "arena/arena.h"

#include <stdint.h>

// Bits of session_record.tcp_seen.
enum session_tcp_seen {
	SESSION_SYN_OUT = 1,
	SESSION_SYN_IN = 2,
	SESSION_FIN_OUT = 4,
	SESSION_FIN_IN = 8,
	SESSION_RST = 16,
};

enum binding_state { BINDING_EMPTY = 0, BINDING_LIVE = 1, BINDING_QUARANTINED = 2 };

// A session, one cache line. Addresses and ports in host order; ICMP query ids count as ports.
//
// `state` ascends with each creation and removal: a reader that finds the same odd number before and
// after it copies the record has a consistent copy. The decision is cached: it is current while its
// numbers are (session_is_current).
#define SESSION_RECORD_FIELDS(F) \
	F(uint32_t, state, "odd: live") \
	F(uint32_t, binding, "record index") \
	F(uint32_t, inside_addr, "") \
	F(uint32_t, outside_addr, "") \
	F(uint32_t, remote_addr, "") \
	F(uint16_t, inside_port, "") \
	F(uint16_t, outside_port, "") \
	F(uint16_t, remote_port, "") \
	F(uint16_t, network, "slot: whose remote this is") \
	F(uint8_t, protocol, "IP protocol number") \
	F(uint8_t, phase, "enum egret_session_state") \
	F(uint8_t, tcp_seen, "enum session_tcp_seen") \
	F(uint8_t, is_multihomed, "its gateway has several networks") \
	F(uint32_t, last_tick, "of its last packet") \
	F(uint32_t, plan_number, "by which it was decided; 0: not yet") \
	F(uint32_t, generation_number, "by which it was routed") \
	F(uint32_t, route_version, "FIB chunks of the remote and of the client, added up") \
	F(uint32_t, network_group, "next-hop group to the remote") \
	F(uint32_t, client_group, "next-hop group to the client") \
	F(uint32_t, ack_out, "TCP: where the client's last acknowledgment stands; 0: not known") \
	F(uint32_t, ack_in, "TCP: the remote's")

// A binding, half a cache line.
//
// `until_tick` is also set, while still live, before its last session is removed, so that a death in
// between does not free the port early; otherwise it is 0.
#define BINDING_RECORD_FIELDS(F) \
	F(uint32_t, state, "enum binding_state, released last") \
	F(uint32_t, until_tick, "when its quarantine ends (RFC 6888 REQ-8)") \
	F(uint32_t, inside_addr, "") \
	F(uint32_t, outside_addr, "") \
	F(uint16_t, inside_port, "") \
	F(uint16_t, outside_port, "") \
	F(uint16_t, address_slot, "of outside_addr") \
	F(uint8_t, protocol, "") \
	F(uint8_t, is_shared, "1: endpoint-independent; 0: of one session alone") \
	F(uint32_t, reserved0, "zero") \
	F(uint32_t, reserved1, "zero")

#define RECORD_FIELD_DECLARE(ctype, name, doc) ctype name;
#define RECORD_FIELD_BYTES(ctype, name, doc) +sizeof(ctype)
#define RECORD_FIELD_COUNT(ctype, name, doc) +1

struct session_record {
	SESSION_RECORD_FIELDS(RECORD_FIELD_DECLARE)
};
struct binding_record {
	BINDING_RECORD_FIELDS(RECORD_FIELD_DECLARE)
};
_Static_assert(sizeof(struct session_record) == 0 SESSION_RECORD_FIELDS(RECORD_FIELD_BYTES),
	"a session has no padding");
_Static_assert(sizeof(struct binding_record) == 0 BINDING_RECORD_FIELDS(RECORD_FIELD_BYTES),
	"a binding has no padding");

enum {
	SESSION_RECORD_FIELD_COUNT = 0 SESSION_RECORD_FIELDS(RECORD_FIELD_COUNT)
		BINDING_RECORD_FIELDS(RECORD_FIELD_COUNT),
};
// What the rows of ARENA_SESSIONS and ARENA_BINDINGS consist of in this build.
extern const struct arena_field session_record_fields[SESSION_RECORD_FIELD_COUNT];

static inline int session_record_is_live(const struct session_record *record)
{
	return __atomic_load_n(&record->state, __ATOMIC_ACQUIRE) & 1;
}

// Finishes a record whose fields were copied by name from one of an earlier version
// (ARENA_RECORD_VERSION - 1 or the same): what its values mean in this build, and a decision that
// named the tables of another arena is made again.
void session_record_convert(struct session_record *record, uint32_t version);
