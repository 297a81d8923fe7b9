// SPDX-License-Identifier: Apache-2.0
/**
 * What a benchmark gives: rows of figures, each compared with a peer or a floor that was measured in
 * the same run. A benchmark is a function that measures once; the runner repeats and interleaves.
 */

export interface Row {
  readonly what: string;
  readonly figure: number;
  /** s, ms, ns, Gb/s, MiB, …: of the figure and of what it is compared with. */
  readonly unit: string;
  readonly reference?: { readonly what: string; readonly figure: number };
}

export type Bench = () => Promise<readonly Row[]>;

/** @returns what `work` gives, and how many seconds it took */
export async function timed<T>(work: () => T | Promise<T>): Promise<[T, number]> {
  const startMs = performance.now();
  const result = await work();
  return [result, (performance.now() - startMs) / 1000];
}

/** The middle one; of an even number, the mean of both in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
