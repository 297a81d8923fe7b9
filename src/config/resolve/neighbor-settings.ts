// SPDX-License-Identifier: Apache-2.0
/** Appliance.spec.neighbors[] → what a neighbor has beyond its BGPPeer, with the defaults. */
import type { Neighbor } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import { applianceKind } from '../kinds/appliance.ts';
import {
  maximumPrefixesDefault,
  neighborText,
  restartTimeDefaultMs,
} from '../kinds/appliance-neighbor.ts';
import { bgpPeerKind, parsePeerIp } from '../kinds/bgp-peer.ts';
import type { Report } from '../yaml/located.ts';
import type { Catalog } from './catalog.ts';

type Settings = Pick<
  Neighbor,
  | 'holdTimeMs'
  | 'maximumPrefixes'
  | 'maximumPrefixesAction'
  | 'restartTimeMs'
  | 'isFirstAsEnforced'
  | 'med'
>;

const holdTimeDefaultMs = 90_000;

export function neighborSettings(
  catalog: Catalog,
  network: string | undefined,
  address: Ipv4,
): Settings {
  const spec = catalog.of(applianceKind)[0]?.fields.spec;
  const own = spec?.neighbors?.value.find(
    (each) => each.network?.value === network && each.address?.value === address,
  );
  return {
    holdTimeMs: own?.holdTime?.value ?? spec?.bgp.holdTime.value ?? holdTimeDefaultMs,
    maximumPrefixes: own?.maximumPrefixes.value ?? maximumPrefixesDefault,
    maximumPrefixesAction: own?.maximumPrefixesAction.value ?? 'Idle',
    restartTimeMs: own?.restartTime.value ?? restartTimeDefaultMs,
    isFirstAsEnforced: own?.firstAs.value !== 'Accept',
    med: own?.med?.value,
  };
}

/** Each entry is for a BGPPeer, here or on another box. */
export function checkNeighborSettings(catalog: Catalog, report: Report): void {
  const known = new Set<string>();
  for (const { fields } of catalog.of(bgpPeerKind)) {
    const peer = fields.spec?.peerIP && parsePeerIp(fields.spec.peerIP.value);
    if (peer?.family !== 4) continue;
    known.add(neighborText(fields.spec?.externalNetwork?.value, peer.address));
  }
  const entries = catalog.of(applianceKind)[0]?.fields.spec.neighbors?.value ?? [];
  for (const { network, address } of entries) {
    if (!address) continue;
    const name = neighborText(network?.value, address.value);
    if (known.has(name)) continue;
    report.error(
      address,
      `there is no BGPPeer for ${name}`,
      'Write the BGPPeer, or correct network and address.',
    );
  }
}
