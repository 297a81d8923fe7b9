// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Client, Model } from '../model/model.ts';
import { formatIpv4Prefix, parseIpv4Prefix } from '../net/ipv4.ts';
import { makePlan } from './planner.ts';

function clientsOf(...clients: Partial<Client>[]): string[] {
  const model = {
    networks: [],
    gateways: [],
    policies: [{ name: 'p', rules: [] }],
    clients,
    appliance: { nat: {} },
  } as unknown as Model;
  const plan = makePlan({
    model,
    assignment: new Map(),
    readyGateways: new Set(),
    ports: [],
    localAddresses: [],
  });
  return plan.clients.map(
    (row) => `${formatIpv4Prefix(row.prefix)} policy ${row.policy} client ${row.identity}`,
  );
}

const net = (text: string) => [parseIpv4Prefix(text)!];

test('a client that asks for no gateway is none, also inside the net of another', () => {
  expect(
    clientsOf(
      { name: 'everybody', prefixes: net('10.0.0.0/8'), policy: 'p' },
      { name: 'web', prefixes: net('10.1.0.5/32'), policy: undefined },
    ),
  ).toEqual(['10.0.0.0/8 policy 0 client 0', '10.1.0.5/32 policy undefined client undefined']);
});

test('one whose policy does not exist keeps its prefix, and its name', () => {
  expect(clientsOf({ name: 'a', prefixes: net('10.1.0.5/32'), policy: 'none' })).toEqual([
    '10.1.0.5/32 policy undefined client 0',
  ]);
});
