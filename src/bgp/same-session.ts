// SPDX-License-Identifier: Apache-2.0
/** What of a neighbor a running session can take up, and what needs another one. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { SpeakerNeighbor } from './neighbor.ts';

/**
 * Whether only what a running session can take up differs: its name, its policy, and the interfaces
 * other than the one to connect by, which concern the listeners only.
 */
export function isSameSession(a: SpeakerNeighbor, b: SpeakerNeighbor): boolean {
  const connection = (neighbor: SpeakerNeighbor): object => {
    const {
      name: _name,
      filters: _filters,
      allowedLocalAsCount: _count,
      maximumPrefixes: _maximum,
      maximumPrefixesAction: _action,
      restartTimeMs: _restart,
      isFirstAsEnforced: _firstAs,
      interfaces: [connectBy],
      ...rest
    } = neighbor;
    return { ...rest, connectBy };
  };
  return isDeepStrictEqual(connection(a), connection(b));
}

/** Names of the fields that differ; which interfaces there are but for the first says nothing. */
export function differences(a: SpeakerNeighbor, b: SpeakerNeighbor): string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof SpeakerNeighbor>;
  const fieldOf = (neighbor: SpeakerNeighbor, name: keyof SpeakerNeighbor): unknown =>
    name === 'interfaces' ? neighbor.interfaces[0] : neighbor[name];
  return [...names].filter((name) => !isDeepStrictEqual(fieldOf(a, name), fieldOf(b, name)));
}
