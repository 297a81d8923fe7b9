// SPDX-License-Identifier: Apache-2.0
/**
 * What may happen to a connection: the events of RFC 4271 §8.1 and RFC 9687, with their numbers.
 *
 * Deliberately absent: DelayOpen (events 12, 20), an optional attribute that we do not have.
 */
import type { BgpFault, Notification } from '../wire/notification.ts';
import type { Connection } from './transport.ts';

/** Numbers of RFC 4271 §8.1 and RFC 9687 §4.2 (29); ROUTE-REFRESH (RFC 2918) has none. */
export const eventNumber = {
  manualStart: 1,
  manualStop: 2,
  automaticStart: 3,
  manualStartPassive: 4,
  automaticStartPassive: 5,
  automaticStartDamped: 6,
  automaticStartDampedPassive: 7,
  automaticStop: 8,
  connectRetryExpired: 9,
  holdExpired: 10,
  keepaliveExpired: 11,
  idleHoldExpired: 13,
  tcpConnectionValid: 14,
  tcpConnectionInvalid: 15,
  tcpConnectAcked: 16,
  tcpConnectionConfirmed: 17,
  tcpConnectionFailed: 18,
  openReceived: 19,
  headerErrorReceived: 21,
  openErrorReceived: 22,
  collisionDumped: 23,
  versionErrorReceived: 24,
  notificationReceived: 25,
  keepaliveReceived: 26,
  updateReceived: 27,
  updateErrorReceived: 28,
  sendHoldExpired: 29,
  routeRefreshReceived: 0,
} as const;

export type EventKind = keyof typeof eventNumber;

/** What happened, with all that the actions of its row need. */
export type FsmEvent =
  | { readonly kind: PlainEvent }
  | { readonly kind: ConnectionEvent; readonly connection: Connection }
  | { readonly kind: FaultEvent; readonly fault: BgpFault }
  | {
      readonly kind: 'openReceived';
      readonly holdTimeMs: number;
      readonly keepaliveTimeMs: number;
      readonly isGraceful: boolean;
      readonly isNotificationGraceful: boolean;
    }
  | { readonly kind: 'notificationReceived'; readonly notification: Notification }
  /** body: the message without its header, valid until the event is done. */
  | { readonly kind: BodyEvent; readonly body: Uint8Array };

type PlainEvent = Exclude<
  EventKind,
  ConnectionEvent | FaultEvent | BodyEvent | 'openReceived' | 'notificationReceived'
>;

/** Events of a connection that this machine may or may not have already. */
type ConnectionEvent =
  | 'tcpConnectionValid'
  | 'tcpConnectionInvalid'
  | 'tcpConnectAcked'
  | 'tcpConnectionConfirmed';

/** Events with the NOTIFICATION that answers them. */
type FaultEvent =
  | 'automaticStop'
  | 'headerErrorReceived'
  | 'openErrorReceived'
  | 'updateErrorReceived';

/** Messages that this machine passes on unread. */
type BodyEvent = 'updateReceived' | 'routeRefreshReceived';

/** Events 1 and 3 to 7, which mean something in Idle only. */
export function isStart(kind: EventKind): boolean {
  const number = eventNumber[kind];
  return number === 1 || (number >= 3 && number <= 7);
}
