// SPDX-License-Identifier: Apache-2.0
/** Appliance: the box itself, the one kind of ours. All of spec is optional. */
import { managementVrf } from '../../model/model.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import type { Shape } from '../schema/shape.ts';
import {
  defaulted,
  distinct,
  ignored,
  list,
  mapping,
  optional,
  required,
  section,
} from '../schema/shape.ts';
import {
  anyAddress,
  boolean,
  choice,
  duration,
  integer,
  interfaceName,
  ipv4,
  prefix,
  resourceName,
  text,
} from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';
import { describeValue, formatLocation, quote } from '../yaml/located.ts';
import {
  applianceInterface,
  checkApplianceInterfaces,
  hostOnly,
  noteHostFields,
} from './appliance-interface.ts';
import { applianceNeighbor, checkApplianceNeighbors, checkHoldTime } from './appliance-neighbor.ts';
import { isUnicast } from './bgp-peer.ts';
import { defineKind } from './kind.ts';

/** RFC 1123 §2.1. */
const hostname =
  /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$/;
const timeServer = /^[-.:a-zA-Z0-9]+$/;
const month = 30 * 86_400_000;

const staticRoute = mapping('staticRoutes[]', {
  destination: required(prefix, 'Prefix'),
  nextHop: required(ipv4, 'Address of the next hop'),
});

/** `bgp`, `bird` or a number; the last word of a route as iproute2 prints it. */
const routeProtocols = { bgp: 186, bird: 12 } as const;
const routeProtocol: Shape<Located<number>> = {
  says: 'bgp, bird or a number, 4 to 255',
  fields: undefined,
  item: undefined,
  read(value, path, report) {
    const text = value.kind === 'scalar' ? value.text : '';
    if (text === 'bgp' || text === 'bird') {
      return { value: routeProtocols[text], at: value.at, path };
    }
    const number = /^\d{1,3}$/.test(text) ? Number(text) : -1;
    if (number >= 4 && number <= 255) return { value: number, at: value.at, path };
    report.error(
      { at: value.at, path },
      `must be ${this.says}, not ${describeValue(value)}`,
      'The names are those that iproute2 prints.',
    );
    return undefined;
  },
};

