// SPDX-License-Identifier: Apache-2.0

// What crosses the seam between egretd (TypeScript) and the data plane (C).
//
// Every struct, limit and name that both sides know is a table in this file. `make abi` prints the
// tables into src/dataplane/abi.gen.ts, so that neither side repeats the other by hand. What of them the
// forwarder shares is part of native/abi.layout, by whose hash a restarted egretd adopts a forwarder.
//
// Conventions: a field list names C type, TypeScript accessor, name and meaning; big fields come
// first, so that no struct has padding. `_be` is network byte order, everything else is host order.
// Addresses without `_be` are IPv4 in host order. Times are CLOCK_MONOTONIC nanoseconds, or ticks
// of 100 ms of it. References are indexes, never pointers.
#pragma once

#include <stdint.h>

// Limits that are part of the layout. What an operator can change stands in EGRET_LIMITS_FIELDS.
enum {
	EGRET_PORT_MAX = 64, // interfaces that the forwarder may open
	EGRET_NETWORK_MAX = 256, // slot 0 is the main table
	EGRET_ADDRESS_MAX = 4096, // gateway addresses
	EGRET_WORKER_MAX = 1, // workers; records and counters are sharded by it
	EGRET_GROUP_PATHS_MAX = 16, // members of a next-hop group (ECMP)
	EGRET_RULE_ADDRESSES_MAX = 64, // gateway addresses that one rule may choose from
	EGRET_ADDRESS_NETWORKS_MAX = 8, // networks of one gateway
	EGRET_NAME_BYTES = 16, // IFNAMSIZ
	EGRET_TICK_NS = 100000000, // a session's clock
	EGRET_VERSION_CHUNKS = 1024, // FIB versions per network: one for each /10
};

// No row, record, slot or number of a list that counts from 0. Where 0 itself cannot occur (addresses,
// plan numbers, next-hop groups, drop reasons) 0 is none.
#define EGRET_NONE UINT32_MAX

// Next-hop group numbers with a meaning of their own.
enum {
	EGRET_GROUP_NONE = 0, // no route
	EGRET_GROUP_UNREACHABLE = 1, // a route that says: answer with ICMP unreachable
	EGRET_GROUP_FIRST = 2, // the first group that egretd may assign
};

// -- Status ---------------------------------------------------------------------------------------

// Name, code of EgretError, what happened. Functions return 0 or the negative of one of these.
#define EGRET_STATUSES(S) \
	S(OK, "OK", "Nothing went wrong") \
	S(SYSTEM, "NATIVE_SYSTEM", "A system call failed; egret_errno() says why") \
	S(NO_SPACE, "NATIVE_NO_SPACE", "A table of the arena is full") \
	S(BAD_ARENA, "NATIVE_BAD_ARENA", "The file is not an arena, or of another size") \
	S(ABI_MISMATCH, "NATIVE_ABI_MISMATCH", "The other side was built from another abi.h") \
	S(BAD_ARGUMENT, "NATIVE_BAD_ARGUMENT", "An argument is outside its range") \
	S(NOT_FOUND, "NATIVE_NOT_FOUND", "No such row") \
	S(TIMEOUT, "NATIVE_TIMEOUT", "The other side did not answer in time") \
	S(CLOSED, "NATIVE_CLOSED", "The other side closed the connection")

#define EGRET_STATUS_ENUM(sym, code, text) EGRET_STATUS_##sym,
enum egret_status { EGRET_STATUSES(EGRET_STATUS_ENUM) EGRET_STATUS_COUNT };

// -- Drops and counters ---------------------------------------------------------------------------

