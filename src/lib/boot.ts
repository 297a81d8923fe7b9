// SPDX-License-Identifier: Apache-2.0
/**
 * This boot of the machine, and its age: what a deadline is kept in that a restarted process continues
 * and that no change of the wall clock moves.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export interface Boot {
  /** Another one after each boot; random(4). */
  readonly id: string;
  /** Milliseconds since the boot, also those that the machine slept. */
  ageMs(): number;
}

export function systemBoot(): Boot {
  const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { id, ageMs: () => uptime() * 1000 };
}
