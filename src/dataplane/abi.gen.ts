// SPDX-License-Identifier: Apache-2.0
// Generated from native/abi.h by `make abi`. Do not edit.

/** struct egret_limits. */
export const limits = {
  /** NAT sessions. */
  sessions: { at: 0, as: 'u32' },
  /** NAT bindings, quarantined ones included. */
  bindings: { at: 4, as: 'u32' },
  /** network slots that have a FIB, the main table included. */
  networks: { at: 8, as: 'u32' },
  /** FIB plies of 256 entries in one generation. */
  plies: { at: 12, as: 'u32' },
  /** next-hop groups in one generation. */
  groups: { at: 16, as: 'u32' },
  /** neighbors (next hops and directly connected hosts). */
  neighbors: { at: 20, as: 'u32' },
  /** client prefixes of a plan. */
  clients: { at: 24, as: 'u32' },
  /** policy rules of a plan. */
  rules: { at: 28, as: 'u32' },
  /** gateway addresses listed by all rules of a plan. */
  rule_addresses: { at: 32, as: 'u32' },
} as const;
export const limitsBytes = 36;

/** struct egret_adjacency. */
export const adjacency = {
  /** IPv4 address of the next hop, host order; 0: the packet's destination. */
  next_hop: { at: 0, as: 'u32' },
  /** port slot by which it is reached. */
  port: { at: 4, as: 'u16' },
  /** zero. */
  reserved: { at: 6, as: 'u16' },
} as const;
export const adjacencyBytes = 8;

/** struct egret_fib_delta. */
export const fibDelta = {
  /** network address, host order, host bits zero. */
  prefix: { at: 0, as: 'u32' },
  /** 0 to 32. */
  prefix_length: { at: 4, as: 'u32' },
  /** next-hop group; EGRET_GROUP_NONE withdraws. */
  group: { at: 8, as: 'u32' },
} as const;
export const fibDeltaBytes = 12;

/** struct egret_plan. */
export const plan = {
  /** RFC 4787 REQ-5. */
  udp_timeout_ns: { at: 0, as: 'u64' },
  /** RFC 5382 REQ-5. */
  tcp_established_timeout_ns: { at: 8, as: 'u64' },
  /** RFC 5382 REQ-5. */
  tcp_transitory_timeout_ns: { at: 16, as: 'u64' },
  /** RFC 5508 REQ-2. */
  icmp_timeout_ns: { at: 24, as: 'u64' },
  /** RFC 6888 REQ-8: before another client gets a port. */
  quarantine_ns: { at: 32, as: 'u64' },
  /** sessions of one client address; 0: no limit. */
  client_sessions_max: { at: 40, as: 'u32' },
  /** ICMP errors sent to one address; to all of them 100 times as many. */
  icmp_errors_per_second: { at: 44, as: 'u32' },
  /** 0: address and port dependent; 1: address dependent; 2: endpoint independent (RFC 4787 §5). */
  filtering: { at: 48, as: 'u32' },
  /** 0: endpoint independent; 1: address and port dependent (RFC 4787 §4.1). */
  mapping: { at: 52, as: 'u32' },
  /** rows of struct egret_plan_port. */
  port_count: { at: 56, as: 'u32' },
  /** rows of struct egret_plan_local. */
  local_count: { at: 60, as: 'u32' },
  /** rows of struct egret_plan_address. */
  address_count: { at: 64, as: 'u32' },
  /** rows of struct egret_plan_rule. */
  rule_count: { at: 68, as: 'u32' },
  /** rows of uint32_t: indexes into the plan's addresses. */
  rule_address_count: { at: 72, as: 'u32' },
  /** rows of struct egret_plan_client. */
  client_count: { at: 76, as: 'u32' },
} as const;
export const planBytes = 80;

/** struct egret_plan_port. */
export const planPort = {
  /** kernel's index; 0: the interface does not exist now. */
  ifindex: { at: 0, as: 'u32' },
  /** source of ICMP errors that leave by it; 0: none. */
  address: { at: 4, as: 'u32' },
  /** IPv4 MTU in bytes. */
  mtu: { at: 8, as: 'u32' },
  /** port slot. */
  slot: { at: 12, as: 'u16' },
  /** network slot when it belongs to exactly one network; 0 otherwise. */
  network: { at: 14, as: 'u16' },
  /** EGRET_ROLE_*. */
  role: { at: 16, as: 'u8' },
  /** 1 when the link is up. */
  is_up: { at: 17, as: 'u8' },
  /** MAC address. */
  mac: { at: 18, as: 'u8', count: 6 },
} as const;
export const planPortBytes = 24;