// Symbol, counter name, meaning. One packet has at most one drop reason (NONE: it is not dropped);
// drops are counted on the port by which the packet came.
#define EGRET_DROPS(D) \
	D(TOO_SHORT, "too_short", "Shorter than its headers say") \
	D(BAD_HEADER, "bad_header", \
		"RFC 1812 §5.2.2: version, header length or total length is wrong") \
	D(BAD_CHECKSUM, "bad_checksum", "RFC 1812 §5.2.2: the IPv4 or ICMP checksum is wrong") \
	D(MARTIAN_SOURCE, "martian_source", \
		"RFC 1812 §5.3.7: a source that no host may have, or that is ours") \
	D(MARTIAN_DESTINATION, "martian_destination", \
		"RFC 1812 §5.3.7: a destination that is never forwarded") \
	D(SOURCE_ROUTE, "source_route", "RFC 7126: an IPv4 source-route option") \
	D(TTL_EXCEEDED, "ttl_exceeded", "RFC 1812 §5.3.1: TTL reached zero") \
	D(IPV6, "ipv6", "IPv6 is not forwarded yet") \
	D(NOT_IP, "not_ip", "Neither IPv4 nor IPv6 nor something that the kernel handles") \
	D(OTHER_HOST, "other_host", "Addressed to another station's MAC address") \
	D(PROTOCOL, "protocol", "A transport protocol that is not translated") \
	D(FRAGMENT, "fragment", "A fragment that could not be put together") \
	D(NOT_A_CLIENT, "not_a_client", "The source is no client") \
	D(WRONG_INTERFACE, "wrong_interface", \
		"RFC 3704: the main table does not reach this client by that interface") \
	D(WRONG_NETWORK, "wrong_network", "For a pool address of another network") \
	D(NO_POLICY, "no_policy", "The client's policy does not exist") \
	D(NO_RULE, "no_rule", "No rule of the client's policy covers the destination") \
	D(NO_GATEWAY, "no_gateway", "No gateway of the rule is ready") \
	D(NO_ROUTE, "no_route", "The gateway's networks have no route to the destination") \
	D(NETWORK_EXIT, "network_exit", \
		"A rule without gateway leads out of a network's interface") \
	D(NO_PORTS, "no_ports", "RFC 6888 REQ-11: no outside port is free") \
	D(CLIENT_LIMIT, "client_limit", \
		"RFC 6888 REQ-4: the client holds as many sessions as it may") \
	D(SESSIONS_FULL, "sessions_full", \
		"The session table is full, or what is left of it is kept for others") \
	D(NO_SESSION, "no_session", "For a pool address, but of no session") \
	D(FILTERED, "filtered", \
		"RFC 4787 REQ-8: from a remote endpoint that the client never sent to") \
	D(TCP_NO_SYN, "tcp_no_syn", "TCP without a session that does not begin with SYN") \
	D(TCP_SEQUENCE, "tcp_sequence", "RFC 5961 §3.2: a RST from outside that is in no window") \
	D(ICMP_TYPE, "icmp_type", "RFC 5508 §5: an ICMP type that is not translated") \
	D(ICMP_INNER, "icmp_inner", "RFC 5508 REQ-4: an ICMP error about no packet of ours") \
	D(TOO_BIG, "too_big", "Larger than the egress MTU with DF set") \
	D(PORT_DOWN, "port_down", "The egress interface is down or was removed") \
	D(NO_NEIGHBOR, "no_neighbor", "RFC 1812 §5.3.2.1: the next hop did not answer ARP") \
	D(HOLD_FULL, "hold_full", \
		"The queue of packets that wait for this next hop is full, or its sender has too " \
		"many wait") \
	D(TX_FAILED, "tx_failed", "The kernel refused to send") \
	D(STALE, "stale", \
		"Queued in the kernel while no forwarder ran, or when its port was closed") \
	D(NOT_FORWARDED, "not_forwarded", \
		"Neither from a client, nor for a pool address, nor for this box")

#define EGRET_DROP_ENUM(sym, name, doc) EGRET_DROP_##sym,
enum egret_drop { EGRET_DROP_NONE = 0, EGRET_DROPS(EGRET_DROP_ENUM) EGRET_DROP_COUNT };

