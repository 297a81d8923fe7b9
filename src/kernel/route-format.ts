// SPDX-License-Identifier: Apache-2.0
/**
 * A route, printed to the letter as `ip route show table N` prints it (iproute2 6.1,
 * ip/iproute.c print_route): every word is followed by a blank, the last one too.
 *
 *   192.0.2.0/24 via 172.16.1.140 dev ens5 proto bird
 *   198.51.100.0/24 proto bird
 *   	nexthop via 172.16.1.140 dev ens5 weight 1
 *   	nexthop via 172.16.1.141 dev ens5 weight 1
 *
 * Absent: tos, metrics, encapsulation, and the flags that the kernel adds while a link has no
 * carrier (`linkdown`, `dead`).
 */
import { formatIpv4, formatIpv4Prefix, type Ipv4, type Ipv4Prefix } from '../net/ipv4.ts';

export interface PrintableRoute {
  readonly prefix: Ipv4Prefix;
  readonly nextHops: readonly PrintableNextHop[];
  /** rtm_protocol. */
  readonly protocol: number;
  readonly scope?: number;
  readonly source?: Ipv4 | undefined;
  readonly metric?: number;
}

export interface PrintableNextHop {
  readonly interface: string;
  /** 0: on the link. */
  readonly address: Ipv4;
  readonly weight?: number;
}

/** /etc/iproute2/rt_protos as iproute2 ships it. */
const protocolNames: ReadonlyMap<number, string> = new Map([
  [0, 'unspec'],
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [8, 'gated'],
  [9, 'ra'],
  [10, 'mrt'],
  [11, 'zebra'],
  [12, 'bird'],
  [13, 'dnrouted'],
  [14, 'xorp'],
  [15, 'ntk'],
  [16, 'dhcp'],
  [18, 'keepalived'],
  [42, 'babel'],
  [99, 'openr'],
  [186, 'bgp'],
  [187, 'isis'],
  [188, 'ospf'],
  [189, 'rip'],
  [192, 'eigrp'],
]);

const scopeNames: ReadonlyMap<number, string> = new Map([
  [200, 'site'],
  [253, 'link'],
  [254, 'host'],
  [255, 'nowhere'],
]);

const protocolBoot = 3;

export function protocolName(protocol: number): string {
  return protocolNames.get(protocol) ?? String(protocol);
}

/** @returns one line, or with several next hops one more for each; no newline at the end */
export function formatIpRoute(route: PrintableRoute): string {
  const [first] = route.nextHops;
  const single = route.nextHops.length === 1 ? first : undefined;
  const lines = [`${formatDestination(route.prefix)} ${single ? formatNextHop(single) : ''}`];
  // boot is what `ip route add` writes, and what iproute2 therefore leaves out.
  if (route.protocol !== protocolBoot) lines[0] += `proto ${protocolName(route.protocol)} `;
  if (route.scope) lines[0] += `scope ${scopeNames.get(route.scope) ?? route.scope} `;
  if (route.source !== undefined) lines[0] += `src ${formatIpv4(route.source)} `;
  if (route.metric) lines[0] += `metric ${route.metric} `;
  if (!single)
    for (const hop of route.nextHops)
      lines.push(`\tnexthop ${formatNextHop(hop)}weight ${hop.weight ?? 1} `);
  return lines.join('\n');
}

function formatDestination(prefix: Ipv4Prefix): string {
  if (prefix.length === 0 && prefix.address === 0) return 'default';
  return prefix.length === 32 ? formatIpv4(prefix.address) : formatIpv4Prefix(prefix);
}

function formatNextHop({ address, interface: name }: PrintableNextHop): string {
  return `${address === 0 ? '' : `via ${formatIpv4(address)} `}dev ${name} `;
}
