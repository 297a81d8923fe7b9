// SPDX-License-Identifier: Apache-2.0
/**
 * A thousand configurations that change nothing for a flow, applied one after the other under 20,000
 * packets a second: how many packets are lost, and how long one apply takes until it is in force.
 */

import { join } from 'node:path';
import { Writable } from 'node:stream';
import { ask } from '../../src/ipc/client.ts';
import { clientResource, documents } from '../appliance/scene.ts';
import { steadyFlow } from '../appliance/witness.ts';
import { patientRounds } from '../lab/traffic.ts';
import { type Row, timed } from './row.ts';
import { withScene } from './with-scene.ts';

const applies = Number(process.env['EGRET_APPLIES'] ?? 1000);
/** Each way. */
const packetsPerSecond = 10_000;

export function measureApplies(): Promise<Row[]> {
  return withScene({ clients: { alpha: { network: 'north' } } }, async (scene) => {
    const { egret } = scene;
    const flow = await steadyFlow(scene, 'alpha', 'north', packetsPerSecond);
    const [, seconds] = await timed(async () => {
      for (let i = 0; i < applies; i += 1) {
        const unrelated = clientResource('more', [`10.99.${i >> 8}.${i & 255}/32`], 'south');
        await egret.writeConfig({ 'client-more.yaml': documents(unrelated) });
        await apply(join(egret.runDir, 'admin.sock'));
      }
    });
    const { up, down } = await flow.finish(patientRounds);
    const rate = `${2 * packetsPerSecond} packets a second`;
    const sent = { what: 'sent meanwhile', figure: up.sent + down.sent };
    return [
      {
        what: `packets lost in ${applies} applies under ${rate}`,
        figure: up.missingCount + down.missingCount,
        unit: 'packets',
        reference: sent,
      },
      { what: `one of these applies, until in force`, figure: seconds / applies, unit: 's' },
    ];
  });
}

/** @throws Error unless it is in force */
async function apply(path: string): Promise<void> {
  let text = '';
  const sink = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  const request = { command: 'apply', who: 'bench' };
  const status = await ask({ path, request, out: sink, errors: sink });
  if (status !== 0) throw new Error(text);
}
