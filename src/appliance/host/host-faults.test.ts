// SPDX-License-Identifier: Apache-2.0
/**
 * Every fact of the host that a configuration may not fit, with what egretd makes of it and what
 * `egret check --on-box` says.
 */
import pino from 'pino';
import { describe, expect, it, test } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { resolveDocuments } from '../../config/resolve/resolve.ts';
import { parseFile } from '../../config/yaml/documents.ts';
import { makeReport } from '../../config/yaml/located.ts';
import { choosePorts, type HostLink, type HostRoute } from '../../egress/ports.ts';
import type { Model } from '../../model/model.ts';
import { parseIpv4, parseIpv4Prefix } from '../../net/ipv4.ts';
import { notesOf } from '../../on-box.ts';
import { FaultLog } from './fault-log.ts';
import { faultsOf, type HostFacts, isCutOff, judgeHost, lineOf } from './host-faults.ts';

/** Networks red and blue, each with the neighbor 172.16.1.140; `main` has 192.168.9.9. */
function modelOf(...more: string[]): Model {
  const network = (name: string, table: number): string => `apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: ${name} }
spec: { routeTableIndex: ${table} }
`;
  const text = [
    `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled }
`,
    network('red', 500),
    network('blue', 501),
    ...more,
  ].join('---\n');
  const report = makeReport();
  const documents = parseFile('test.yaml', Buffer.from(text), report);
  const resolution = resolveDocuments(documents, report);
  if (resolution.kind === 'errors') throw new Error(resolution.errors[0]?.message);
  return resolution.model;
}

const peer = (name: string, address: string, network?: string, more = ''): string =>
  `apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: ${name} }
spec: { peerIP: ${address}, asNumber: 64512${network ? `, externalNetwork: ${network}` : ''}${more} }
`;

const appliance = (spec: string): string =>
  `apiVersion: egret.dev/v1\nkind: Appliance\nmetadata: { name: gw1 }\nspec: ${spec}\n`;

function link(name: string, ...addresses: string[]): HostLink {
  return {
    name,
    ifindex: 1,
    isUp: true,
    isLoopback: name === 'lo',
    mac: new Uint8Array(6),
    mtu: 1500,
    addresses: addresses.map((text) => ({
      address: parseIpv4(text.replace(/\/.*/, '')) ?? 0,
      length: parseIpv4Prefix(text)?.length ?? 32,
      broadcast: undefined,
    })),
  };
}

const gatewayRoute = (prefix: string): HostRoute => ({
  prefix: parseIpv4Prefix(prefix)!,
  nextHops: [{ interface: 'ens5', address: 1 }],
});

interface Given {
  readonly links: readonly HostLink[];
  readonly gatewayRoutes?: readonly HostRoute[];
  readonly foreign?: HostFacts['foreign'];
}

function judged(model: Model, { links, gatewayRoutes = [], foreign = new Map() }: Given) {
  const ports = choosePorts(model, links, gatewayRoutes);
  return judgeHost(model, { links, gatewayRoutes, ports, foreign });
}

const redPeer = peer('red', '172.16.1.140', 'red');
const bluePeer = peer('blue', '172.16.2.140', 'blue');
const blueLink = link('ens6', '172.16.2.1/24');
const named = (interfaces: string): string =>
  appliance(`{ networks: [{ name: red, interfaces: [${interfaces}] }] }`);
const staticRoutes = (routes: string, more = ''): string =>
  appliance(`{ networks: [{ name: red, staticRoutes: [${routes}]${more} }] }`);
const foreign = { text: 'table 500 holds routes that are not ours', more: '10.0.0.0/8 dev x' };

interface Case {
  readonly model: Model;
  readonly given: Given;
  /** Lines of the faults. */
  readonly faults: readonly string[];
  readonly notReady?: readonly (string | undefined)[];
  readonly cutOff?: readonly string[];
}

