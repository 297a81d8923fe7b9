// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { EgressPlan, PlanPort } from '../egress/plan.ts';
import { silentLog } from '../lib/log.ts';
import { modelLimits } from '../model/limits.ts';
import { openArena, removeStaleArenas } from './open-arena.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-arena-'));
afterAll(() => rmSync(folder, { recursive: true }));

const limits = {
  ...{ sessions: 16, bindings: 16, networks: 4, plies: 64, groups: 16, neighbors: 16 },
  ...{ clients: 16, rules: 16, rule_addresses: 16 },
};

const nat: EgressPlan['nat'] = {
  udpTimeoutMs: 1,
  tcpEstablishedTimeoutMs: 1,
  tcpTransitoryTimeoutMs: 1,
  icmpTimeoutMs: 1,
  portQuarantineMs: 0,
  clientSessionsMax: 1,
  icmpErrorsPerSecond: 1,
  filtering: 'AddressAndPortDependent',
  mapping: 'EndpointIndependent',
};

const portNamed = (name: string, i: number): PlanPort => ({
  ...{ name, ifindex: i + 1, isUp: true, mac: new Uint8Array(6), mtu: 1500, address: 0 },
  ...{ role: 'Any', network: undefined },
});

test('interfaces past the limit have no port, and harm no other', async () => {
  const dataPlane = await openArena({
    linkPath: join(folder, 'link'),
    sharedPath: join(folder, 'a'),
    limits,
    isEnough: () => true,
    stopForwarder: async () => {},
    log: silentLog,
  });
  const names = Array.from({ length: modelLimits.interfaces + 3 }, (_, i) => `vlan${i}`);
  const slots = names.map((name) => dataPlane.portSlot(name));
  expect(new Set(slots.slice(0, modelLimits.interfaces)).size).toBe(modelLimits.interfaces);
  expect(new Set(slots.slice(modelLimits.interfaces)).size).toBe(1);
  expect(names.map((name) => dataPlane.hasPortSlot(name))).toEqual(
    names.map((_, i) => i < modelLimits.interfaces),
  );
  // Next hops may lead there, and a plan may name them.
  dataPlane.setGroup(2, [{ interface: names.at(-1)!, address: 1 }]);
  const rest = { localAddresses: [], addresses: [], policies: [], clients: [], nat };
  expect(dataPlane.publishPlan({ ports: names.map(portNamed), ...rest })).toBe(1);
  dataPlane.close();
});

test('an arena is removed when no process maps it and its link does not exist', async () => {
  const linkPath = join(folder, 'other');
  const sharedPath = join(folder, 'egret-01234567');
  const open = () =>
    openArena({
      linkPath,
      sharedPath,
      limits,
      isEnough: () => true,
      stopForwarder: async () => {},
      log: silentLog,
    });
  const sweep = () => removeStaleArenas(folder, /^egret-/);
  const dataPlane = await open();
  rmSync(linkPath);
  expect(sweep()).toEqual([]);
  dataPlane.close();
  expect(sweep()).toEqual([sharedPath]);
  expect(existsSync(sharedPath)).toBe(false);
  // One whose instance still has its link waits for the next start.
  (await open()).close();
  expect(sweep()).toEqual([]);
});
