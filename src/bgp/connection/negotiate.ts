// SPDX-License-Identifier: Apache-2.0
/**
 * The two OPENs of a connection: ours made, theirs checked against the neighbor, and what both
 * agree on (RFC 4271 §4.2, §6.2; RFC 5492; RFC 6286; RFC 6793 §4.2).
 */
import type { Ipv4 } from '../../net/ipv4.ts';
import { isExternal, type SpeakerNeighbor } from '../neighbor.ts';
import { ByteWriter } from '../wire/bytes.ts';
import type { Capability, GracefulRestart } from '../wire/capability.ts';
import { type Family, ipv4Unicast } from '../wire/family.ts';
import { type BgpFault, makeFault, notificationCode } from '../wire/notification.ts';
import { asTrans, type Open } from '../wire/open.ts';

/** What we say of our own restart (RFC 4724 §3). */
export interface RestartFlags {
  readonly isRestarting: boolean;
  readonly isForwardingPreserved: boolean;
}

export interface Negotiated {
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
  readonly remoteId: Ipv4;
  readonly isFourOctet: boolean;
  /** Whose routes may come and go. */
  readonly families: readonly Family[];
  /** Those of them that MP_REACH_NLRI may carry: both OPENs have the capability (RFC 4760 §8). */
  readonly multiprotocolFamilies: readonly Family[];
  readonly hasRouteRefresh: boolean;
  readonly hasEnhancedRouteRefresh: boolean;
  /** The neighbor's graceful restart capability, as received. */
  readonly gracefulRestart: GracefulRestart | undefined;
  /** The neighbor can restart gracefully with its IPv4 routes (RFC 4724 §4.2). */
  readonly isGraceful: boolean;
  /** And over a NOTIFICATION too: both have set N (RFC 8538 §4). */
  readonly isNotificationGraceful: boolean;
}

const restartTimeSecondsMax = 4095;

export function makeOpen(
  neighbor: SpeakerNeighbor,
  restart: RestartFlags,
  hasCapabilities: boolean,
): Open {
  const { localAs, routerId: bgpId } = neighbor;
  const capabilities: Capability[] = [
    { kind: 'multiprotocol', family: ipv4Unicast },
    { kind: 'routeRefresh' },
    { kind: 'extendedMessage' },
    {
      kind: 'gracefulRestart',
      isRestarting: restart.isRestarting,
      hasNotification: true,
      restartTimeSeconds: Math.min(
        Math.ceil(neighbor.maxRestartTimeMs / 1000),
        restartTimeSecondsMax,
      ),
      families: [{ family: ipv4Unicast, isForwarding: restart.isForwardingPreserved }],
    },
    { kind: 'fourOctetAs', as: localAs },
    { kind: 'enhancedRouteRefresh' },
  ];
  return {
    as: localAs > 0xffff ? asTrans : localAs,
    holdTimeSeconds: Math.min(Math.round(neighbor.holdTimeMs / 1000), 0xffff),
    bgpId,
    capabilities: hasCapabilities ? capabilities : [],
  };
}

/** The AS that an OPEN means: the capability's when there is one. */
export function asOf(open: Open): number {
  const fourOctet = open.capabilities.find((each) => each.kind === 'fourOctetAs');
  return fourOctet?.as ?? open.as;
}

/** RFC 4271 §6.2 with RFC 6286 §2.2: what this neighbor's OPEN must say. */
export function checkOpen(open: Open, neighbor: SpeakerNeighbor): BgpFault | undefined {
  const as = asOf(open);
  if (as !== neighbor.remoteAs || as === 0) {
    const data = new ByteWriter().u16(open.as).done();
    const reason = `AS ${as}, not ${neighbor.remoteAs}`;
    return makeFault(notificationCode.open, 2, reason, data);
  }
  if (open.bgpId === neighbor.routerId && !isExternal(neighbor)) {
    return makeFault(notificationCode.open, 3, 'our own BGP Identifier');
  }
  return undefined;
}

export function negotiate(ours: Open, theirs: Open, neighbor: SpeakerNeighbor): Negotiated {
  const holdTimeMs = Math.min(ours.holdTimeSeconds, theirs.holdTimeSeconds) * 1000;
  const third = holdTimeMs / 3;
  const hasBoth = (kind: Capability['kind']) =>
    [ours, theirs].every((open) => open.capabilities.some((each) => each.kind === kind));
  // Of several the last counts (RFC 4724 §3).
  const gracefulRestart = hasBoth('gracefulRestart')
    ? theirs.capabilities.findLast((each) => each.kind === 'gracefulRestart')
    : undefined;
  const isGraceful =
    gracefulRestart?.families.some(({ family }) => family === ipv4Unicast) ?? false;
  return {
    holdTimeMs,
    keepaliveTimeMs: Math.min(neighbor.keepaliveTimeMs ?? third, third),
    remoteId: theirs.bgpId,
    isFourOctet: hasBoth('fourOctetAs'),
    families: agreedFamilies(ours, theirs),
    multiprotocolFamilies: inBoth(multiprotocolOf(ours), multiprotocolOf(theirs)),
    hasRouteRefresh: hasBoth('routeRefresh'),
    hasEnhancedRouteRefresh: hasBoth('enhancedRouteRefresh') && hasBoth('routeRefresh'),
    gracefulRestart,
    isGraceful,
    isNotificationGraceful: isGraceful && gracefulRestart?.hasNotification === true,
  };
}

/** Without the multiprotocol capability a session is IPv4 unicast (RFC 4760 §8). */
function agreedFamilies(ours: Open, theirs: Open): readonly Family[] {
  const familiesOf = (open: Open) => {
    const families = multiprotocolOf(open);
    return families.length > 0 ? families : [ipv4Unicast];
  };
  return inBoth(familiesOf(ours), familiesOf(theirs));
}

function multiprotocolOf(open: Open): readonly Family[] {
  return open.capabilities.flatMap((each) => (each.kind === 'multiprotocol' ? [each.family] : []));
}

function inBoth(ours: readonly Family[], theirs: readonly Family[]): readonly Family[] {
  return ours.filter((family) => theirs.includes(family));
}

/** Whether the neighbor keeps forwarding a family over its restart (RFC 4724 §3, F). */
export function keepsForwarding(restart: GracefulRestart | undefined, family: Family): boolean {
  return restart?.families.some((each) => each.family === family && each.isForwarding) ?? false;
}

/** RFC 4271 §6.8 with RFC 6286 §2.3: whether our own connection is the one to keep. */
export function isOwnConnectionKept(neighbor: SpeakerNeighbor, remoteId: Ipv4): boolean {
  if (neighbor.routerId !== remoteId) return neighbor.routerId > remoteId;
  return neighbor.localAs > neighbor.remoteAs;
}