const cases: Record<string, Case> = {
  'everything fits': {
    model: modelOf(redPeer, bluePeer),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: [],
  },
  'the address of the box is not there yet': {
    model: modelOf(redPeer, bluePeer),
    given: { links: [link('ens5'), blueLink] },
    faults: ['no interface of network red has 172.16.1.140 on its link, and no route leads there'],
    notReady: ['red'],
  },
  'a named interface does not exist': {
    model: modelOf(redPeer, bluePeer, named('ens9')),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: [
      'interface ens9 does not exist',
      'no interface of network red has 172.16.1.140 on its link, and no route leads there',
    ],
    notReady: ['red'],
  },
  'a named interface has no address': {
    model: modelOf(redPeer, bluePeer, named('ens5')),
    given: { links: [link('ens5'), blueLink] },
    faults: [
      'interface ens5 has no address',
      'no interface of network red has 172.16.1.140 on its link, and no route leads there',
    ],
    notReady: ['red'],
  },
  'the interface is down': {
    model: modelOf(redPeer, bluePeer),
    given: { links: [{ ...link('ens5', '172.16.1.1/24'), isUp: false }, blueLink] },
    faults: ['interface ens5 is down'],
    notReady: ['red'],
  },
  'one of two interfaces does not exist': {
    model: modelOf(redPeer, bluePeer, named('ens5, ens9')),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: ['interface ens9 does not exist'],
  },
  'the interface is a layer-3 device': {
    model: modelOf(redPeer, bluePeer),
    given: { links: [{ ...link('wg0', '172.16.1.1/24'), layer3: 'wireguard' }, blueLink] },
    faults: ['interface wg0 cannot be a port: it is a layer-3 device (wireguard)'],
    notReady: ['red'],
  },
  'one of two neighbors is on no link': {
    model: modelOf(redPeer, peer('second', '172.16.3.140', 'red'), bluePeer),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: ['no interface of network red has 172.16.3.140 on its link, and no route leads there'],
  },
  'a neighbor is on two links': {
    model: modelOf(redPeer, bluePeer),
    given: { links: [link('ens5', '172.16.1.1/24'), link('ens7', '172.16.1.2/24'), blueLink] },
    faults: ['172.16.1.140 is on the link of ens5 and ens7'],
    notReady: ['red'],
    cutOff: ['red'],
  },
  'a neighbor is on two links, and another network names one of them': {
    model: modelOf(
      redPeer,
      peer('blue', '172.16.1.140', 'blue'),
      appliance('{ networks: [{ name: blue, interfaces: [ens6] }] }'),
    ),
    given: { links: [link('ens5', '172.16.1.1/24'), link('ens6', '172.16.1.1/24')] },
    faults: [],
  },
  'a neighbor is only on the link that another network names': {
    model: modelOf(
      redPeer,
      peer('blue', '172.16.1.140', 'blue'),
      appliance('{ networks: [{ name: blue, interfaces: [ens6] }] }'),
    ),
    given: { links: [link('ens5'), link('ens6', '172.16.1.1/24')] },
    faults: ['no interface of network red has 172.16.1.140 on its link, and no route leads there'],
    notReady: ['red'],
  },
  'two networks have the same neighbor, and only one interface has its address yet': {
    model: modelOf(redPeer, peer('blue', '172.16.1.140', 'blue')),
    given: { links: [link('ens5', '172.16.1.1/24'), link('ens6')] },
    faults: [
      '172.16.1.140 is on the link of ens5, and network blue has the same next hop',
      '172.16.1.140 is on the link of ens5, and network red has the same next hop',
    ],
    notReady: ['red', 'blue'],
    cutOff: ['red', 'blue'],
  },
  'a neighbor is on two links, both of which its network names': {
    model: modelOf(redPeer, bluePeer, named('ens5, ens7')),
    given: { links: [link('ens5', '172.16.1.1/24'), link('ens7', '172.16.1.2/24'), blueLink] },
    faults: [],
  },
  'a neighbor is behind a static route': {
    model: modelOf(
      redPeer,
      bluePeer,
      staticRoutes('{ destination: 172.16.0.0/16, nextHop: 10.9.0.2 }'),
    ),
    given: { links: [link('ens5', '10.9.0.1/24'), blueLink] },
    faults: [],
  },
  'the next hop of a static route is on no link': {
    model: modelOf(
      redPeer,
      bluePeer,
      staticRoutes('{ destination: 203.0.113.0/24, nextHop: 10.9.0.2 }'),
    ),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: ['no interface of network red has the next hop 10.9.0.2 on its link'],
    notReady: ['red'],
    cutOff: ['red'],
  },
  'a next hop is on no link, and an interface of the network is not there': {
    model: modelOf(
      redPeer,
      bluePeer,
      staticRoutes(
        '{ destination: 203.0.113.0/24, nextHop: 10.9.0.2 }',
        ', interfaces: [ens5, ens9]',
      ),
    ),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: [
      'interface ens9 does not exist',
      'no interface of network red has the next hop 10.9.0.2 on its link',
    ],
  },
  'the next hop of a static route is on two links': {
    model: modelOf(bluePeer, staticRoutes('{ destination: 0.0.0.0/0, nextHop: 172.16.1.2 }')),
    given: { links: [link('ens5', '172.16.1.1/24'), link('ens7', '172.16.1.1/24'), blueLink] },
    faults: ['172.16.1.2 is on the link of ens5 and ens7'],
    notReady: ['red'],
    cutOff: ['red'],
  },
  'the next hop is an address of the box': {
    model: modelOf(bluePeer, staticRoutes('{ destination: 0.0.0.0/0, nextHop: 172.16.1.1 }')),
    given: { links: [link('ens5', '172.16.1.1/24'), blueLink] },
    faults: ['no interface of network red has the next hop 172.16.1.1 on its link'],
    notReady: ['red'],
    cutOff: ['red'],
  },
  'the table holds routes of another program': {
    model: modelOf(redPeer, bluePeer),
    given: {
      links: [link('ens5', '172.16.1.1/24'), blueLink],
      foreign: new Map([[500, foreign]]),
    },
    faults: ['table 500 holds routes that are not ours: 10.0.0.0/8 dev x'],
    notReady: ['red'],
    cutOff: ['red'],
  },
  'management interfaces and lo lead to no network': {
    model: modelOf(
      redPeer,
      bluePeer,
      appliance('{ interfaces: [{ name: ens3, role: Management }] }'),
    ),
    given: { links: [link('ens3', '172.16.1.1/24'), link('lo', '172.16.1.2/24'), blueLink] },
    faults: ['no interface of network red has 172.16.1.140 on its link, and no route leads there'],
    notReady: ['red'],
  },
  'a neighbor of a network is behind a route of the main table': {
    model: modelOf(redPeer, bluePeer),
    given: {
      links: [link('ens5', '10.9.0.1/24'), blueLink],
      gatewayRoutes: [gatewayRoute('0.0.0.0/0')],
    },
    faults: ['no interface of network red has 172.16.1.140 on its link, and no route leads there'],
    notReady: ['red'],
  },
  'a neighbor of the main table is behind its route': {
    model: modelOf(bluePeer, peer('core', '192.168.9.9')),
    given: {
      links: [link('ens5', '10.9.0.1/24'), blueLink],
      gatewayRoutes: [gatewayRoute('0.0.0.0/0')],
    },
    faults: [],
  },
  'a neighbor of the main table is on no link': {
    model: modelOf(bluePeer, peer('core', '192.168.9.9')),
    given: { links: [link('ens5', '10.9.0.1/24'), blueLink] },
    faults: ['no interface has 192.168.9.9 on its link, and no route leads there'],
  },
  'a neighbor of the main table is on two links': {
    model: modelOf(bluePeer, peer('core', '192.168.9.9')),
    given: {
      links: [link('ens5', '192.168.9.1/24'), link('ens7', '192.168.9.2/24'), blueLink],
    },
    faults: ['192.168.9.9 is on the link of ens5 and ens7'],
  },
  'a next hop of the main table is on no link': {
    model: modelOf(
      bluePeer,
      appliance('{ routes: { static: [{ destination: 10.0.0.0/8, nextHop: 10.9.0.2 }] } }'),
    ),
    given: { links: [blueLink] },
    faults: ['no interface has the next hop 10.9.0.2 on its link'],
    notReady: [undefined],
  },
};

