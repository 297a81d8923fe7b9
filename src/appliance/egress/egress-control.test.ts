// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { ArenaDataPlane } from '../../dataplane/arena.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { EgressControl, type EgressInput } from './egress-control.ts';
import type { GatewayProbesOptions } from './gateway-probes.ts';
import type { Publication } from './publication.ts';

const model = { networks: [], gateways: [], policies: [], clients: [], appliance: { nat: {} } };
const input = {
  ...{ model, generation: 1, ports: [], links: [], neighbors: [], heldGateways: [] },
  assignment: new Map(),
  verdict: { faults: [], notReady: new Set(), cutOff: new Set() },
} as unknown as EgressInput;

test('a plan is published once, and one that was refused again', () => {
  let isRefused = true;
  let published = 0;
  const publish = () => {
    if (isRefused) throw new Error('refused');
    published += 1;
  };
  const egress = new EgressControl(
    { releaseAddresses: () => {} } as unknown as ArenaDataPlane,
    { publish } as unknown as Publication,
    { clock: systemClock, log: silentLog } as unknown as GatewayProbesOptions,
  );
  expect(() => egress.evaluate(input)).toThrow('refused');
  expect(() => egress.evaluate(input)).toThrow('refused');
  isRefused = false;
  for (let i = 0; i < 3; i += 1) egress.evaluate(input);
  expect(published).toBe(1);
});