/** struct egret_plan_local. */
export const planLocal = {
  /** host order. */
  address: { at: 0, as: 'u32' },
  /** as that of the port that has it; 0: of the main table, or of an interface that is no port. */
  network: { at: 4, as: 'u16' },
  /** zero. */
  reserved: { at: 6, as: 'u16' },
} as const;
export const planLocalBytes = 8;

/** struct egret_plan_address. */
export const planAddress = {
  /** host order. */
  address: { at: 0, as: 'u32' },
  /** address slot; keeps its address for the arena's life. */
  slot: { at: 4, as: 'u16' },
  /** 1 when clients may use it. */
  is_ready: { at: 6, as: 'u16' },
  /** 0: the main table. */
  network_count: { at: 8, as: 'u16' },
  /** network slots, in the gateway's order. */
  networks: { at: 10, as: 'u16', count: 8 },
  /** zero. */
  reserved: { at: 26, as: 'u16' },
} as const;
export const planAddressBytes = 28;

/** struct egret_plan_rule. */
export const planRule = {
  /** destination, host order. */
  prefix: { at: 0, as: 'u32' },
  /** index of its first row in the list of rule addresses. */
  first_address: { at: 4, as: 'u32' },
  /** rows there; 0: none is ready. */
  address_count: { at: 8, as: 'u16' },
  /** a client uses at most so many of them; 0: all. */
  max_next_hops: { at: 10, as: 'u16' },
  /** 0 to 32. */
  prefix_length: { at: 12, as: 'u16' },
  /** EGRET_ACTION_*. */
  action: { at: 14, as: 'u16' },
} as const;
export const planRuleBytes = 16;

/** struct egret_plan_client. */
export const planClient = {
  /** host order. */
  prefix: { at: 0, as: 'u32' },
  /** index of the first rule of its policy. */
  first_rule: { at: 4, as: 'u32' },
  /** 0: the policy does not exist, everything is dropped. */
  rule_count: { at: 8, as: 'u32' },
  /** 0 to 32. */
  prefix_length: { at: 12, as: 'u32' },
  /** number of the client in egretd's model, for status; EGRET_NONE: a hole in a shorter prefix. */
  identity: { at: 16, as: 'u32' },
} as const;
export const planClientBytes = 20;

/** struct egret_session_row. */
export const sessionRow = {
  /** since its last packet. */
  idle_ns: { at: 0, as: 'u64' },
  /** host order. */
  inside_addr: { at: 8, as: 'u32' },
  /** host order. */
  outside_addr: { at: 12, as: 'u32' },
  /** host order. */
  remote_addr: { at: 16, as: 'u32' },
  /** port or ICMP query id. */
  inside_port: { at: 20, as: 'u16' },
  outside_port: { at: 22, as: 'u16' },
  remote_port: { at: 24, as: 'u16' },
  /** network slot. */
  network: { at: 26, as: 'u16' },
  /** IP protocol number. */
  protocol: { at: 28, as: 'u8' },
  /** index into EGRET_SESSION_STATES. */
  state: { at: 29, as: 'u8' },
  /** zero. */
  reserved0: { at: 30, as: 'u16' },
} as const;
export const sessionRowBytes = 32;

/** struct egret_pool_row. */
export const poolRow = {
  /** outside TCP ports of live bindings. */
  tcp_used: { at: 0, as: 'u32' },
  /** outside UDP ports of live bindings. */
  udp_used: { at: 4, as: 'u32' },
  /** ICMP query ids of live bindings. */
  icmp_used: { at: 8, as: 'u32' },
  /** ports of all protocols that wait out RFC 6888 REQ-8. */
  quarantined: { at: 12, as: 'u32' },
} as const;
export const poolRowBytes = 16;

/** struct egret_decision. */
export const decision = {
  /** identity of the client; EGRET_NONE: no client. */
  client: { at: 0, as: 'u32' },
  /** index of the rule in the plan; EGRET_NONE: no rule. */
  rule: { at: 4, as: 'u32' },
  /** gateway address; 0: none. */
  outside_addr: { at: 8, as: 'u32' },
  /** next-hop group. */
  group: { at: 12, as: 'u32' },
  /** host order; 0: none. */
  next_hop: { at: 16, as: 'u32' },
  /** port slot; EGRET_NONE: it does not leave. */
  port: { at: 20, as: 'u32' },
  /** network slot of the route. */
  network: { at: 24, as: 'u16' },
  /** enum egret_drop; NONE: forwarded. */
  drop: { at: 26, as: 'u16' },
} as const;
export const decisionBytes = 28;

