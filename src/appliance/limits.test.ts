import { expect, test } from 'vitest';
import { EgretError } from '../lib/errors.ts';
import type { Model } from '../model/model.ts';
import { checkRoom, limitsFor } from './limits.ts';

const modelOf = (clientCount: number): Model =>
  ({
    networks: [],
    policies: [{ name: 'p', rules: [{}] }],
    clients: Array.from({ length: clientCount }, () => ({ prefixes: [{}, {}] })),
    appliance: { limits: { sessions: 1000, routes: 1000 } },
  }) as unknown as Model;

test('an arena that was made for a few clients takes ten thousand', () => {
  checkRoom(modelOf(10_000), limitsFor(modelOf(1)));
  checkRoom(modelOf(100_000), limitsFor(modelOf(100_000)));
});

test('more clients than it has room for are refused before anything changes', () => {
  const limits = limitsFor(modelOf(1));
  const refused = expect(() => checkRoom(modelOf(limits.clients), limits));
  refused.toThrow(EgretError);
  refused.toThrow(`${2 * limits.clients} clients; the arena has room for ${limits.clients}`);
});