describe('egretd and egret check --on-box judge alike', () => {
  test.each(Object.entries(cases))(
    '%s',
    (_, { model, given, faults, notReady = [], cutOff = [] }) => {
      const verdict = judged(model, given);
      expect(verdict.faults.map(lineOf)).toEqual(faults);
      expect([...verdict.notReady]).toEqual(notReady);
      expect([...verdict.cutOff]).toEqual(cutOff);
      const notes = notesOf(verdict);
      expect(notes.map(({ text }) => text.replace(/^.*?: /, ''))).toEqual(faults);
      const named = notes.flatMap(
        ({ text }) => /^network (\S+) will not be ready: /.exec(text)?.[1] ?? [],
      );
      expect([...new Set(named)]).toEqual(notReady.filter((name) => name !== undefined));
      expect(notes.every(({ at, hint }) => at?.file === 'test.yaml' && hint !== '')).toBe(true);
    },
  );

  it('names the place in the configuration', () => {
    const { model, given } = cases['the address of the box is not there yet']!;
    const [note] = notesOf(judged(model, given));
    expect(note?.at).toEqual({ file: 'test.yaml', line: 19, column: 17 });
  });

  it('names what follows for a neighbor, and for the main table', () => {
    const notes = (name: string): string[] => {
      const { model, given } = cases[name]!;
      return notesOf(judged(model, given)).map(({ text }) => text.split(': ')[0]!);
    };
    expect(notes('one of two neighbors is on no link')).toEqual([
      'neighbor 172.16.3.140 of network red will not come up',
    ]);
    expect(notes('a neighbor of the main table is on two links')).toEqual([
      'neighbor 192.168.9.9 will not come up',
    ]);
    expect(notes('a next hop of the main table is on no link')).toEqual([
      'gateways of the main table will not be ready',
    ]);
    expect(notes('one of two interfaces does not exist')).toEqual([
      'network red will be ready by another way',
    ]);
  });
});

