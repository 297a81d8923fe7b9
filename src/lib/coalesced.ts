// SPDX-License-Identifier: Apache-2.0
/**
 * One at a time, and the last one counts: work that follows something which changes while it is done.
 *
 *   asked ─▶ working ─▶ done            asked while working: once more afterwards, however often asked
 *
 * So work that began later finishes later, and the last run saw everything that was there when it was
 * asked for.
 */

/**
 * @param work - is not to reject
 * @returns asks for the work; it begins at once, or as soon as what is under way is done
 */
export function coalesced(work: () => Promise<void>): () => void {
  let isWorking = false;
  let isAskedAgain = false;
  const run = async (): Promise<void> => {
    isWorking = true;
    do {
      isAskedAgain = false;
      await work();
    } while (isAskedAgain);
    isWorking = false;
  };
  return () => {
    isAskedAgain = true;
    if (!isWorking) void run();
  };
}
