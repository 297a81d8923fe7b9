// SPDX-License-Identifier: Apache-2.0
/**
 * Watches the guard: `nft flush ruleset`, or a service that loads rules of its own, removes it.
 *
 *   another program ─▶ nf_tables ─▶ notification ─▶ is it whole? ─ no ─▶ log, install again
 *
 * The kernel notifies of each table, chain and rule that is added or removed (NFNLGRP_NFTABLES;
 * linux/netfilter/nf_tables.h). Those of our own transactions look the same, so a notification only
 * asks for a comparison with what nft printed when the guard stood.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { Guard } from './guard.ts';
import { type NetlinkSockets, netlinkNetfilter } from './native.ts';
import { openNotifications } from './rtnetlink.ts';

/** NFNLGRP_NFTABLES. */
const groupNftables = 7;
/** After the last of several notifications, which come in one burst. */
const settleMs = 50;
/** While notifications never cease. */
const latestMs = 300;

export interface GuardWatchOptions {
  readonly guard: Pick<Guard, 'isWhole' | 'table'>;
  readonly sockets: NetlinkSockets;
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly log: Log;
  /** It is to be installed again. */
  readonly onLost: () => void;
}

export function watchGuard(options: GuardWatchOptions): { close(): void } {
  const { guard, sockets, clock, queue, log, onLost } = options;
  let timer: Timer | undefined;
  let firstMs: number | undefined;
  let isClosed = false;
  const compare = async (): Promise<void> => {
    firstMs = undefined;
    if ((await guard.isWhole()) || isClosed) return;
    log.error({ table: guard.table }, 'another program changed the guard; it is installed again');
    onLost();
  };
  const soon = (): void => {
    firstMs ??= clock.nowMs();
    timer?.clear();
    const delayMs = Math.max(0, Math.min(settleMs, firstMs + latestMs - clock.nowMs()));
    timer = clock.after(delayMs, () => void compare());
  };
  const listener = { message: soon, overrun: soon };
  const notifications = openNotifications(
    sockets,
    queue,
    [groupNftables],
    0,
    listener,
    netlinkNetfilter,
  );
  return {
    close() {
      isClosed = true;
      timer?.clear();
      notifications.close();
    },
  };
}
