// SPDX-License-Identifier: Apache-2.0
/**
 * What src/kernel needs of libegret, as interfaces that are handed in.
 * appliance/host/native-sockets.ts implements them over native/egret.h; tests do it with a few lines of their
 * own.
 */

/** Protocols of netlink (linux/netlink.h): NETLINK_ROUTE, NETLINK_NETFILTER. */
export const netlinkRoute = 0;
export const netlinkNetfilter = 12;

/** Netlink sockets, for which Node has no type (native/egretd/netlink.c). */
export interface NetlinkSockets {
  /**
   * Opens NETLINK_ROUTE, or another protocol.
   *
   * @param groups - multicast groups (RTNLGRP_*, NFNLGRP_*)
   * @param receiveBytes - socket buffer; more than that of pending messages is an overrun
   * @param filterProtocol - route notifications of this protocol are dropped in the kernel; 0: none
   * @returns the descriptor to send on, and a stream of datagrams, each behind its length in 32
   *   bits; the length 0 says that messages were lost
   */
  open(
    groups: readonly number[],
    receiveBytes: number,
    filterProtocol: number,
    protocol?: number,
  ): { readonly fd: number; readonly events: number };
  /** Sends bytes that hold whole netlink messages. @throws EgretError when the kernel refuses */
  send(fd: number, bytes: Uint8Array): void;
  close(fd: number): void;
}

/** The thread that installs routes (native/egretd/mirror.h). */
export interface MirrorNative {
  /** @returns a handle, and a stream of struct mirror_event */
  open(protocol: number): { readonly handle: unknown; readonly events: number };
  /**
   * Queues rows of struct egret_mirror_route.
   *
   * @returns how many were taken; the rest did not fit
   */
  submit(handle: unknown, rows: Uint8Array, count: number): number;
  /** From here on nothing is more important. */
  hurry(handle: unknown): void;
  close(handle: unknown): void;
}
