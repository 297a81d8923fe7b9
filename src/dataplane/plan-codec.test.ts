// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { EgressPlan } from '../egress/plan.ts';
import { parseIpv4Prefix } from '../net/ipv4.ts';
import * as abi from './abi.gen.ts';
import { encodePlan } from './plan-codec.ts';
import { RecordReader } from './record.ts';

const slots = { port: () => 3, network: (index: number) => index - 498, address: () => 9 };

const plan: EgressPlan = {
  ports: [
    {
      name: 'ens5',
      ifindex: 7,
      isUp: true,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 5),
      mtu: 1500,
      address: 0xac100101,
      role: 'Networks',
      network: 500,
    },
  ],
  localAddresses: [{ address: 0xac100101, network: 500 }],
  addresses: [{ address: 0x0a320002, isReady: true, networks: [500, 501] }],
  policies: [
    {
      rules: [
        {
          destination: parseIpv4Prefix('192.0.2.0/24')!,
          action: 'gateway',
          addresses: [0],
          maxNextHops: 1,
        },
        {
          destination: parseIpv4Prefix('0.0.0.0/0')!,
          action: 'main',
          addresses: [],
          maxNextHops: 0,
        },
      ],
    },
  ],
  clients: [
    { prefix: parseIpv4Prefix('10.1.0.2/32')!, policy: 0, identity: 4 },
    { prefix: parseIpv4Prefix('10.1.0.3/32')!, policy: undefined, identity: 5 },
  ],
  nat: {
    udpTimeoutMs: 300_000,
    tcpEstablishedTimeoutMs: 7_440_000,
    tcpTransitoryTimeoutMs: 240_000,
    icmpTimeoutMs: 60_000,
    portQuarantineMs: 120_000,
    clientSessionsMax: 0,
    icmpErrorsPerSecond: 10,
    filtering: 'AddressAndPortDependent',
    mapping: 'EndpointIndependent',
  },
};

test('a plan is its header and its rows, list after list', () => {
  const bytes = encodePlan(plan, slots);
  const head = new RecordReader(abi.plan, abi.planBytes, bytes);
  expect(head.get(0, 'udp_timeout_ns')).toBe(300e9);
  expect(head.get(0, 'rule_count')).toBe(2);
  expect(head.get(0, 'client_count')).toBe(2);

  let at = abi.planBytes;
  const port = new RecordReader(abi.planPort, abi.planPortBytes, bytes.subarray(at));
  expect(port.get(0, 'slot')).toBe(3);
  expect(port.get(0, 'network')).toBe(2);
  expect(port.get(0, 'role')).toBe(abi.ROLE_NETWORKS);
  expect(port.get(0, 'mac', 5)).toBe(5);

  at += abi.planPortBytes;
  const local = new RecordReader(abi.planLocal, abi.planLocalBytes, bytes.subarray(at));
  expect(local.get(0, 'address')).toBe(0xac100101);
  expect(local.get(0, 'network')).toBe(2);

  at += abi.planLocalBytes;
  const address = new RecordReader(abi.planAddress, abi.planAddressBytes, bytes.subarray(at));
  expect(address.get(0, 'address')).toBe(0x0a320002);
  expect(address.get(0, 'network_count')).toBe(2);
  expect(address.get(0, 'networks', 1)).toBe(3);

  at += abi.planAddressBytes;
  const rule = new RecordReader(abi.planRule, abi.planRuleBytes, bytes.subarray(at));
  expect(rule.get(0, 'max_next_hops')).toBe(1);
  expect(rule.get(1, 'action')).toBe(abi.ACTION_MAIN);
  expect(rule.get(1, 'first_address')).toBe(1);

  at += 2 * abi.planRuleBytes + 4;
  const client = new RecordReader(abi.planClient, abi.planClientBytes, bytes.subarray(at));
  expect(client.get(0, 'rule_count')).toBe(2);
  expect(client.get(1, 'rule_count')).toBe(0);
  expect(client.get(1, 'identity')).toBe(5);
  expect(bytes.byteLength).toBe(at + 2 * abi.planClientBytes);
});
