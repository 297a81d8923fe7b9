// SPDX-License-Identifier: Apache-2.0
/**
 * Managed neighbors (NTF_EXT_MANAGED): next hops and directly connected clients, which the kernel
 * resolves and keeps resolved by itself. It never sees our packets use them, and would forget them.
 *
 * The forwarder learns their MAC addresses from the kernel. What an operator set to be permanent is
 * left alone. The kernel forgets all neighbors of an interface that goes down: `setNeighbors` after
 * each change of the host brings them back.
 */
import { constants } from 'node:os';
import type { Ipv4 } from '../net/ipv4.ts';
import { plumbingProtocol } from './identity.ts';
import { flagCreate, flagReplace, type MessageFault } from './netlink-codec.ts';
import type { Rtnetlink } from './rtnetlink.ts';
import {
  decodeNeighbor,
  encodeDelNeighbor,
  encodeManagedNeighbor,
  encodeNeighborDump,
} from './rtnetlink-codec.ts';

export interface ManagedNeighbor {
  readonly ifindex: number;
  readonly address: Ipv4;
}

export interface RefusedNeighbor {
  readonly neighbor: ManagedNeighbor;
  readonly fault: MessageFault;
}

/** NUD_PERMANENT. */
const statePermanent = 0x80;

/**
 * Makes the managed neighbors of ours those that are wanted.
 *
 * @param wanted - empty: the orderly stop
 * @returns what the kernel refused
 * @throws EgretError NETLINK_REFUSED when the neighbors cannot be read
 */
export async function setNeighbors(
  rtnetlink: Rtnetlink,
  wanted: readonly ManagedNeighbor[],
): Promise<RefusedNeighbor[]> {
  const all = await rtnetlink.dump('neighbors', encodeNeighborDump(), decodeNeighbor);
  const wantedKeys = new Set(wanted.map(keyOf));
  const settled = new Set<string>();
  const stale: ManagedNeighbor[] = [];
  for (const neighbor of all) {
    const isOurs = neighbor.isManaged && neighbor.protocol === plumbingProtocol;
    if (isOurs || neighbor.state & statePermanent) settled.add(keyOf(neighbor));
    if (isOurs && !wantedKeys.has(keyOf(neighbor))) stale.push(neighbor);
  }
  const missing = wanted.filter((neighbor) => !settled.has(keyOf(neighbor)));
  const faults = [
    ...(await rtnetlink.requestAll(
      stale.map(({ ifindex, address }) => encodeDelNeighbor(ifindex, address)),
    )),
    ...(await rtnetlink.requestAll(
      missing.map(({ ifindex, address }) =>
        encodeManagedNeighbor(ifindex, address, plumbingProtocol),
      ),
      flagCreate | flagReplace,
    )),
  ];
  return [...stale, ...missing].flatMap((neighbor, i) => {
    const fault = faults[i]!;
    return fault.errno === 0 || fault.errno === constants.errno.ENOENT ? [] : [{ neighbor, fault }];
  });
}

const keyOf = ({ ifindex, address }: ManagedNeighbor): string => `${ifindex} ${address}`;
