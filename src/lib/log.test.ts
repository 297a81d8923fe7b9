// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { makeLog } from './log.ts';

describe('the log', () => {
  test('reports how many lines were lost while they could not be written', () => {
    const taken: string[] = [];
    let isTaking = true;
    const log = makeLog('info', (line) => {
      if (isTaking) taken.push(line);
      return isTaking;
    });
    log.info('before');
    isTaking = false;
    for (let i = 0; i < 3; i += 1) log.info('lost');
    isTaking = true;
    log.info({ table: 500 }, 'after');
    const lines = taken.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { level: 30, msg: 'before' },
      { level: 40, lost: 3, msg: 'log lines were lost', time: expect.any(String) },
      { table: 500, msg: 'after' },
    ]);
    expect(taken.every((line) => line.endsWith('}\n'))).toBe(true);
  });
});
