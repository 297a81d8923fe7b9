// SPDX-License-Identifier: Apache-2.0
/**
 * The same figure forwarded by the kernel alone: policy routing and nftables SNAT in place of Egret.
 * The laboratory is checked against it, and iperf3's figure for Egret is compared with its.
 */
import type { Host } from './namespace.ts';

export interface KernelRoute {
  /** Who sends, e.g. 10.1.0.2. */
  readonly client: string;
  readonly table: number;
  readonly destination: string;
  readonly nextHop: string;
  readonly interface: string;
  /** Source that the network sees. */
  readonly source: string;
}

/** Makes a host forward and translate by these routes. */
export async function startKernelGateway(
  host: Host,
  routes: readonly KernelRoute[],
): Promise<void> {
  await host.sysctl({
    'net.ipv4.ip_forward': 1,
    'net.ipv4.conf.all.rp_filter': 0,
    'net.ipv4.conf.default.rp_filter': 0,
    // ICMP errors go back to the network that the packet came from, by the mark it was given.
    'net.ipv4.fwmark_reflect': 1,
  });
  await host.ip(
    ...routes.flatMap((route) => [
      `route add ${route.destination} via ${route.nextHop} dev ${route.interface} table ${route.table}`,
      `rule add from ${route.client} lookup ${route.table}`,
      `rule add fwmark ${route.table} lookup ${route.table}`,
    ]),
  );
  const rules = routes.map(
    (route) => `oifname "${route.interface}" ip saddr ${route.client} snat to ${route.source}`,
  );
  const marks = routes.map((route) => `iifname "${route.interface}" meta mark set ${route.table}`);
  await host.nft(`table ip lab {
    chain prerouting {
      type filter hook prerouting priority mangle;
      ${marks.join('\n      ')}
    }
    chain postrouting {
      type nat hook postrouting priority srcnat;
      ${rules.join('\n      ')}
    }
  }`);
}