// Counters of one port. Every row but the last four obeys
//   received + generated = sent + kernel + dropped + absorbed + held
// where each is counted on the port by which the packet (or the packet that caused it) came.
#define EGRET_PORT_COUNTERS(C) \
	C(RECEIVED, "received", "Frames received by the port") \
	C(RECEIVED_BYTES, "received_bytes", "Bytes of them, without FCS") \
	C(GENERATED, "generated", \
		"Frames made here: ICMP errors, fragments, software segments, ARP") \
	C(SENT, "sent", \
		"Frames that came by this port, or were made because of one, and left by any") \
	C(KERNEL, "kernel", "Frames left to the kernel") \
	C(ABSORBED, "absorbed", "Fragments merged into another frame") \
	C(HELD, "held", "Frames that wait for a neighbor now (a gauge)") \
	C(TRANSMITTED, "transmitted", "Frames that left by this port") \
	C(TRANSMITTED_BYTES, "transmitted_bytes", "Bytes of them, without FCS") \
	C(KERNEL_LOST, "kernel_lost", \
		"Frames that the kernel could not queue for us; not in received") \
	C(ICMP_LIMITED, "icmp_limited", "ICMP errors not sent because of the rate limit")

#define EGRET_PORT_COUNTER_ENUM(sym, name, doc) EGRET_PORT_COUNTER_##sym,
enum egret_port_counter { EGRET_PORT_COUNTERS(EGRET_PORT_COUNTER_ENUM) EGRET_PORT_COUNTER_COUNT };

// Counters of one worker.
#define EGRET_WORKER_COUNTERS(C) \
	C(SESSIONS, "sessions", "NAT sessions now (a gauge)") \
	C(BINDINGS, "bindings", "NAT bindings now (a gauge)") \
	C(SESSIONS_CREATED, "sessions_created", "NAT sessions created") \
	C(SESSIONS_EXPIRED, "sessions_expired", "NAT sessions removed by their timer") \
	C(SESSIONS_REVOKED, "sessions_revoked", \
		"NAT sessions removed because the configuration no longer allows them") \
	C(SESSIONS_CLEARED, "sessions_cleared", "NAT sessions removed by `egret clear sessions`") \
	C(SESSIONS_REBUILT, "sessions_rebuilt", \
		"NAT sessions found by this forwarder when it started") \
	C(BATCHES, "batches", "Batches processed") \
	C(NEIGHBOR_PROBES, "neighbor_probes", "Neighbors that the kernel was asked to resolve") \
	C(NEIGHBOR_OVERRUNS, "neighbor_overruns", \
		"Times the kernel's neighbor events overran and were read again in full")

#define EGRET_WORKER_COUNTER_ENUM(sym, name, doc) EGRET_WORKER_COUNTER_##sym,
enum egret_worker_counter {
	EGRET_WORKER_COUNTERS(EGRET_WORKER_COUNTER_ENUM) EGRET_WORKER_COUNTER_COUNT
};

// -- Structs --------------------------------------------------------------------------------------

// Fields that are arrays. They have names so that a field list needs no column for their length.
typedef uint8_t egret_mac[6];
typedef uint16_t egret_networks[EGRET_ADDRESS_NETWORKS_MAX];

// How large the arena is made; printed at start.
#define EGRET_LIMITS_FIELDS(F) \
	F(uint32_t, u32, sessions, "NAT sessions") \
	F(uint32_t, u32, bindings, "NAT bindings, quarantined ones included") \
	F(uint32_t, u32, networks, "network slots that have a FIB, the main table included") \
	F(uint32_t, u32, plies, "FIB plies of 256 entries in one generation") \
	F(uint32_t, u32, groups, "next-hop groups in one generation") \
	F(uint32_t, u32, neighbors, "neighbors (next hops and directly connected hosts)") \
	F(uint32_t, u32, clients, "client prefixes of a plan") \
	F(uint32_t, u32, rules, "policy rules of a plan") \
	F(uint32_t, u32, rule_addresses, "gateway addresses listed by all rules of a plan")

// A member of a next-hop group. next_hop 0: the destination itself is on the link.
#define EGRET_ADJACENCY_FIELDS(F) \
	F(uint32_t, u32, next_hop, \
		"IPv4 address of the next hop, host order; 0: the packet's destination") \
	F(uint16_t, u16, port, "port slot by which it is reached") \
	F(uint16_t, u16, reserved, "zero")

