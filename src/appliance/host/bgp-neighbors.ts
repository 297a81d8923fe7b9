// SPDX-License-Identifier: Apache-2.0
/**
 * The speaker's neighbors, following the Model and the host.
 *
 * A socket is bound to an interface by number: when the number changed, the sessions over it start
 * over. The BGP identifier is chosen once and kept in the state file for later instances, since a
 * neighbor takes another identifier for another router.
 */
import type { RestartFlags } from '../../bgp/connection/negotiate.ts';
import type { Speaker } from '../../bgp/speaker.ts';
import type { PortChoice } from '../../egress/ports.ts';
import type { HostSnapshot } from '../../kernel/host-snapshot.ts';
import type { Model } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import { hostLinks } from './host-view.ts';
import { chooseRouterId, speakerConfig, without } from './speaker-config.ts';

/** The identifier of a box without an address, which reaches no neighbor. */
const noAddress: Ipv4 = 1;

export class BgpNeighbors {
  readonly #speaker: Speaker;
  #routerId: Ipv4 | undefined;
  #ifindexes = new Map<string, number>();

  /** @param routerId - the previous instance's choice */
  constructor(speaker: Speaker, routerId: Ipv4 | undefined) {
    this.#speaker = speaker;
    this.#routerId = routerId;
  }

  /** BGP identifier when the configuration has none; undefined: not chosen yet. */
  get routerId(): Ipv4 | undefined {
    return this.#routerId;
  }

  /** @returns what Speaker.apply returns */
  follow(
    model: Model,
    ports: readonly PortChoice[],
    snapshot: HostSnapshot,
    restart: RestartFlags,
  ): boolean {
    const links = hostLinks(snapshot);
    this.#routerId ??= chooseRouterId(links);
    const config = speakerConfig(model, ports, links, restart, this.#routerId ?? noAddress);
    const moved = [...this.#ifindexes].filter(
      ([name, was]) => snapshot.links.get(name)?.ifindex !== was,
    );
    if (moved.length > 0) {
      this.#speaker.apply(without(config, new Set(moved.map(([name]) => name))));
    }
    this.#ifindexes = new Map(
      [...snapshot.links.values()].map((link) => [link.name, link.ifindex]),
    );
    return this.#speaker.apply(config);
  }
}