const spec = mapping('Appliance.spec', {
  nodes: optional(list(resourceName), 'Nodes that are this box; all when absent'),
  interfaces: optional(
    list(applianceInterface),
    'Ports; those that lead to a neighbor, a static next hop or a client when absent',
  ),
  networks: optional(
    list(
      mapping('networks[]', {
        name: required(text({ max: 253 }), 'Name of an ExternalNetwork'),
        interfaces: optional(list(interfaceName), 'Its interfaces; role Networks'),
        vrfDevice: optional(
          interfaceName,
          `VRF device of its interfaces; made with --manage-host, otherwise its interfaces when none are named`,
        ),
        staticRoutes: optional(list(staticRoute), 'Routes that no neighbor announces'),
        limits: optional(
          mapping('networks[].limits', {
            routes: optional(
              integer(1, 0x0fff_ffff),
              'Routes that there is always room for, whatever other networks have: 2 KiB each; an equal share of half the room when absent',
            ),
          }),
          'Its part of the room',
        ),
      }),
    ),
    'What ExternalNetwork has no field for',
  ),
  neighbors: optional(list(applianceNeighbor), 'What BGPPeer has no field for'),
  routes: section(
    mapping('routes', {
      mirror: defaulted(boolean, true, "Copies each network's routes into the kernel's table"),
      protocol: defaulted(routeProtocol, routeProtocols.bgp, 'Protocol of those copies', 'bgp'),
      static: optional(list(staticRoute), 'Routes of the main table'),
    }),
    'Routes',
  ),
  bgp: section(
    mapping('bgp', {
      holdTime: defaulted(
        duration(0, 65_535_000),
        90_000,
        'Proposed to every neighbor; 0s, or from 3s (RFC 4271 §4.2)',
        '90s',
      ),
      restartDeferral: defaulted(
        duration(0, 3_600_000),
        120_000,
        'How long a restarted daemon waits for End-of-RIB (RFC 4724 §4.1)',
        '120s',
      ),
    }),
    'BGP of this box',
  ),
  nat: section(
    mapping('nat', {
      mapping: defaulted(
        choice('EndpointIndependent', 'AddressAndPortDependent'),
        'EndpointIndependent',
        'RFC 4787 §4.1',
      ),
      filtering: defaulted(
        choice('EndpointIndependent', 'AddressDependent', 'AddressAndPortDependent'),
        'AddressAndPortDependent',
        'RFC 4787 §5; a mapping that depends on the remote allows the default alone',
      ),
      timeouts: section(
        mapping('timeouts', {
          udp: defaulted(duration(100, month), 300_000, 'RFC 4787 REQ-5', '5m'),
          tcpEstablished: defaulted(duration(100, month), 7_440_000, 'RFC 5382 REQ-5', '2h4m'),
          tcpTransitory: defaulted(duration(100, month), 240_000, 'RFC 5382 REQ-5', '4m'),
          icmp: defaulted(duration(100, month), 60_000, 'RFC 5508 REQ-2', '60s'),
        }),
        'How long an idle session stays',
      ),
      portQuarantine: defaulted(
        duration(0, month),
        120_000,
        'How long an outside port rests after its last session',
        '120s',
      ),
      clientSessions: defaulted(
        integer(0, 0xffff_ffff),
        0,
        'Sessions of one client address; 0: no limit',
      ),
      icmpErrorsPerSecond: defaulted(
        integer(0, 1_000_000),
        10,
        'ICMP errors to one address; to all together a hundred times as many (RFC 1812 §4.3.2.8)',
      ),
    }),
    'Address translation',
  ),
  limits: section(
    mapping('limits', {
      sessions: optional(
        integer(1, 0x0fff_ffff),
        'Room for sessions; 1000000 when absent, fewer where a quarter of /dev/shm holds fewer',
      ),
      routes: optional(
        integer(1, 0x0fff_ffff),
        'Room for routes, of all networks; 2000000 when absent, fewer like sessions',
      ),
      hugepages: ignored('the arena is on tmpfs'),
    }),
    'What is allocated when the forwarder starts',
  ),
  system: section(
    mapping('system', {
      hostname: optional(
        text({ max: 64, pattern: hostname, says: 'a host name (letters, digits, - and .)' }),
        `Name of the box; ${hostOnly}`,
      ),
      dns: optional(list(anyAddress, { max: 8 }), `Addresses of name servers; ${hostOnly}`),
      ntp: optional(
        list(text({ max: 253, pattern: timeServer, says: 'a host name or an address' }), {
          max: 8,
        }),
        `Names or addresses of time servers; ${hostOnly}`,
      ),
    }),
    'The operating system',
  ),
  config: section(
    mapping('config', {
      watch: defaulted(boolean, false, 'Reads the configuration again when a file changes'),
    }),
    'The configuration itself',
  ),
  metrics: section(
    mapping('metrics', { listen: optional(text(), 'ADDRESS:PORT; off when absent') }),
    'Metrics',
  ),
  log: section(
    mapping('log', {
      level: defaulted(
        choice('fatal', 'error', 'warn', 'info', 'debug', 'trace'),
        'info',
        'How much egretd logs',
      ),
    }),
    'Logging',
  ),
});

