// SPDX-License-Identifier: Apache-2.0
/**
 * What must be in the kernel before the forwarder starts. While a box boots, interfaces are renamed and
 * removed: nft refuses a guard for a device that is no longer there, and this must not end the start.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** What is refused for longer than this is not due to an interface that comes or is removed. */
const triesMax = 5;
const retryMs = 500;

/**
 * @param apply - makes the kernel what the box needs as it is then
 * @throws what `apply` threw the last time
 */
export async function applyFirst(
  apply: () => Promise<void>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  for (let triesLeft = triesMax - 1; ; triesLeft -= 1) {
    try {
      await apply();
      return;
    } catch (error) {
      if (triesLeft === 0) throw error;
      log.warn({ error }, 'the kernel refused what the start needs; it is tried again');
      await new Promise<void>((resolve) => clock.after(retryMs, resolve));
    }
  }
}
