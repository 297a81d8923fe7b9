// SPDX-License-Identifier: Apache-2.0
/** A producer's hold on a RIB: its adj-RIB-in after policy (RFC 4271 §3.2), or its local routes. */
import { assert } from '../lib/assert.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { AttributesId, LocalRoutes, NextHop } from './route.ts';
import type { RouteStore, SourceState } from './route-store.ts';

/** Routes are stale for fewer epochs than half of those that there are (path-table.ts). */
const epochsApartMax = 0x7fff;

export class RibSource implements LocalRoutes {
  readonly #store: RouteStore;
  readonly #state: SourceState;
  /** Paths of this source are to be removed: a scan is needed. */
  readonly #mustScan: () => void;
  // Routes come in runs with the same attributes.
  #lastAttributes: AttributesId = 0;
  #lastNextHop = 0;

  constructor(store: RouteStore, state: SourceState, mustScan: () => void) {
    this.#store = store;
    this.#state = state;
    this.#mustScan = mustScan;
  }

  get routeCount(): number {
    return this.#state.routeCount;
  }

  get staleCount(): number {
    return this.#state.staleCount;
  }

  announce(address: Ipv4, length: number, attributes: AttributesId): void {
    assert(attributes !== 0, 'a BGP route has attributes');
    this.#put(address, length, attributes, this.#nextHopBy(attributes));
  }

  announceDirect(address: Ipv4, length: number, nextHop: NextHop): void {
    this.#put(address, length, 0, this.#store.nextHops.internDirect(nextHop));
  }

  announceVia(address: Ipv4, length: number, nextHop: Ipv4): void {
    this.#put(address, length, 0, this.#store.nextHops.internAddress(nextHop));
  }

  withdraw(address: Ipv4, length: number): void {
    assert(!this.#state.isClosing, 'a closed source withdraws nothing');
    this.#store.drop(this.#state, address, length);
  }

  /** Costs nothing: the epoch rises. */
  markStale(): void {
    const state = this.#state;
    if (state.staleCount === state.routeCount) return;
    // Epochs wrap around: a route that stayed stale that long must not count as fresh again.
    if ((state.epoch & epochsApartMax) === epochsApartMax) this.sweepStale();
    state.epoch = (state.epoch + 1) & 0xffff;
    state.staleCount = state.routeCount;
  }

  sweepStale(): void {
    if (this.#state.staleCount === 0) return;
    this.#state.deleteBefore = this.#state.epoch;
    this.#mustScan();
  }

  close(): void {
    if (this.#state.isClosing) return;
    this.#state.isClosing = true;
    this.#mustScan();
  }

  #put(address: Ipv4, length: number, attributes: AttributesId, nextHop: number): void {
    assert(!this.#state.isClosing, 'a closed source announces nothing');
    this.#store.put(this.#state, address, length, attributes, nextHop);
  }

  // The number may have been freed and given to another next hop since: ask whether it still fits.
  #nextHopBy(attributes: AttributesId): number {
    const { nextHops } = this.#store;
    const address = this.#store.attributes.nextHopOf(attributes);
    if (attributes === this.#lastAttributes && nextHops.isAddress(this.#lastNextHop, address)) {
      return this.#lastNextHop;
    }
    this.#lastAttributes = attributes;
    this.#lastNextHop = nextHops.internAddress(address);
    return this.#lastNextHop;
  }
}