export const applianceKind = defineKind({
  kind: 'Appliance',
  apiVersions: ['egret.dev/v1'],
  isNamespaced: false,
  says: 'The box itself: ports, translation, limits, what the other kinds have no field for.',
  fields: { spec: section(spec, 'The box') },
  check({ fields: { spec: written } }, report) {
    const interfaces = written.interfaces?.value ?? [];
    checkApplianceInterfaces(interfaces, report);
    noteHostFields(interfaces, report);
    for (const field of ['hostname', 'dns', 'ntp'] as const) {
      const place = written.system[field];
      if (place) report.note(place.at, `Appliance: system.${field} is ${hostOnly}`, true);
    }
    checkVrfDevices(written, report);
    noteAbsent(written, report);
    const { mapping: mapped, filtering } = written.nat;
    if (mapped.value === 'AddressAndPortDependent' && filtering.value !== mapped.value) {
      report.error(
        filtering,
        `${filtering.value} admits remotes at an outside port that ${mapped.value} mapping gives to one remote alone`,
        'Leave it out, or map EndpointIndependent.',
      );
    }
    distinct(written.networks?.value ?? [], ({ name }) => name, report, 'the network');
    distinct(written.nodes?.value ?? [], (name) => name, report, 'the Node');
    const tables = [
      written.routes.static,
      ...(written.networks?.value ?? []).map((n) => n.staticRoutes),
    ];
    for (const table of tables) {
      const routes = table?.value ?? [];
      const textOf = ({ destination }: (typeof routes)[number]) =>
        destination && { ...destination, value: destination.value.text };
      distinct(routes, textOf, report, 'the destination');
      for (const { nextHop } of routes) {
        if (nextHop && !isUnicast(nextHop.value))
          report.error(nextHop, 'is no address of one host', 'Give the address of a router.');
      }
    }
    checkHoldTime(written.bgp.holdTime, report);
    checkApplianceNeighbors(written.neighbors?.value ?? [], report);
    const { listen } = written.metrics;
    if (listen && !isListenAddress(listen.value)) {
      report.error(
        listen,
        `must be an address and a port, not ${quote(listen.value)}`,
        'For example 127.0.0.1:9473.',
      );
    }
  },
});

type Written = typeof spec extends Shape<infer Out> ? Out : never;

/** Each network has a VRF device of its own, which is no interface that is listed. */
function checkVrfDevices(written: Written, report: Report): void {
  const networks = written.networks?.value ?? [];
  const interfaces = written.interfaces?.value ?? [];
  distinct(networks, ({ vrfDevice }) => vrfDevice, report, 'the VRF device');
  const plane = interfaces.find(({ role }) => role.value === 'Management');
  const listed = new Set(
    [
      ...interfaces.map(({ name }) => name),
      ...networks.flatMap((network) => network.interfaces?.value ?? []),
    ].map((name) => name?.value),
  );
  for (const { vrfDevice } of networks) {
    if (!vrfDevice) continue;
    if (vrfDevice.value === managementVrf.device && plane) {
      report.error(
        vrfDevice,
        `${vrfDevice.value} is the VRF device of the management plane (${formatLocation(plane.at)})`,
        'Choose another name.',
      );
    } else if (vrfDevice.value === 'lo' || listed.has(vrfDevice.value)) {
      report.error(
        vrfDevice,
        `${vrfDevice.value} is an interface, not a VRF device`,
        'A VRF device has a name of its own; interfaces belong to it.',
      );
    }
  }
  for (const { name } of interfaces) {
    if (name?.value !== managementVrf.device || !plane) continue;
    report.error(
      name,
      `${name.value} is the VRF device of the management plane`,
      'Choose another name.',
    );
  }
}

/** What is accepted because it is promised, and not built yet. */
function noteAbsent(written: Written, report: Report): void {
  for (const { driver, poll } of written.interfaces?.value ?? []) {
    if (driver.value === 'xdp' || driver.value === 'tun') {
      report.note(driver.at, `Appliance: driver ${driver.value} is not built yet; packet is used`);
    }
    if (poll.value === 'Busy') {
      report.note(poll.at, 'Appliance: poll Busy is not built yet; Adaptive is used');
    }
  }
  const { listen } = written.metrics;
  if (listen) report.note(listen.at, 'Appliance: metrics are not served yet');
}

function isListenAddress(listen: string): boolean {
  const colon = listen.lastIndexOf(':');
  const port = listen.slice(colon + 1);
  const isPort = /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535;
  return colon > 0 && isPort && parseIpv4(listen.slice(0, colon)) !== undefined;
}
