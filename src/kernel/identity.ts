// SPDX-License-Identifier: Apache-2.0
/**
 * The numbers by which Egret recognizes its own routes, rules and neighbors in the kernel. What a
 * previous instance left behind is found by them, not by a list that could be lost. There is one Egret
 * per network namespace.
 */

/**
 * rtm_protocol, FRA_PROTOCOL and NDA_PROTOCOL of everything but the mirrored routes (those carry
 * Appliance.routes.protocol). In the range that rtnetlink(7) leaves to users; iproute2 has no name
 * for it.
 */
export const plumbingProtocol = 231;

/**
 * The private table with a network's connected routes, looked up just before the network's own.
 * Network tables end at 2^31 - 1, so the sum fits into 32 bits.
 */
export function privateTableOf(routeTableIndex: number): number {
  return 0x4500_0000 + routeTableIndex;
}
