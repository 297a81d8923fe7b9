// SPDX-License-Identifier: Apache-2.0
/** Appliance.spec.neighbors[]: what BGPPeer has no field for. A neighbor is known as there. */
import { formatIpv4 } from '../../net/ipv4.ts';
import { defaulted, distinct, mapping, optional, required, type Shape } from '../schema/shape.ts';
import { choice, duration, integer, ipv4, text } from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';

export const maximumPrefixesDefault = 1_000_000;
export const restartTimeDefaultMs = 300_000;

export const applianceNeighbor = mapping('neighbors[]', {
  network: optional(text({ max: 253 }), 'Its ExternalNetwork; the main table when absent'),
  address: required(ipv4, 'Its address, as in BGPPeer.spec.peerIP without the port'),
  maximumPrefixes: defaulted(
    integer(1, 0x0fff_ffff),
    maximumPrefixesDefault,
    'Prefixes that it may announce; a warning from 80 % on',
  ),
  maximumPrefixesAction: defaulted(
    choice('Drop', 'Idle'),
    'Idle',
    'Drop: prefixes above are refused; Idle: the session ends (Cease, RFC 4486)',
  ),
  restartTime: defaulted(
    duration(1000, 86_400_000),
    restartTimeDefaultMs,
    'How long the session stays Idle then',
    '5m',
  ),
  holdTime: optional(duration(0, 65_535_000), 'Proposed to it; bgp.holdTime when absent'),
  firstAs: defaulted(
    choice('Enforce', 'Accept'),
    'Enforce',
    'Whether AS_PATH must begin with its AS (RFC 4271 §6.3); route servers leave theirs out',
  ),
  med: optional(integer(0, 0xffff_ffff), 'MULTI_EXIT_DISC of what is announced to it'),
});

export type ApplianceNeighbor = typeof applianceNeighbor extends Shape<infer Out> ? Out : never;

/** No neighbor twice, and hold times as RFC 4271 §4.2 has them. */
export function checkApplianceNeighbors(
  neighbors: readonly ApplianceNeighbor[],
  report: Report,
): void {
  const nameOf = ({ network, address }: ApplianceNeighbor): Located<string> | undefined =>
    address && { ...address, value: neighborText(network?.value, address.value) };
  distinct(neighbors, nameOf, report, 'the neighbor');
  for (const { holdTime } of neighbors) if (holdTime) checkHoldTime(holdTime, report);
}

export function checkHoldTime(holdTime: Located<number>, report: Report): void {
  if (holdTime.value === 0 || holdTime.value >= 3000) return;
  report.error(holdTime, 'must be 0s or at least 3s (RFC 4271 §4.2)', '0s sends no KEEPALIVE.');
}

/** A neighbor in a message. */
export function neighborText(network: string | undefined, address: number): string {
  const where = network === undefined ? 'the main table' : `network ${network}`;
  return `${formatIpv4(address)} in ${where}`;
}
