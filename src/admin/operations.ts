// SPDX-License-Identifier: Apache-2.0
/** What operators do to a running box that is no configuration. The appliance does it. */
import type { Ipv4Prefix } from '../net/ipv4.ts';

/** Sessions of all these; a part that is undefined: of any. */
export interface SessionChoice {
  readonly inside: Ipv4Prefix | undefined;
  /** Egress address. */
  readonly outside: number | undefined;
  /** Slot of a network. */
  readonly network: number | undefined;
}

export interface Operations {
  /** @returns how many were removed. @throws FORWARDER_FAILED, NATIVE_FAILED */
  clearSessions(choice: SessionChoice): Promise<number>;
  /** @param key - neighborKey; @returns false while it is kept down */
  resetNeighbor(key: string): boolean;
  /** @returns false: it is not up, or has no route refresh */
  refreshNeighbor(key: string): boolean;
  /** @param words - for the neighbor; undefined: it may come up again */
  setNeighborDown(key: string, words: string | undefined): void;
  /** Neighbors take other ways, if they have any, until this egretd stops. @returns how many */
  drain(): number;
}