/** struct egret_neighbor_row. */
export const neighborRow = {
  /** when it came into its state; 0: a previous forwarder saw it. */
  since_ns: { at: 0, as: 'u64' },
  /** host order. */
  address: { at: 8, as: 'u32' },
  /** port slot. */
  port: { at: 12, as: 'u16' },
  /** 0 unknown, 1 resolving, 2 reachable, 3 failed. */
  state: { at: 14, as: 'u16' },
  /** its MAC address. */
  mac: { at: 16, as: 'u8', count: 6 },
  /** zero. */
  reserved: { at: 22, as: 'u16' },
} as const;
export const neighborRowBytes = 24;

/** struct egret_trial. */
export const trial = {
  /** when it was sent, or when the answer came. */
  time_ns: { at: 0, as: 'u64' },
  /** of the run; everything that answers it repeats it. */
  number: { at: 8, as: 'u32' },
  /** whose packet it is, EGRET_TRIAL_*; or FATE, or ANSWER. */
  kind: { at: 12, as: 'u32' },
  /** of the IPv4 packet that follows. */
  bytes: { at: 16, as: 'u32' },
  /** FATE: its source when it left; 0: it did not leave. */
  outside_addr: { at: 20, as: 'u32' },
  /** FATE: host order; 0: it did not leave. */
  next_hop: { at: 24, as: 'u32' },
  /** network slot. */
  network: { at: 28, as: 'u16' },
  /** slot of the port by which it enters, left, or answers. */
  port: { at: 30, as: 'u16' },
  /** FATE: enum egret_drop. */
  drop: { at: 32, as: 'u16' },
  /** FATE: 1 when the destination is this box. */
  is_local: { at: 34, as: 'u16' },
  /** zero. */
  reserved: { at: 36, as: 'u32' },
} as const;
export const trialBytes = 40;

/** struct egret_arena_found. */
export const arenaFound = {
  /** 1 when its sessions can be kept. */
  is_convertible: { at: 0, as: 'u32' },
  /** of its session and binding records. */
  record_version: { at: 4, as: 'u32' },
  /** live ones, as far as this build can tell. */
  sessions: { at: 8, as: 'u32' },
  /** room that its sessions need. */
  sessions_used: { at: 12, as: 'u32' },
  /** room that its bindings need. */
  bindings_used: { at: 16, as: 'u32' },
  /** network slots that it has given away. */
  networks_used: { at: 20, as: 'u32' },
} as const;
export const arenaFoundBytes = 24;

/** Index is the status that a function returns, negated. */
export const statuses = [
  /** Nothing went wrong. */
  'OK',
  /** A system call failed; egret_errno() says why. */
  'NATIVE_SYSTEM',
  /** A table of the arena is full. */
  'NATIVE_NO_SPACE',
  /** The file is not an arena, or of another size. */
  'NATIVE_BAD_ARENA',
  /** The other side was built from another abi.h. */
  'NATIVE_ABI_MISMATCH',
  /** An argument is outside its range. */
  'NATIVE_BAD_ARGUMENT',
  /** No such row. */
  'NATIVE_NOT_FOUND',
  /** The other side did not answer in time. */
  'NATIVE_TIMEOUT',
  /** The other side closed the connection. */
  'NATIVE_CLOSED',
] as const;
export type Status = (typeof statuses)[number];

