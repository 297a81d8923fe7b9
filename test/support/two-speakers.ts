// SPDX-License-Identifier: Apache-2.0
/**
 * Two speakers on one segment, under a clock that stands still: what tests of speaker and session
 * begin with.
 */

import type { SpeakerNeighbor } from '../../src/bgp/neighbor.ts';
import { Speaker, type SpeakerConfig, type SpeakerEvent } from '../../src/bgp/speaker.ts';
import { makeLog } from '../../src/lib/log.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { type Ipv4, parseIpv4 } from '../../src/net/ipv4.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryHost, Segment } from './memory-transport.ts';
import { NetworkRib } from './network-rib.ts';

export const ip = (text: string): Ipv4 => parseIpv4(text)!;

export class Box {
  host: MemoryHost;
  readonly ribs = new Map<string, NetworkRib>();
  readonly events: SpeakerEvent[] = [];
  /** Lines of the log, warnings and worse. */
  readonly logged: { msg: string; [field: string]: unknown }[] = [];
  speaker: Speaker;
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.host = new MemoryHost(clock);
    this.speaker = this.#make();
  }

  rib(network = ''): NetworkRib {
    const rib = this.ribs.get(network) ?? new NetworkRib(network, clock);
    this.ribs.set(network, rib);
    return rib;
  }

  /** The process dies and another starts: the RIB is empty, the addresses remain. */
  crash(): void {
    this.host = this.host.crash();
    this.ribs.clear();
    this.#seed += 100;
    this.speaker = this.#make();
  }

  row(index = 0) {
    return this.speaker.snapshot()[index]!;
  }

  kinds(): string[] {
    return this.events.map((each) => each.kind);
  }

  #make(): Speaker {
    return new Speaker({
      clock,
      queue: clock.queue,
      random: seededRandom(this.#seed),
      log: makeLog('warn', (line) => this.logged.push(JSON.parse(line)) > 0),
      transport: this.host,
      rib: (network) => this.rib(network).rib,
      changed: (event) => this.events.push(event),
    });
  }
}

export function neighbor(fields: Partial<SpeakerNeighbor> & { address: Ipv4 }): SpeakerNeighbor {
  return {
    name: 'peer',
    network: 'red',
    port: 179,
    interfaces: ['eth0'],
    mark: 500,
    remoteAs: 64512,
    localAs: 64512,
    routerId: ip('1.1.1.1'),
    sourceAddress: undefined,
    password: undefined,
    ttlSecurityHops: undefined,
    holdTimeMs: 90_000,
    keepaliveTimeMs: undefined,
    maxRestartTimeMs: 120_000,
    allowedLocalAsCount: 0,
    maximumPrefixes: 4_000,
    maximumPrefixesAction: 'Idle',
    restartTimeMs: 300_000,
    isFirstAsEnforced: true,
    med: undefined,
    filters: [],
    ...fields,
  };
}

export function config(
  neighbors: SpeakerNeighbor[],
  more: Partial<SpeakerConfig> = {},
): SpeakerConfig {
  return {
    listenPort: 179,
    neighbors,
    filters: [],
    networkInterfaces: [],
    restart: { isRestarting: false, isForwardingPreserved: true },
    ...more,
  };
}

export let clock: ManualClock;
export let segment: Segment;
export let a: Box;
export let b: Box;
export const addressA = ip('172.16.1.1');
export const addressB = ip('172.16.1.140');

/** Speaker A's view of B. */
export const toB = (fields: Partial<SpeakerNeighbor> = {}) =>
  neighbor({ address: addressB, routerId: ip('1.1.1.1'), ...fields });
/** Speaker B's view of A. */
export const toA = (fields: Partial<SpeakerNeighbor> = {}) =>
  neighbor({ address: addressA, routerId: ip('2.2.2.2'), ...fields });

/** A new segment with both speakers on it. */
export function beginAnew(seedA = 1, seedB = 2): void {
  clock = new ManualClock();
  segment = new Segment();
  a = new Box(seedA);
  b = new Box(seedB);
  a.host.join(segment, 'eth0', addressA);
  b.host.join(segment, 'eth0', addressB);
}
