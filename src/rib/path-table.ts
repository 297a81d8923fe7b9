// SPDX-License-Identifier: Apache-2.0
/**
 * The paths of one RIB: each prefix has a list of them, at most one for each source.
 *
 *   word  0    1          2                    3           4
 *         row  next path  source and its epoch attributes  next hop
 *
 * Only this file knows where what stands (see prefix-table.ts).
 *
 * A source's epoch rises when its routes become stale; a path is fresh when it was announced in the
 * epoch of now.
 */
import { RecordTable } from './record-table.ts';
import type { AttributesId } from './route.ts';

const wordsEach = 5;
const rowWord = 0;
const nextWord = 1;
const originWord = 2;
const attributesWord = 3;
const nextHopWord = 4;

/** Sources of one RIB, 0 excepted. */
export const sourcesMax = 65_535;

export class PathTable extends RecordTable {
  constructor() {
    super(wordsEach);
  }

  /** The prefix. */
  rowOf(path: number): number {
    return this.words[path * wordsEach + rowWord]!;
  }

  putRow(path: number, row: number): void {
    this.words[path * wordsEach + rowWord] = row;
  }

  /** The next path to the same prefix; 0: it is the last. */
  nextOf(path: number): number {
    return this.words[path * wordsEach + nextWord]!;
  }

  putNext(path: number, next: number): void {
    this.words[path * wordsEach + nextWord] = next;
  }

  sourceOf(path: number): number {
    return this.words[path * wordsEach + originWord]! >>> 16;
  }

  /** The source's epoch when it announced the path. */
  epochOf(path: number): number {
    return this.words[path * wordsEach + originWord]! & 0xffff;
  }

  putOrigin(path: number, source: number, epoch: number): void {
    this.words[path * wordsEach + originWord] = (source << 16) | epoch;
  }

  /** 0: none (a local route). */
  attributesOf(path: number): AttributesId {
    return this.words[path * wordsEach + attributesWord]!;
  }

  nextHopOf(path: number): number {
    return this.words[path * wordsEach + nextHopWord]!;
  }

  putRoute(path: number, attributes: AttributesId, nextHop: number): void {
    const at = path * wordsEach;
    this.words[at + attributesWord] = attributes;
    this.words[at + nextHopWord] = nextHop;
  }
}
