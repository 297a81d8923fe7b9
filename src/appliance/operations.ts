// SPDX-License-Identifier: Apache-2.0
/** What operators do to a running box that is no configuration (src/admin/operations.ts). */
import type { Operations } from '../admin/operations.ts';
import type { Speaker } from '../bgp/speaker.ts';
import { NONE } from '../dataplane/abi.gen.ts';
import type { Forwarder } from '../dataplane/forwarder.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { maskOf } from '../net/ipv4.ts';

interface Operated {
  readonly forwarder: Forwarder;
  readonly speaker: Speaker;
  readonly queue: WorkQueue;
}

/** @param remember - writes the state file */
export function makeOperations(
  { forwarder, speaker, queue }: Operated,
  remember: () => void,
): Operations {
  return {
    clearSessions: async ({ inside, outside, network }) => {
      const which = {
        network: network ?? NONE,
        inside: inside?.address ?? 0,
        insideMask: inside ? maskOf(inside.length) : 0,
        outside: outside ?? 0,
      };
      let removed = 0;
      for (let cursor = 0; cursor !== NONE; ) {
        const slice = forwarder.clearSessions(which, cursor);
        removed += slice.removed;
        cursor = slice.cursor;
        await queue.pause();
      }
      return removed;
    },
    resetNeighbor: (key) => speaker.reset(key),
    refreshNeighbor: (key) => speaker.refresh(key),
    drain: () => speaker.drain(),
    setNeighborDown: (key, words) => {
      speaker.setDown(key, words);
      remember();
    },
  };
}