/** Index is the drop reason; a packet that is not dropped has none. */
export const drops = [
  undefined,
  /** Shorter than its headers say. */
  'too_short',
  /** RFC 1812 §5.2.2: version, header length or total length is wrong. */
  'bad_header',
  /** RFC 1812 §5.2.2: the IPv4 or ICMP checksum is wrong. */
  'bad_checksum',
  /** RFC 1812 §5.3.7: a source that no host may have, or that is ours. */
  'martian_source',
  /** RFC 1812 §5.3.7: a destination that is never forwarded. */
  'martian_destination',
  /** RFC 7126: an IPv4 source-route option. */
  'source_route',
  /** RFC 1812 §5.3.1: TTL reached zero. */
  'ttl_exceeded',
  /** IPv6 is not forwarded yet. */
  'ipv6',
  /** Neither IPv4 nor IPv6 nor something that the kernel handles. */
  'not_ip',
  /** Addressed to another station's MAC address. */
  'other_host',
  /** A transport protocol that is not translated. */
  'protocol',
  /** A fragment that could not be put together. */
  'fragment',
  /** The source is no client. */
  'not_a_client',
  /** RFC 3704: the main table does not reach this client by that interface. */
  'wrong_interface',
  /** For a pool address of another network. */
  'wrong_network',
  /** The client's policy does not exist. */
  'no_policy',
  /** No rule of the client's policy covers the destination. */
  'no_rule',
  /** No gateway of the rule is ready. */
  'no_gateway',
  /** The gateway's networks have no route to the destination. */
  'no_route',
  /** A rule without gateway leads out of a network's interface. */
  'network_exit',
  /** RFC 6888 REQ-11: no outside port is free. */
  'no_ports',
  /** RFC 6888 REQ-4: the client holds as many sessions as it may. */
  'client_limit',
  /** The session table is full, or what is left of it is kept for others. */
  'sessions_full',
  /** For a pool address, but of no session. */
  'no_session',
  /** RFC 4787 REQ-8: from a remote endpoint that the client never sent to. */
  'filtered',
  /** TCP without a session that does not begin with SYN. */
  'tcp_no_syn',
  /** RFC 5961 §3.2: a RST from outside that is in no window. */
  'tcp_sequence',
  /** RFC 5508 §5: an ICMP type that is not translated. */
  'icmp_type',
  /** RFC 5508 REQ-4: an ICMP error about no packet of ours. */
  'icmp_inner',
  /** Larger than the egress MTU with DF set. */
  'too_big',
  /** The egress interface is down or was removed. */
  'port_down',
  /** RFC 1812 §5.3.2.1: the next hop did not answer ARP. */
  'no_neighbor',
  /** The queue of packets that wait for this next hop is full, or its sender has too many wait. */
  'hold_full',
  /** The kernel refused to send. */
  'tx_failed',
  /** Queued in the kernel while no forwarder ran, or when its port was closed. */
  'stale',
  /** Neither from a client, nor for a pool address, nor for this box. */
  'not_forwarded',
] as const;
export type Drop = NonNullable<(typeof drops)[number]>;

/** What each means. */
export const dropMeanings: Readonly<Record<Drop, string>> = {
  too_short:
    "Shorter than its headers say",
  bad_header:
    "RFC 1812 §5.2.2: version, header length or total length is wrong",
  bad_checksum:
    "RFC 1812 §5.2.2: the IPv4 or ICMP checksum is wrong",
  martian_source:
    "RFC 1812 §5.3.7: a source that no host may have, or that is ours",
  martian_destination:
    "RFC 1812 §5.3.7: a destination that is never forwarded",
  source_route:
    "RFC 7126: an IPv4 source-route option",
  ttl_exceeded:
    "RFC 1812 §5.3.1: TTL reached zero",
  ipv6:
    "IPv6 is not forwarded yet",
  not_ip:
    "Neither IPv4 nor IPv6 nor something that the kernel handles",
  other_host:
    "Addressed to another station's MAC address",
  protocol:
    "A transport protocol that is not translated",
  fragment:
    "A fragment that could not be put together",
  not_a_client:
    "The source is no client",
  wrong_interface:
    "RFC 3704: the main table does not reach this client by that interface",
  wrong_network:
    "For a pool address of another network",
  no_policy:
    "The client's policy does not exist",
  no_rule:
    "No rule of the client's policy covers the destination",
  no_gateway:
    "No gateway of the rule is ready",
  no_route:
    "The gateway's networks have no route to the destination",
  network_exit:
    "A rule without gateway leads out of a network's interface",
  no_ports:
    "RFC 6888 REQ-11: no outside port is free",
  client_limit:
    "RFC 6888 REQ-4: the client holds as many sessions as it may",
  sessions_full:
    "The session table is full, or what is left of it is kept for others",
  no_session:
    "For a pool address, but of no session",
  filtered:
    "RFC 4787 REQ-8: from a remote endpoint that the client never sent to",
  tcp_no_syn:
    "TCP without a session that does not begin with SYN",
  tcp_sequence:
    "RFC 5961 §3.2: a RST from outside that is in no window",
  icmp_type:
    "RFC 5508 §5: an ICMP type that is not translated",
  icmp_inner:
    "RFC 5508 REQ-4: an ICMP error about no packet of ours",
  too_big:
    "Larger than the egress MTU with DF set",
  port_down:
    "The egress interface is down or was removed",
  no_neighbor:
    "RFC 1812 §5.3.2.1: the next hop did not answer ARP",
  hold_full:
    "The queue of packets that wait for this next hop is full, or its sender has too many wait",
  tx_failed:
    "The kernel refused to send",
  stale:
    "Queued in the kernel while no forwarder ran, or when its port was closed",
  not_forwarded:
    "Neither from a client, nor for a pool address, nor for this box",
};