describe('a neighbor', () => {
  const verdictOf = (name: string) => {
    const { model, given } = cases[name]!;
    const verdict = judged(model, given);
    const byName = model.neighbors.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return byName.map((neighbor) => ({
      name: neighbor.name,
      isCutOff: isCutOff(verdict, neighbor),
      faults: faultsOf(verdict, neighbor).map(({ text }) => text),
    }));
  };

  it('of a network that is cut off has no session, and says why', () => {
    expect(verdictOf('the table holds routes of another program')).toEqual([
      { name: 'blue', isCutOff: false, faults: [] },
      { name: 'red', isCutOff: true, faults: [foreign.text] },
    ]);
  });

  it('of the main table has none when its link is not clear', () => {
    expect(verdictOf('a neighbor of the main table is on two links')[1]).toMatchObject({
      name: 'core',
      isCutOff: true,
    });
    expect(verdictOf('a neighbor of the main table is on no link')[1]).toMatchObject({
      name: 'core',
      isCutOff: false,
      faults: ['no interface has 192.168.9.9 on its link, and no route leads there'],
    });
  });
});

test('a fault is logged when it appears, when it is no more, and not meanwhile', () => {
  const logged: string[] = [];
  const log = pino({}, { write: (line) => void logged.push(JSON.parse(line).msg) });
  const clock = new ManualClock();
  const faults = new FaultLog(clock, log);
  const { model, given } = cases['the table holds routes of another program']!;
  const other = { ...given, foreign: new Map([[500, { ...foreign, more: 'others' }]]) };
  const { links } = given;
  faults.follow(judged(model, given));
  clock.pass(5_000);
  faults.follow(judged(model, other));
  const lasting = faultsOf(faults.verdict, model.neighbors.find(({ name }) => name === 'red')!);
  expect(faults.lastedMs(lasting)).toBe(5_000);
  faults.follow(judged(model, { links }));
  expect(logged).toEqual([
    'table 500 holds routes that are not ours: 10.0.0.0/8 dev x',
    'no longer: table 500 holds routes that are not ours',
  ]);
});
