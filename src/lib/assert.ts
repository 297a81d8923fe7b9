// SPDX-License-Identifier: Apache-2.0
/**
 * Programmer errors: kept in release, they end the process and its supervisor starts it again.
 *
 * @param positive - what should have been true, as a sentence
 */
export function assert(condition: unknown, positive: string): asserts condition {
  if (!condition) throw new AssertionFailed(positive);
}

export class AssertionFailed extends Error {
  constructor(positive: string) {
    super(`assertion failed: ${positive}`);
    this.name = 'AssertionFailed';
  }
}
