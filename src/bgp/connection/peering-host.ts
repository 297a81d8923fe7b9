// SPDX-License-Identifier: Apache-2.0
/** What one connection asks of the neighbor's session (bgp/session.ts), and tells it. */
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { WorkQueue } from '../../lib/work-queue.ts';
import type { BgpFault, Notification } from '../wire/notification.ts';
import type { Open } from '../wire/open.ts';
import type { FsmSettings } from './fsm.ts';
import type { DampCause, FsmState } from './fsm-step.ts';
import type { Negotiated } from './negotiate.ts';
import type { Connection, ConnectOptions, Transport } from './transport.ts';

/** @template Peering - the connection, which its host tells apart from others and asks in turn */
export interface PeeringHost<Peering> {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly queue: WorkQueue;
  readonly settings: FsmSettings;
  connectOptions(): ConnectOptions;
  makeOpen(): Open;
  /** Checks an OPEN against the neighbor. */
  checkOpen(open: Open): BgpFault | undefined;
  negotiate(ours: Open, theirs: Open): Negotiated;
  /** Settles collisions (RFC 4271 §6.8). @returns whether this peering continues */
  openReceived(peering: Peering, open: Open): boolean;
  track(connection: Connection): void;
  refuse(connection: Connection): void;
  up(peering: Peering): void;
  down(peering: Peering, isGraceful: boolean): void;
  damp(peering: Peering, cause: DampCause): void;
  moved(peering: Peering, from: FsmState): void;
  /** @returns the NOTIFICATION to send, when the UPDATE ends the session */
  updateReceived(body: Uint8Array): BgpFault | undefined;
  routeRefreshReceived(body: Uint8Array): BgpFault | undefined;
  /** Counts and records messages and errors. */
  sent(type: number): void;
  received(type: number): void;
  failed(text: string): void;
  notified(sender: 'local' | 'remote', notification: Notification, reason: string): void;
  /** A connection that is being closed; it is destroyed if that takes long. */
  ending(connection: Connection): void;
  ended(connection: Connection): void;
}