// A change of one prefix in a network's FIB.
#define EGRET_FIB_DELTA_FIELDS(F) \
	F(uint32_t, u32, prefix, "network address, host order, host bits zero") \
	F(uint32_t, u32, prefix_length, "0 to 32") \
	F(uint32_t, u32, group, "next-hop group; EGRET_GROUP_NONE withdraws")

// Roles of a port (Appliance.spec.interfaces[].role).
enum { EGRET_ROLE_CLIENTS = 1, EGRET_ROLE_NETWORKS = 2, EGRET_ROLE_ANY = 3 };

// A port as the plan describes it. A slot keeps its interface name for the arena's life.
#define EGRET_PLAN_PORT_FIELDS(F) \
	F(uint32_t, u32, ifindex, "kernel's index; 0: the interface does not exist now") \
	F(uint32_t, u32, address, "source of ICMP errors that leave by it; 0: none") \
	F(uint32_t, u32, mtu, "IPv4 MTU in bytes") \
	F(uint16_t, u16, slot, "port slot") \
	F(uint16_t, u16, network, \
		"network slot when it belongs to exactly one network; 0 otherwise") \
	F(uint8_t, u8, role, "EGRET_ROLE_*") \
	F(uint8_t, u8, is_up, "1 when the link is up") \
	F(egret_mac, u8, mac, "MAC address")

// An address of the box itself, or a broadcast address: left to the kernel as a destination, and no
// host's as a source in its network.
#define EGRET_PLAN_LOCAL_FIELDS(F) \
	F(uint32_t, u32, address, "host order") \
	F(uint16_t, u16, network, \
		"as that of the port that has it; 0: of the main table, or of an interface that " \
		"is no port") \
	F(uint16_t, u16, reserved, "zero")

// A gateway's address.
#define EGRET_PLAN_ADDRESS_FIELDS(F) \
	F(uint32_t, u32, address, "host order") \
	F(uint16_t, u16, slot, "address slot; keeps its address for the arena's life") \
	F(uint16_t, u16, is_ready, "1 when clients may use it") \
	F(uint16_t, u16, network_count, "0: the main table") \
	F(egret_networks, u16, networks, "network slots, in the gateway's order") \
	F(uint16_t, u16, reserved, "zero")

// What a rule does with a packet.
enum { EGRET_ACTION_GATEWAY = 1, EGRET_ACTION_MAIN = 2, EGRET_ACTION_BLOCK = 3 };

// A rule of a policy. Rules of one policy are consecutive, longest prefix first.
#define EGRET_PLAN_RULE_FIELDS(F) \
	F(uint32_t, u32, prefix, "destination, host order") \
	F(uint32_t, u32, first_address, "index of its first row in the list of rule addresses") \
	F(uint16_t, u16, address_count, "rows there; 0: none is ready") \
	F(uint16_t, u16, max_next_hops, "a client uses at most so many of them; 0: all") \
	F(uint16_t, u16, prefix_length, "0 to 32") \
	F(uint16_t, u16, action, "EGRET_ACTION_*")

// A client prefix. Longest prefix wins.
#define EGRET_PLAN_CLIENT_FIELDS(F) \
	F(uint32_t, u32, prefix, "host order") \
	F(uint32_t, u32, first_rule, "index of the first rule of its policy") \
	F(uint32_t, u32, rule_count, "0: the policy does not exist, everything is dropped") \
	F(uint32_t, u32, prefix_length, "0 to 32") \
	F(uint32_t, u32, identity, \
		"number of the client in egretd's model, for status; EGRET_NONE: a " \
		"hole in a shorter prefix")

