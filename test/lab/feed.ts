// SPDX-License-Identifier: Apache-2.0
/**
 * Many networks with one neighbor each, all of them one program in one host:
 *
 *   ┌─────────┐ wan0 10.66.0.1 ── 10.66.0.2 ┌──────┐
 *   │ gateway │ wan1 10.66.1.1 ── 10.66.1.2 │ feed │     network net0, net1, …
 *   └─────────┘  …                          └──────┘
 *
 * For what many networks cost at once: fifty BIRDs would take more of the machine than Egret does.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { FeedMethods, FeedSession } from './feed-program.ts';
import type { Host, Lab } from './namespace.ts';
import { Requests } from './requests.ts';

const feedAs = 64_700;
const egretAs = 64_999;

/** Address of the feed in a network. */
export const feedAddress = (network: number): string => `10.66.${network}.2`;

export class Feed {
  readonly gateway: Host;
  readonly networkCount: number;
  readonly #host: Host;
  readonly #requests: Requests<FeedMethods>;

  private constructor(gateway: Host, host: Host, networkCount: number) {
    this.gateway = gateway;
    this.networkCount = networkCount;
    this.#host = host;
    const program = fileURLToPath(new URL('./feed-program.ts', import.meta.url));
    this.#requests = new Requests('feed', host.startNode(program));
  }

  /** Builds hosts and links, and listens. @param networkCount - at most 250 */
  static async open(lab: Lab, networkCount: number, holdTimeS: number): Promise<Feed> {
    const { gateway, feed: host } = await lab.hosts('gateway', 'feed');
    await gateway.sysctl({ 'net.ipv4.ip_forward': 0, 'net.ipv4.conf.all.rp_filter': 0 });
    for (let network = 0; network < networkCount; network += 1) {
      await lab.link(
        { host: gateway, name: `wan${network}`, addresses: [`10.66.${network}.1/24`] },
        { host, name: `up${network}`, addresses: [`${feedAddress(network)}/24`] },
      );
    }
    const feed = new Feed(gateway, host, networkCount);
    await feed.#requests.call('listen', { as: feedAs, holdTimeS });
    return feed;
  }

  /** Egret's configuration for these networks. @param appliance - more of Appliance.spec */
  config(appliance: Readonly<Record<string, unknown>>): string {
    const apiVersion = 'projectcalico.org/v3';
    const numbers = Array.from({ length: this.networkCount }, (_, number) => number);
    const resources = [
      {
        apiVersion,
        kind: 'FelixConfiguration',
        metadata: { name: 'default' },
        spec: {
          externalNetworkSupport: 'Enabled',
          egressIPSupport: 'EnabledPerNamespaceOrPerPod',
        },
      },
      {
        apiVersion,
        kind: 'BGPConfiguration',
        metadata: { name: 'default' },
        spec: { asNumber: egretAs },
      },
      {
        apiVersion: 'egret.dev/v1',
        kind: 'Appliance',
        metadata: { name: 'box' },
        spec: {
          networks: numbers.map((n) => ({ name: `net${n}`, interfaces: [`wan${n}`] })),
          ...appliance,
        },
      },
      ...numbers.flatMap((n) => [
        {
          apiVersion,
          kind: 'ExternalNetwork',
          metadata: { name: `net${n}` },
          spec: { routeTableIndex: 1000 + n },
        },
        {
          apiVersion,
          kind: 'BGPPeer',
          metadata: { name: `to-net${n}` },
          spec: {
            peerIP: feedAddress(n),
            asNumber: feedAs,
            sourceAddress: 'None',
            externalNetwork: `net${n}`,
          },
        },
      ]),
    ];
    return resources.map((resource) => stringify(resource)).join('---\n');
  }

  /** Waits until every network has its session. */
  async established(): Promise<void> {
    await this.#requests.call('established', { count: this.networkCount });
  }

  /** Announces prefixes in these networks, at once. @returns when the kernel has taken it all */
  async announce(networks: readonly number[], prefixes: readonly string[]): Promise<void> {
    const path = join(this.#host.folder, 'prefixes');
    await writeFile(path, prefixes.join('\n'));
    await this.#requests.call('load', { path });
    await this.#requests.call('announce', { addresses: networks.map(feedAddress) });
  }

  sessions(): Promise<readonly FeedSession[]> {
    return this.#requests.call('sessions', undefined);
  }
}