/** Index is the counter of a port. */
export const portCounters = [
  /** Frames received by the port. */
  'received',
  /** Bytes of them, without FCS. */
  'received_bytes',
  /** Frames made here: ICMP errors, fragments, software segments, ARP. */
  'generated',
  /** Frames that came by this port, or were made because of one, and left by any. */
  'sent',
  /** Frames left to the kernel. */
  'kernel',
  /** Fragments merged into another frame. */
  'absorbed',
  /** Frames that wait for a neighbor now (a gauge). */
  'held',
  /** Frames that left by this port. */
  'transmitted',
  /** Bytes of them, without FCS. */
  'transmitted_bytes',
  /** Frames that the kernel could not queue for us; not in received. */
  'kernel_lost',
  /** ICMP errors not sent because of the rate limit. */
  'icmp_limited',
] as const;
export type PortCounter = (typeof portCounters)[number];

/** What each means. */
export const portCounterMeanings: Readonly<Record<PortCounter, string>> = {
  received:
    "Frames received by the port",
  received_bytes:
    "Bytes of them, without FCS",
  generated:
    "Frames made here: ICMP errors, fragments, software segments, ARP",
  sent:
    "Frames that came by this port, or were made because of one, and left by any",
  kernel:
    "Frames left to the kernel",
  absorbed:
    "Fragments merged into another frame",
  held:
    "Frames that wait for a neighbor now (a gauge)",
  transmitted:
    "Frames that left by this port",
  transmitted_bytes:
    "Bytes of them, without FCS",
  kernel_lost:
    "Frames that the kernel could not queue for us; not in received",
  icmp_limited:
    "ICMP errors not sent because of the rate limit",
};

/** Index is the counter of a worker. */
export const workerCounters = [
  /** NAT sessions now (a gauge). */
  'sessions',
  /** NAT bindings now (a gauge). */
  'bindings',
  /** NAT sessions created. */
  'sessions_created',
  /** NAT sessions removed by their timer. */
  'sessions_expired',
  /** NAT sessions removed because the configuration no longer allows them. */
  'sessions_revoked',
  /** NAT sessions removed by `egret clear sessions`. */
  'sessions_cleared',
  /** NAT sessions found by this forwarder when it started. */
  'sessions_rebuilt',
  /** Batches processed. */
  'batches',
  /** Neighbors that the kernel was asked to resolve. */
  'neighbor_probes',
  /** Times the kernel's neighbor events overran and were read again in full. */
  'neighbor_overruns',
] as const;
export type WorkerCounter = (typeof workerCounters)[number];

/** What each means. */
export const workerCounterMeanings: Readonly<Record<WorkerCounter, string>> = {
  sessions:
    "NAT sessions now (a gauge)",
  bindings:
    "NAT bindings now (a gauge)",
  sessions_created:
    "NAT sessions created",
  sessions_expired:
    "NAT sessions removed by their timer",
  sessions_revoked:
    "NAT sessions removed because the configuration no longer allows them",
  sessions_cleared:
    "NAT sessions removed by `egret clear sessions`",
  sessions_rebuilt:
    "NAT sessions found by this forwarder when it started",
  batches:
    "Batches processed",
  neighbor_probes:
    "Neighbors that the kernel was asked to resolve",
  neighbor_overruns:
    "Times the kernel's neighbor events overran and were read again in full",
};

/** Index is the state of a session row. */
export const sessionStates = [
  'active',
  'opening',
  'established',
  'closing',
  'closed',
] as const;
export type SessionState = (typeof sessionStates)[number];

/** No row, record, slot or number of a list that counts from 0. */
export const NONE = 4294967295;
export const PORT_MAX = 64;
export const NETWORK_MAX = 256;
export const ADDRESS_MAX = 4096;
export const GROUP_PATHS_MAX = 16;
export const RULE_ADDRESSES_MAX = 64;
export const ADDRESS_NETWORKS_MAX = 8;
export const GROUP_NONE = 0;
export const GROUP_UNREACHABLE = 1;
export const GROUP_FIRST = 2;
export const ROLE_CLIENTS = 1;
export const ROLE_NETWORKS = 2;
export const ROLE_ANY = 3;
export const ACTION_GATEWAY = 1;
export const ACTION_MAIN = 2;
export const ACTION_BLOCK = 3;
export const TRIAL_CLIENT = 1;
export const TRIAL_GATEWAY = 2;
export const TRIAL_NETWORK = 3;
export const TRIAL_FATE = 4;
export const TRIAL_ANSWER = 5;
export const TRIAL_BYTES = 2048;
