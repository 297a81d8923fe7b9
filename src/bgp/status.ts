// SPDX-License-Identifier: Apache-2.0
/** What a session says of itself: the rows behind `egret show neighbors`. */
import type { Neighbor } from '../model/model.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { FsmName } from './connection/fsm-step.ts';
import type { AttributeOutcome } from './wire/path-attribute.ts';

export interface MessageCounts {
  open: number;
  update: number;
  notification: number;
  keepalive: number;
  routeRefresh: number;
}

export function zeroCounts(): MessageCounts {
  return { open: 0, update: 0, notification: 0, keepalive: 0, routeRefresh: 0 };
}

export interface LastError {
  /** Who sent the NOTIFICATION; undefined: none was sent, the connection failed. */
  readonly sender: 'local' | 'remote' | undefined;
  readonly code: number | undefined;
  readonly subcode: number | undefined;
  /** The standard names, with the operator's words or our reason. */
  readonly text: string;
  /** What the neighbor's operator wrote (RFC 9003). */
  readonly words: string | undefined;
  readonly wallMs: number;
}

/** How the last session that stood came to its end. */
export interface LastDown extends LastError {
  /** How long it had stood. */
  readonly upMs: number;
  /** The neighbor's routes were kept as stale. */
  readonly isGraceful: boolean;
}

export interface SessionEvent {
  readonly wallMs: number;
  readonly text: string;
}

export interface NeighborRow {
  readonly name: string;
  readonly network: string | undefined;
  readonly address: Ipv4;
  readonly remoteAs: number;
  readonly localAs: number;
  readonly state: FsmName;
  /** How long in this state. */
  readonly sinceMs: number;
  /** undefined: there is no session. */
  readonly localId: Ipv4 | undefined;
  readonly remoteId: Ipv4 | undefined;
  readonly localAddress: Ipv4 | undefined;
  readonly localPort: number | undefined;
  readonly remotePort: number | undefined;
  readonly holdTimeConfiguredMs: number;
  readonly holdTimeMs: number | undefined;
  readonly keepaliveTimeMs: number | undefined;
  readonly holdRemainingMs: number | undefined;
  readonly connectRetryRemainingMs: number | undefined;
  readonly idleHoldRemainingMs: number | undefined;
  readonly capabilitiesAdvertised: readonly string[];
  readonly capabilitiesReceived: readonly string[];
  readonly capabilitiesNegotiated: readonly string[];
  /** Prefixes that the neighbor announces now. */
  readonly received: number;
  /** Of these, what policy and checks let into the adj-RIB-in. */
  readonly accepted: number;
  readonly announced: number;
  readonly messagesSent: Readonly<MessageCounts>;
  readonly messagesReceived: Readonly<MessageCounts>;
  readonly attributeFaults: Readonly<Record<AttributeOutcome, number>>;
  readonly lastRefusal: string | undefined;
  /** Announcements that were refused because the neighbor is at its limit of prefixes. */
  readonly droppedCount: number;
  /** What an operator should know while the session stands. */
  readonly warning: string | undefined;
  /** Of a session or of an attempt, whichever came last. */
  readonly lastError: LastError | undefined;
  readonly lastDown: LastDown | undefined;
  readonly isEndOfRibReceived: boolean;
  /** The neighbor restarts, and its routes are kept (RFC 4724 §4.2). */
  readonly isStale: boolean;
  readonly staleRemainingMs: number | undefined;
  readonly establishedCount: number;
  readonly downCount: number;
  /** Connections of this neighbor that were not taken. */
  readonly refusedCount: number;
  /** Oldest first. */
  readonly events: readonly SessionEvent[];
}

/** The row of a neighbor for which there is no session, e.g. since no interface leads to it. */
export function rowWithoutSession(neighbor: Neighbor, sinceMs: number): NeighborRow {
  const { name, network, address, remoteAs, localAs, holdTimeMs } = neighbor;
  return {
    ...{ name, network, address, remoteAs, localAs, state: 'Idle', sinceMs },
    ...{ localId: undefined, remoteId: undefined },
    ...{ localAddress: undefined, localPort: undefined, remotePort: undefined },
    ...{ holdTimeConfiguredMs: holdTimeMs, holdTimeMs: undefined, keepaliveTimeMs: undefined },
    ...{ holdRemainingMs: undefined, connectRetryRemainingMs: undefined },
    idleHoldRemainingMs: undefined,
    ...{ capabilitiesAdvertised: [], capabilitiesReceived: [], capabilitiesNegotiated: [] },
    ...{ received: 0, accepted: 0, announced: 0 },
    ...{ messagesSent: zeroCounts(), messagesReceived: zeroCounts() },
    attributeFaults: { 'attribute-discard': 0, 'treat-as-withdraw': 0, 'session-reset': 0 },
    ...{ lastRefusal: undefined, droppedCount: 0, warning: undefined },
    ...{ lastError: undefined, lastDown: undefined },
    ...{ isEndOfRibReceived: false, isStale: false, staleRemainingMs: undefined },
    ...{ establishedCount: 0, downCount: 0, refusedCount: 0, events: [] },
  };
}
