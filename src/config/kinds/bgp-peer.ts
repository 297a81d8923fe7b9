// SPDX-License-Identifier: Apache-2.0
/** BGPPeer: a BGP neighbor. The rules over several fields are those of Calico's CRD. */
import { formatDurationMs } from '../../net/duration.ts';
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import { isIpv6 } from '../../net/ipv6.ts';
import {
  defaulted,
  ignored,
  list,
  mapping,
  missingAt,
  optional,
  required,
} from '../schema/shape.ts';
import {
  anyAddress,
  asNumber,
  boolean,
  choice,
  duration,
  integer,
  selector,
  text,
} from '../schema/shape-scalars.ts';
import { quote } from '../yaml/located.ts';
import { calicoVersions, defineKind, refuseBoth } from './kind.ts';

const secretKeyRef = mapping('secretKeyRef', {
  name: required(text({ max: 253 }), 'Name of a Secret'),
  key: required(text({ max: 253 }), 'Key in it'),
  optional: optional(boolean, 'No error when the Secret is missing'),
});

const restartTimeMaxMs = 4095_000;

export const bgpPeerKind = defineKind({
  kind: 'BGPPeer',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'A BGP neighbor, in the network that externalNetwork names or in the main table.',
  fields: {
    spec: required(
      mapping('BGPPeer.spec', {
        node: optional(text({ max: 253 }), 'Only the box with this Node'),
        nodeSelector: optional(selector(1024), 'Only boxes whose Node it selects'),
        peerIP: optional(
          text({ max: 64 }),
          'Address of the neighbor, with :PORT when that is not 179',
        ),
        asNumber: optional(asNumber, 'AS of the neighbor'),
        localASNumber: optional(asNumber, 'Local AS towards this neighbor'),
        externalNetwork: optional(text({ max: 253 }), 'Network whose table takes its routes'),
        sourceAddress: defaulted(
          choice('UseNodeIP', 'None'),
          'UseNodeIP',
          "The Node's address, or the kernel's choice",
        ),
        password: optional(
          mapping('password', {
            secretKeyRef: required(secretKeyRef, 'Secret with the TCP-MD5 key (RFC 2385)'),
          }),
          'TCP-MD5',
        ),
        ttlSecurity: optional(
          integer(0, 255),
          'Hops to the neighbor (GTSM, RFC 5082); off when absent',
        ),
        filters: optional(list(text({ max: 253 })), 'BGPFilters, in order'),
        keepaliveTime: optional(duration(1000, 21845_000), 'A third of the hold time when absent'),
        restartMode: defaulted(
          choice('GracefulRestart', 'LongLivedGracefulRestart'),
          'GracefulRestart',
          'How its routes survive its restart',
        ),
        maxRestartTime: optional(
          duration(0, 16777215_000),
          'How long they survive; 120s, or 3600s with LongLivedGracefulRestart',
        ),
        nextHopMode: optional(
          choice('Auto', 'Self', 'Keep'),
          'Accepted; the next hop of what is announced is always this box',
        ),
        keepOriginalNextHop: optional(boolean, 'Deprecated: as nextHopMode Keep'),
        numAllowedLocalASNumbers: defaulted(
          integer(0, 0x7fff_ffff),
          0,
          'How often the own AS may stand in a path',
        ),
        reachableBy: optional(anyAddress, 'Gateway on the way to the neighbor'),
        peerSelector: optional(selector(1024), 'Accepted: peers between cluster nodes'),
        localWorkloadSelector: optional(selector(1024), 'Accepted: peers that are workloads'),
        reversePeering: optional(choice('Auto', 'Manual'), 'Accepted, with peerSelector'),
        failureDetectionMode: optional(
          choice('None', 'BFDIfDirectlyConnected'),
          'Accepted; there is no BFD',
        ),
        birdGatewayMode: optional(
          choice('Recursive', 'DirectIfDirectlyConnected'),
          'Accepted; next hops are resolved recursively',
        ),
        network: optional(text({ max: 253 }), 'Refused: networks are ExternalNetworks here'),
        extensions: ignored('for custom BIRD templates'),
      }),
      'The neighbor',
    ),
  },
  check({ fields: { spec } }, report) {
    if (spec === undefined) return;
    refuseBoth(spec.node, spec.nodeSelector, report);
    refuseBoth(spec.peerIP, spec.peerSelector, report);
    refuseBoth(spec.peerSelector, spec.asNumber, report, 'The AS of a Node is known.');
    refuseBoth(spec.localWorkloadSelector, spec.peerIP, report);
    refuseBoth(spec.localWorkloadSelector, spec.peerSelector, report);
    refuseBoth(spec.externalNetwork, spec.network, report);
    if (spec.keepOriginalNextHop?.value)
      refuseBoth(spec.keepOriginalNextHop, spec.nextHopMode, report);
    const isAddressed = ['peerIP', 'peerSelector', 'localWorkloadSelector'].some((field) =>
      spec.present.includes(field),
    );
    if (!isAddressed) {
      report.error(
        missingAt(spec, 'peerIP'),
        'the field is required',
        'Give the address of the neighbor.',
      );
    }
    const needsAs =
      spec.present.includes('peerIP') || spec.present.includes('localWorkloadSelector');
    if (needsAs && !spec.present.includes('asNumber')) {
      report.error(
        missingAt(spec, 'asNumber'),
        'the neighbor has no remote AS',
        'Give asNumber: the AS of the neighbor.',
      );
    }
    if (spec.network && !spec.externalNetwork) {
      report.error(spec.network, 'VRF Networks are not supported', 'Use externalNetwork.');
    }
    if (spec.reversePeering && !spec.present.includes('peerSelector')) {
      report.error(spec.reversePeering, 'needs peerSelector', 'Leave it out.');
    }
    if (spec.reachableBy && !spec.present.includes('peerIP')) {
      report.error(spec.reachableBy, 'needs peerIP', 'It is the gateway to one neighbor.');
    }
    const peer = spec.peerIP && parsePeerIp(spec.peerIP.value);
    if (spec.peerIP && peer === undefined) {
      report.error(
        spec.peerIP,
        `must be an address, or an address and a port, not ${quote(spec.peerIP.value)}`,
        'For example 172.16.1.140 or 172.16.1.140:1179.',
      );
    } else if (spec.peerIP && peer?.family === 4 && !isUnicast(peer.address)) {
      report.error(
        spec.peerIP,
        `${spec.peerIP.value} is no address of one host`,
        'Give the address of the neighbor.',
      );
    }
    if (spec.reachableBy && peer && spec.reachableBy.value.family !== peer.family) {
      report.error(
        spec.reachableBy,
        'must be of the same address family as spec.peerIP',
        'Both are IPv4, or both IPv6.',
      );
    }
    if (spec.externalNetwork && spec.peerIP && peer?.family === 6) {
      report.error(
        spec.peerIP,
        'external networks are IPv4 only',
        "Give the neighbor's IPv4 address.",
      );
    }
    const { maxRestartTime } = spec;
    const isLong = spec.restartMode.value === 'LongLivedGracefulRestart';
    if (maxRestartTime && !isLong && maxRestartTime.value > restartTimeMaxMs) {
      report.error(
        maxRestartTime,
        `must be at most ${formatDurationMs(restartTimeMaxMs)} (RFC 4724 §3 has twelve bits)`,
        'The usual is 120s.',
      );
    }
  },
});

export type PeerAddress =
  | { readonly family: 4; readonly address: Ipv4; readonly port: number | undefined }
  | { readonly family: 6; readonly text: string; readonly port: number | undefined };

/** `1.2.3.4`, `1.2.3.4:179`, `2001:db8::1`, `[2001:db8::1]:179`. */
export function parsePeerIp(peerIp: string): PeerAddress | undefined {
  if (isIpv6(peerIp)) return { family: 6, text: peerIp, port: undefined };
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(peerIp);
  if (!match) return undefined;
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  if (match[1] !== undefined) {
    return isIpv6(match[1]) && port !== undefined ? { family: 6, text: match[1], port } : undefined;
  }
  const address = parseIpv4(match[2] ?? '');
  return address === undefined ? undefined : { family: 4, address, port };
}

/** Neither 0.0.0.0/8 nor multicast, reserved or broadcast (RFC 6890). */
export function isUnicast(address: Ipv4): boolean {
  const first = address >>> 24;
  return first > 0 && first < 224;
}
