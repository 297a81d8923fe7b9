// SPDX-License-Identifier: Apache-2.0
/** A network's RIB with the connected route that next hops resolve by, for tests of the speaker. */
import { formatIpv4Prefix, type Ipv4, parseIpv4, parseIpv4Prefix } from '../../src/net/ipv4.ts';
import { InternedAttributes } from '../../src/rib/attributes.ts';
import { Rib } from '../../src/rib/rib.ts';
import type { PathAttributes } from '../../src/rib/route.ts';
import type { ManualClock } from './manual-clock.ts';

export class NetworkRib {
  readonly rib: Rib;
  readonly #clock: ManualClock;

  constructor(name: string, clock: ManualClock) {
    this.#clock = clock;
    const attributes = new InternedAttributes({ queue: clock.queue });
    this.rib = new Rib({ name, clock, queue: clock.queue, attributes });
    const link = this.rib.openLocal({ kind: 'connected', name: 'eth0', bgp: undefined });
    link.announceDirect(parseIpv4('172.16.1.0')!, 24, { interface: 'eth0', address: 0 });
  }

  /** What BGP brought. */
  get routes(): string[] {
    this.#clock.settle();
    const found: string[] = [];
    const listing = this.rib.openListing();
    const visit = (address: Ipv4, length: number) => {
      if (this.rib.lookup(address, length)?.kind !== 'bgp') return;
      found.push(formatIpv4Prefix({ address, length }));
    };
    while (listing.next(1_000, visit)) this.#clock.settle();
    listing.close();
    return found;
  }

  has(text: string): boolean {
    const { address, length } = parseIpv4Prefix(text)!;
    this.#clock.settle();
    return this.rib.lookup(address, length)?.kind === 'bgp';
  }

  attributesOf(text: string): PathAttributes {
    const { address, length } = parseIpv4Prefix(text)!;
    return this.rib.candidates(address, length)[0]!.attributes!;
  }
}
