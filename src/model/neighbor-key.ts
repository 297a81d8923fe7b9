// SPDX-License-Identifier: Apache-2.0
/** One text for (network, address), which is what a neighbor is; undefined: the main table. */
import type { Ipv4 } from '../net/ipv4.ts';

export const neighborKey = (network: string | undefined, address: Ipv4): string =>
  `${network ?? ''}/${address}`;