// Header of an encoded plan: the rows follow in this order, each list without gaps.
#define EGRET_PLAN_FIELDS(F) \
	F(uint64_t, u64, udp_timeout_ns, "RFC 4787 REQ-5") \
	F(uint64_t, u64, tcp_established_timeout_ns, "RFC 5382 REQ-5") \
	F(uint64_t, u64, tcp_transitory_timeout_ns, "RFC 5382 REQ-5") \
	F(uint64_t, u64, icmp_timeout_ns, "RFC 5508 REQ-2") \
	F(uint64_t, u64, quarantine_ns, "RFC 6888 REQ-8: before another client gets a port") \
	F(uint32_t, u32, client_sessions_max, "sessions of one client address; 0: no limit") \
	F(uint32_t, u32, icmp_errors_per_second, \
		"ICMP errors sent to one address; to all of them 100 times as many") \
	F(uint32_t, u32, filtering, \
		"0: address and port dependent; 1: address dependent; 2: endpoint independent " \
		"(RFC 4787 §5)") \
	F(uint32_t, u32, mapping, \
		"0: endpoint independent; 1: address and port dependent (RFC 4787 §4.1)") \
	F(uint32_t, u32, port_count, "rows of struct egret_plan_port") \
	F(uint32_t, u32, local_count, "rows of struct egret_plan_local") \
	F(uint32_t, u32, address_count, "rows of struct egret_plan_address") \
	F(uint32_t, u32, rule_count, "rows of struct egret_plan_rule") \
	F(uint32_t, u32, rule_address_count, \
		"rows of uint32_t: indexes into the plan's addresses") \
	F(uint32_t, u32, client_count, "rows of struct egret_plan_client")

// A NAT session as status copies it.
#define EGRET_SESSION_ROW_FIELDS(F) \
	F(uint64_t, u64, idle_ns, "since its last packet") \
	F(uint32_t, u32, inside_addr, "host order") \
	F(uint32_t, u32, outside_addr, "host order") \
	F(uint32_t, u32, remote_addr, "host order") \
	F(uint16_t, u16, inside_port, "port or ICMP query id") \
	F(uint16_t, u16, outside_port, "") \
	F(uint16_t, u16, remote_port, "") \
	F(uint16_t, u16, network, "network slot") \
	F(uint8_t, u8, protocol, "IP protocol number") \
	F(uint8_t, u8, state, "index into EGRET_SESSION_STATES") \
	F(uint16_t, u16, reserved0, "zero")

#define EGRET_SESSION_STATES(S) \
	S(ACTIVE, "active") \
	S(TCP_OPENING, "opening") \
	S(TCP_ESTABLISHED, "established") S(TCP_CLOSING, "closing") S(TCP_CLOSED, "closed")
#define EGRET_SESSION_STATE_ENUM(sym, name) EGRET_SESSION_STATE_##sym,
enum egret_session_state {
	EGRET_SESSION_STATES(EGRET_SESSION_STATE_ENUM) EGRET_SESSION_STATE_COUNT
};

// Ports of one gateway address, by protocol; kept by the worker that owns them.
#define EGRET_POOL_ROW_FIELDS(F) \
	F(uint32_t, u32, tcp_used, "outside TCP ports of live bindings") \
	F(uint32_t, u32, udp_used, "outside UDP ports of live bindings") \
	F(uint32_t, u32, icmp_used, "ICMP query ids of live bindings") \
	F(uint32_t, u32, quarantined, "ports of all protocols that wait out RFC 6888 REQ-8")

// A neighbor as the forwarder knows it.
#define EGRET_NEIGHBOR_ROW_FIELDS(F) \
	F(uint64_t, u64, since_ns, "when it came into its state; 0: a previous forwarder saw it") \
	F(uint32_t, u32, address, "host order") \
	F(uint16_t, u16, port, "port slot") \
	F(uint16_t, u16, state, "0 unknown, 1 resolving, 2 reachable, 3 failed") \
	F(egret_mac, u8, mac, "its MAC address") \
	F(uint16_t, u16, reserved, "zero")

// What `egret why` learns from the data plane: the decision for a first packet.
#define EGRET_DECISION_FIELDS(F) \
	F(uint32_t, u32, client, "identity of the client; EGRET_NONE: no client") \
	F(uint32_t, u32, rule, "index of the rule in the plan; EGRET_NONE: no rule") \
	F(uint32_t, u32, outside_addr, "gateway address; 0: none") \
	F(uint32_t, u32, group, "next-hop group") \
	F(uint32_t, u32, next_hop, "host order; 0: none") \
	F(uint32_t, u32, port, "port slot; EGRET_NONE: it does not leave") \
	F(uint16_t, u16, network, "network slot of the route") \
	F(uint16_t, u16, drop, "enum egret_drop; NONE: forwarded")

