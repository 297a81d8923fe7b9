// SPDX-License-Identifier: Apache-2.0
/**
 * Encodes an EgressPlan as native/abi.h lays it out: struct egret_plan, then its rows, list by list.
 * Pure; offsets come from abi.gen.ts.
 */
import type { EgressPlan, PlanPort } from '../egress/plan.ts';
import { assert } from '../lib/assert.ts';
import {
  ACTION_BLOCK,
  ACTION_GATEWAY,
  ACTION_MAIN,
  ADDRESS_NETWORKS_MAX,
  NONE,
  planAddress,
  planAddressBytes,
  plan as planAt,
  planBytes,
  planClient,
  planClientBytes,
  planLocal,
  planLocalBytes,
  planPort,
  planPortBytes,
  planRule,
  planRuleBytes,
  ROLE_ANY,
  ROLE_CLIENTS,
  ROLE_NETWORKS,
  RULE_ADDRESSES_MAX,
} from './abi.gen.ts';
import { RecordWriter } from './record.ts';

/** Slots of names and numbers, as the arena assigns them. */
export interface Slots {
  port(name: string): number;
  network(routeTableIndex: number): number;
  address(address: number): number;
}

const roles = { Clients: ROLE_CLIENTS, Networks: ROLE_NETWORKS, Any: ROLE_ANY } as const;
const actions = { gateway: ACTION_GATEWAY, main: ACTION_MAIN, block: ACTION_BLOCK } as const;
const filterings = { AddressAndPortDependent: 0, AddressDependent: 1, EndpointIndependent: 2 };
const mappings = { EndpointIndependent: 0, AddressAndPortDependent: 1 };

/** @returns the bytes that egret_plan_publish takes */
export function encodePlan(plan: EgressPlan, slots: Slots): Uint8Array {
  const rules = plan.policies.flatMap((policy) => policy.rules);
  const ruleAddresses = rules.flatMap((rule) => rule.addresses.slice(0, RULE_ADDRESSES_MAX));
  const firstRules: number[] = [];
  let ruleCount = 0;
  for (const policy of plan.policies) {
    firstRules.push(ruleCount);
    ruleCount += policy.rules.length;
  }

  const bytes =
    planBytes +
    plan.ports.length * planPortBytes +
    plan.localAddresses.length * planLocalBytes +
    plan.addresses.length * planAddressBytes +
    rules.length * planRuleBytes +
    ruleAddresses.length * 4 +
    plan.clients.length * planClientBytes;
  const out = new RecordWriter(bytes);

  const ns = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;
  out.record(planAt, planBytes, {
    udp_timeout_ns: ns(plan.nat.udpTimeoutMs),
    tcp_established_timeout_ns: ns(plan.nat.tcpEstablishedTimeoutMs),
    tcp_transitory_timeout_ns: ns(plan.nat.tcpTransitoryTimeoutMs),
    icmp_timeout_ns: ns(plan.nat.icmpTimeoutMs),
    quarantine_ns: ns(plan.nat.portQuarantineMs),
    client_sessions_max: plan.nat.clientSessionsMax,
    icmp_errors_per_second: plan.nat.icmpErrorsPerSecond,
    filtering: filterings[plan.nat.filtering],
    mapping: mappings[plan.nat.mapping],
    port_count: plan.ports.length,
    local_count: plan.localAddresses.length,
    address_count: plan.addresses.length,
    rule_count: rules.length,
    rule_address_count: ruleAddresses.length,
    client_count: plan.clients.length,
  });
  for (const port of plan.ports) writePort(out, port, slots);
  for (const { address, network } of plan.localAddresses) {
    const slot = network === undefined ? 0 : slots.network(network);
    out.record(planLocal, planLocalBytes, { address, network: slot });
  }
  for (const row of plan.addresses) {
    assert(row.networks.length <= ADDRESS_NETWORKS_MAX, 'a gateway has at most eight networks');
    const networks = row.networks.map((index) => slots.network(index));
    out.record(planAddress, planAddressBytes, {
      address: row.address,
      slot: slots.address(row.address),
      is_ready: row.isReady ? 1 : 0,
      network_count: networks.length,
      networks,
    });
  }
  let firstAddress = 0;
  for (const rule of rules) {
    const count = Math.min(rule.addresses.length, RULE_ADDRESSES_MAX);
    out.record(planRule, planRuleBytes, {
      prefix: rule.destination.address,
      prefix_length: rule.destination.length,
      first_address: firstAddress,
      address_count: count,
      max_next_hops: Math.min(rule.maxNextHops, 0xffff),
      action: actions[rule.action],
    });
    firstAddress += count;
  }
  for (const index of ruleAddresses) out.u32(index);
  for (const client of plan.clients) {
    const policy = client.policy === undefined ? undefined : plan.policies[client.policy];
    out.record(planClient, planClientBytes, {
      prefix: client.prefix.address,
      prefix_length: client.prefix.length,
      first_rule: policy ? firstRules[client.policy!]! : 0,
      rule_count: policy ? policy.rules.length : 0,
      identity: client.identity ?? NONE,
    });
  }
  return out.finish();
}

function writePort(out: RecordWriter, port: PlanPort, slots: Slots): void {
  out.record(planPort, planPortBytes, {
    ifindex: port.ifindex,
    address: port.address,
    mtu: port.mtu,
    slot: slots.port(port.name),
    network: port.network === undefined ? 0 : slots.network(port.network),
    role: roles[port.role],
    is_up: port.isUp ? 1 : 0,
    mac: [...port.mac],
  });
}
