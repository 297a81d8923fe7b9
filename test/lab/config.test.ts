// SPDX-License-Identifier: Apache-2.0
/** The configurations that the lab and its tests use are valid, and the seed's stand there verbatim. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatErrors } from '../../src/config/yaml/located.ts';
import type { Model } from '../../src/model/model.ts';
import { sceneConfig } from '../appliance/scene.ts';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function load(folder: string): Model {
  const loaded = loadConfig(folder);
  if (loaded.kind === 'errors') throw new Error(formatErrors(loaded.errors));
  return loaded.model;
}

test("test/lab/config is the seed's scenario", () => {
  const model = load(path('./config'));
  const networks = model.networks.map(({ name, routeTableIndex }) => [name, routeTableIndex]);
  expect(Object.fromEntries(networks)).toEqual({ red: 500, blue: 501 });
  const sessions = model.neighbors.map(({ network, remoteAs, localAs }) => [
    network,
    remoteAs === localAs ? 'iBGP' : 'eBGP',
  ]);
  expect(Object.fromEntries(sessions)).toEqual({ red: 'iBGP', blue: 'eBGP' });
  expect(new Set(model.neighbors.map(({ address }) => address)).size).toBe(1);
  expect(model.clients.map(({ name }) => name).sort()).toEqual(['client-blue', 'client-red']);
});

test("the seed's manifests stand there to the letter", () => {
  const shipped = readFileSync(path('./config/10-seed.yaml'), 'utf8');
  const manifests = readdirSync(path('../config/seed')).filter(
    (name) => name !== 'prerequisites.yaml',
  );
  expect(manifests.length).toBe(2);
  for (const name of manifests) {
    expect(shipped).toContain(readFileSync(path(`../config/seed/${name}`), 'utf8').trim());
  }
});

test('the scene of the appliance tests is valid', () => {
  const folder = mkdtempSync(join(tmpdir(), 'egret-scene-'));
  try {
    const clients = { alpha: { network: 'north' }, beta: { network: 'south' } } as const;
    for (const [name, text] of Object.entries(sceneConfig({ clients }))) {
      writeFileSync(join(folder, name), text);
    }
    const model = load(folder);
    expect(model.neighbors.map(({ network }) => network).sort()).toEqual(['north', 'south']);
    expect(model.clients.length).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