// What egret_arena_inspect finds: the sessions of an arena that cannot be adopted.
#define EGRET_ARENA_FOUND_FIELDS(F) \
	F(uint32_t, u32, is_convertible, "1 when its sessions can be kept") \
	F(uint32_t, u32, record_version, "of its session and binding records") \
	F(uint32_t, u32, sessions, "live ones, as far as this build can tell") \
	F(uint32_t, u32, sessions_used, "room that its sessions need") \
	F(uint32_t, u32, bindings_used, "room that its bindings need") \
	F(uint32_t, u32, networks_used, "network slots that it has given away")

// A packet that egretd sends through the pipeline to see what becomes of it, and each answer to it
// (pipeline/trial.h). One message: this header, then the IPv4 packet, EGRET_TRIAL_BYTES in all.
enum { EGRET_TRIAL_CLIENT = 1, EGRET_TRIAL_GATEWAY = 2, EGRET_TRIAL_NETWORK = 3 };
enum { EGRET_TRIAL_FATE = 4, EGRET_TRIAL_ANSWER = 5 };
enum { EGRET_TRIAL_BYTES = 2048 };
#define EGRET_TRIAL_FIELDS(F) \
	F(uint64_t, u64, time_ns, "when it was sent, or when the answer came") \
	F(uint32_t, u32, number, "of the run; everything that answers it repeats it") \
	F(uint32_t, u32, kind, "whose packet it is, EGRET_TRIAL_*; or FATE, or ANSWER") \
	F(uint32_t, u32, bytes, "of the IPv4 packet that follows") \
	F(uint32_t, u32, outside_addr, "FATE: its source when it left; 0: it did not leave") \
	F(uint32_t, u32, next_hop, "FATE: host order; 0: it did not leave") \
	F(uint16_t, u16, network, "network slot") \
	F(uint16_t, u16, port, "slot of the port by which it enters, left, or answers") \
	F(uint16_t, u16, drop, "FATE: enum egret_drop") \
	F(uint16_t, u16, is_local, "FATE: 1 when the destination is this box") \
	F(uint32_t, u32, reserved, "zero")

#define EGRET_STRUCTS(S) \
	S(limits, EGRET_LIMITS_FIELDS) \
	S(adjacency, EGRET_ADJACENCY_FIELDS) \
	S(fib_delta, EGRET_FIB_DELTA_FIELDS) \
	S(plan, EGRET_PLAN_FIELDS) \
	S(plan_port, EGRET_PLAN_PORT_FIELDS) \
	S(plan_local, EGRET_PLAN_LOCAL_FIELDS) \
	S(plan_address, EGRET_PLAN_ADDRESS_FIELDS) \
	S(plan_rule, EGRET_PLAN_RULE_FIELDS) \
	S(plan_client, EGRET_PLAN_CLIENT_FIELDS) \
	S(session_row, EGRET_SESSION_ROW_FIELDS) \
	S(pool_row, EGRET_POOL_ROW_FIELDS) \
	S(neighbor_row, EGRET_NEIGHBOR_ROW_FIELDS) \
	S(decision, EGRET_DECISION_FIELDS) \
	S(trial, EGRET_TRIAL_FIELDS) \
	S(arena_found, EGRET_ARENA_FOUND_FIELDS)

#define EGRET_FIELD_DECLARE(ctype, accessor, name, doc) ctype name;
#define EGRET_FIELD_BYTES(ctype, accessor, name, doc) +sizeof(ctype)
#define EGRET_STRUCT_DECLARE(name, FIELDS) \
	struct egret_##name { \
		FIELDS(EGRET_FIELD_DECLARE) \
	}; \
	_Static_assert(sizeof(struct egret_##name) == 0 FIELDS(EGRET_FIELD_BYTES), \
		"egret_" #name " has padding");
EGRET_STRUCTS(EGRET_STRUCT_DECLARE)
