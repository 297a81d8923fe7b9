/**
 * The paths of one RIB: each prefix has a list of them, at most one for each source.
 *
 *   word  0    1          2                    3           4
 *         row  next path  source and its epoch attributes  next hop
 *
 * A source's epoch rises when its routes become stale; a path is fresh when it was announced in the
 * epoch of now.
 */
import { RecordTable } from './record-table.ts';

export const pathWords = 5;
export const pathRow = 0;
export const pathNext = 1;
export const pathOrigin = 2;
export const pathAttributes = 3;
export const pathNextHop = 4;

/** Sources of one RIB, 0 excepted. */
export const sourcesMax = 65_535;

/** Source and epoch in one word, signed as words are. */
export const originOf = (source: number, epoch: number): number => (source << 16) | epoch;
export const sourceOf = (origin: number): number => origin >>> 16;
export const epochOf = (origin: number): number => origin & 0xffff;

export class PathTable extends RecordTable {
  constructor() {
    super(pathWords);
  }
}
