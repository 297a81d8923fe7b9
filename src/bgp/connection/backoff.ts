// SPDX-License-Identifier: Apache-2.0
/**
 * How long to wait: jitter on every timer (RFC 4271 §10) and IdleHoldTimer, which grows with each
 * error in a row (§8.1.1, DampPeerOscillations).
 */
import type { Random } from '../../lib/random.ts';

export const idleHoldFirstMs = 1_000;
export const idleHoldLongestMs = 60_000;

/** A session that stood this long has forgotten its earlier errors. */
export const stableAfterMs = 60_000;

/** 0.75 to 1.0 of a duration. */
export function jittered(delayMs: number, random: Random): number {
  return delayMs * (0.75 + 0.25 * random.next());
}

/** @param errorCount - errors in a row, the one just met included; 1 or more */
export function idleHoldMs(errorCount: number): number {
  return Math.min(idleHoldFirstMs * 2 ** Math.min(errorCount - 1, 16), idleHoldLongestMs);
}
