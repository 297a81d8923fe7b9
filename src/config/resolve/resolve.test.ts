// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Model } from '../../model/model.ts';
import { formatIpv4Prefix, parseIpv4 } from '../../net/ipv4.ts';
import { parseFile } from '../yaml/documents.ts';
import { formatErrors, makeReport } from '../yaml/located.ts';
import { resolveDocuments } from './resolve.ts';

function resolve(...documents: string[]) {
  const report = makeReport();
  const bytes = Buffer.from(documents.join('\n---\n'));
  return resolveDocuments(parseFile('t.yaml', bytes, report), report);
}

function modelOf(...documents: string[]): Model {
  const resolution = resolve(...documents);
  if (resolution.kind === 'errors') throw new Error(formatErrors(resolution.errors));
  return resolution.model;
}

function errorsOf(...documents: string[]): string {
  const resolution = resolve(...documents);
  return resolution.kind === 'errors' ? formatErrors(resolution.errors) : '';
}

function notesOf(model: Model): string {
  return model.notes.map(({ text }) => text).join('\n');
}

function calico(kind: string, metadata: string, spec: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: { ${metadata} }\nspec: ${spec}`;
}

function core(kind: string, metadata: string, rest = ''): string {
  return `apiVersion: v1\nkind: ${kind}\nmetadata: { ${metadata} }\n${rest}`;
}

function gateway(name: string, spec: string, namespace = 'default'): string {
  return `apiVersion: operator.tigera.io/v1\nkind: EgressGateway\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}`;
}

const appliance = (spec: string) =>
  `apiVersion: egret.dev/v1\nkind: Appliance\nmetadata: { name: gw1 }\nspec: ${spec}`;

const felix = (spec: string) => calico('FelixConfiguration', 'name: default', spec);
const on = felix(
  '{ externalNetworkSupport: enabled, egressIPSupport: EnabledPerNamespaceOrPerPod }',
);
const red = calico('ExternalNetwork', 'name: red', '{ routeTableIndex: 500 }');
const redGateway = gateway(
  'red',
  '{ ipPools: [{ cidr: 10.50.0.0/30 }], template: { metadata: { labels: { code: red } } } }',
);
const blueGateway = gateway(
  'blue',
  '{ ipPools: [{ cidr: 10.51.0.0/30 }], template: { metadata: { labels: { code: blue } } } }',
  'other',
);

const egress = 'egress.projectcalico.org';
const annotate = (name: string, value: string) => `annotations: { ${egress}/${name}: "${value}" }`;

function set(name: string, nets: string, more = ''): string {
  return calico('NetworkSet', `name: ${name}${more && `, ${more}`}`, `{ nets: [${nets}] }`);
}

function gatewaysOf(model: Model, client: string): readonly string[] | undefined {
  const policyName = model.clients.find(({ name }) => name === client)?.policy;
  const policy = model.policies.find(({ name }) => name === policyName);
  return policy?.rules.flatMap(({ action }) => (action.kind === 'gateway' ? action.gateways : []));
}

describe('Nodes', () => {
  const peer = (name: string, address: string, more: string) =>
    calico('BGPPeer', `name: ${name}`, `{ peerIP: ${address}, asNumber: 64513, ${more} }`);
  const nodes = [
    calico(
      'Node',
      'name: gw-red, labels: { egress: red }',
      '{ bgp: { asNumber: 64999, ipv4Address: 10.0.0.9/24 } }',
    ),
    calico('Node', 'name: gw-blue, labels: { egress: blue }', '{}'),
  ];
  const peers = [
    peer('red', '172.16.1.1', `nodeSelector: "egress == 'red'"`),
    peer('blue', '172.16.1.2', 'node: gw-blue'),
    peer('green', '172.16.1.3', `nodeSelector: "egress == 'green'"`),
  ];

  it('any one of them matches; the rest is elsewhere', () => {
    const model = modelOf(on, ...nodes, ...peers);
    expect(model.neighbors.map(({ name }) => name)).toEqual(['red', 'blue']);
    expect(model.elsewhere).toEqual([{ kind: 'BGPPeer', namespace: undefined, name: 'green' }]);
  });

  it('Appliance nodes picks some', () => {
    const model = modelOf(on, ...nodes, ...peers, appliance('{ nodes: [gw-blue] }'));
    expect(model.neighbors.map(({ name }) => name)).toEqual(['blue']);
    expect(model.bgp.localAs).toBe(64512);
  });

  it('give the AS before BGPConfiguration, and the address', () => {
    const general = calico(
      'BGPConfiguration',
      'name: default',
      '{ asNumber: 64000, listenPort: 1790 }',
    );
    const model = modelOf(on, ...nodes, ...peers, general);
    expect(model.bgp).toMatchObject({
      localAs: 64999,
      listenPort: 1790,
      nodeAddress: parseIpv4('10.0.0.9'),
      routerId: parseIpv4('10.0.0.9'),
    });
    expect(modelOf(on, general, peers[2] ?? '').neighbors[0]?.localAs).toBe(64000);
  });

  it("a gateway's nodeSelector decides where it lives", () => {
    const here = gateway(
      'here',
      '{ ipPools: [{ cidr: 10.50.0.0/31 }], template: { spec: { nodeSelector: { egress: blue, kubernetes.io/os: linux } } } }',
    );
    const away = gateway(
      'away',
      '{ ipPools: [{ cidr: 10.50.1.0/31 }], template: { spec: { nodeSelector: { egress: green } } } }',
    );
    const model = modelOf(on, ...nodes, here, away);
    expect(model.gateways.map(({ name }) => name)).toEqual(['here']);
    expect(model.gateways[0]?.labels).toEqual(new Map([['projectcalico.org/egw', 'here']]));
    expect(model.elsewhere).toEqual([
      { kind: 'EgressGateway', namespace: 'default', name: 'away' },
    ]);
  });
});

describe('clients', () => {
  it('a selector alone means gateways of the same namespace', () => {
    const own = annotate('selector', 'has(code)');
    const model = modelOf(on, redGateway, blueGateway, set('a', '10.1.0.0/24', own));
    expect(gatewaysOf(model, 'a')).toEqual(['default/red']);
  });

  it('a namespaceSelector sees implicit labels, and global() none of them', () => {
    const client = (name: string, net: string, selector: string) =>
      set(
        name,
        net,
        `annotations: { ${egress}/selector: has(code), ${egress}/namespaceSelector: "${selector}" }`,
      );
    const model = modelOf(
      on,
      redGateway,
      blueGateway,
      core('Namespace', 'name: other, labels: { team: blue }'),
      client('a', '10.1.0.0/24', "projectcalico.org/name == 'other'"),
      client('b', '10.2.0.0/24', "team == 'blue'"),
      client('c', '10.3.0.0/24', 'all()'),
      client('d', '10.4.0.0/24', 'global()'),
    );
    expect(gatewaysOf(model, 'a')).toEqual(['other/blue']);
    expect(gatewaysOf(model, 'b')).toEqual(['other/blue']);
    expect(gatewaysOf(model, 'c')).toEqual(['default/red', 'other/blue']);
    expect(gatewaysOf(model, 'd')).toEqual([]);
    expect(notesOf(model)).toContain('selects no gateway: its clients are blocked');
  });

  it('a GlobalNetworkSet means all namespaces', () => {
    const global = calico(
      'GlobalNetworkSet',
      `name: g, ${annotate('selector', 'has(code)')}`,
      '{ nets: [10.9.0.0/16] }',
    );
    const model = modelOf(on, redGateway, blueGateway, global);
    expect(gatewaysOf(model, 'g')).toEqual(['default/red', 'other/blue']);
  });

  const namespaced = [
    redGateway,
    blueGateway,
    core('Namespace', `name: default, ${annotate('selector', "code == 'red'")}`),
    core('Pod', 'name: plain', 'status: { podIPs: [{ ip: 10.1.0.1 }, { ip: "2001:db8::1" }] }'),
    core(
      'Pod',
      `name: own, annotations: { ${egress}/selector: "code == 'blue'", ${egress}/namespaceSelector: all() }`,
      'spec: { containers: [] }\nstatus: { phase: Running, podIP: 10.1.0.2, qosClass: Burstable }',
    ),
    core('Pod', 'name: host', 'spec: { hostNetwork: true }\nstatus: { podIP: 10.0.0.9 }'),
  ];

  it('own annotations come before those of the Namespace', () => {
    const model = modelOf(on, ...namespaced);
    expect(gatewaysOf(model, 'plain')).toEqual(['default/red']);
    expect(gatewaysOf(model, 'own')).toEqual(['other/blue']);
    expect(model.clients.map(({ name }) => name)).toEqual(['plain', 'own']);
    expect(model.clients[0]?.prefixes.map(formatIpv4Prefix)).toEqual(['10.1.0.1/32']);
  });

  it('EnabledPerNamespace does not look at them', () => {
    const model = modelOf(felix('{ egressIPSupport: EnabledPerNamespace }'), ...namespaced);
    expect(gatewaysOf(model, 'own')).toEqual(['default/red']);
    expect(notesOf(model)).toContain('annotations of Pod own do not count');
  });

  it('Disabled switches gateways off and says so', () => {
    const model = modelOf(felix('{ egressIPSupport: Disabled }'), ...namespaced);
    expect(model.gateways).toEqual([]);
    expect(model.policies).toEqual([]);
    expect(model.clients.every(({ policy }) => policy === undefined)).toBe(true);
    expect(notesOf(model)).toContain('gateways are switched off');
  });

  it('one without annotation is a client without policy', () => {
    const model = modelOf(on, redGateway, set('a', '10.1.0.7'));
    expect(model.clients).toMatchObject([{ name: 'a', policy: undefined }]);
  });

  it('a policy that does not exist blocks, with a note', () => {
    const model = modelOf(on, set('a', '10.1.0.0/24', annotate('egressGatewayPolicy', 'none')));
    expect(model.clients[0]?.policy).toBe('none');
    expect(model.policies).toEqual([]);
    expect(notesOf(model)).toContain('The EgressGatewayPolicy none does not exist');
  });

  it('policies have the longest prefix first; IPv6 is left out', () => {
    const policy = calico(
      'EgressGatewayPolicy',
      'name: p',
      `{ rules: [
        { gateway: { selector: "code == 'red'", namespaceSelector: all(), maxNextHops: 2 } },
        { destination: { cidr: 10.0.0.0/8 }, description: inside },
        { destination: { cidr: "2001:db8::/32" } },
        { destination: { cidr: 10.1.2.3/16 }, gateway: { selector: has(code), namespaceSelector: all() } }] }`,
    );
    const client = set('a', '10.1.0.0/24', annotate('egressGatewayPolicy', 'p'));
    const model = modelOf(on, redGateway, blueGateway, policy, client);
    const rules = model.policies[0]?.rules ?? [];
    expect(rules.map(({ destination }) => formatIpv4Prefix(destination))).toEqual([
      '10.1.0.0/16',
      '10.0.0.0/8',
      '0.0.0.0/0',
    ]);
    expect(rules[1]).toMatchObject({ description: 'inside', action: { kind: 'main' } });
    expect(rules[2]?.action).toEqual({
      kind: 'gateway',
      gateways: ['default/red'],
      maxNextHops: 2,
    });
    expect(notesOf(model)).toContain('10.1.2.3/16 is read as 10.1.0.0/16');
  });
});

describe('what is off, or of no use here', () => {
  it('networks that are not used may be off', () => {
    const model = modelOf(felix('{}'), red);
    expect(model.networks).toEqual([]);
    expect(notesOf(model)).toContain('externalNetworkSupport is not Enabled');
  });

  it('a network in use without externalNetworkSupport is an error', () => {
    const used = gateway('a', '{ externalNetworks: [red], ipPools: [{ cidr: 10.50.0.0/31 }] }');
    expect(errorsOf(felix('{}'), red, used)).toContain(
      'spec.externalNetworkSupport: must be Enabled',
    );
    expect(errorsOf(red, used)).toContain('spec.externalNetworkSupport: must be Enabled');
  });

  it("the box's own routeTableRanges count, in either form; an empty list is none", () => {
    const wide = felix(
      '{ externalNetworkSupport: Enabled, routeTableRanges: [{ min: 1, max: 900 }] }',
    );
    const own = calico(
      'FelixConfiguration',
      'name: node.a',
      '{ routeTableRange: { min: 1, max: 9 } }',
    );
    expect(errorsOf(wide, red)).toContain('500 lies in routeTableRanges (1 to 900)');
    expect(errorsOf(wide, own, red)).toBe('');
    const low = calico('ExternalNetwork', 'name: low', '{ routeTableIndex: 200 }');
    expect(errorsOf(felix('{ routeTableRanges: [] }'), low)).toContain('(1 to 250)');
  });

  it("a cluster's other kinds are noted", () => {
    const model = modelOf(on, core('Deployment', 'name: web').replace('v1', 'apps/v1'));
    expect(notesOf(model)).toContain('Deployment has no effect here');
  });

  it('a broken document is known by its name', () => {
    const broken = calico('ExternalNetwork', 'name: blue', '{ routeTableIndex: many }');
    const peer = calico(
      'BGPPeer',
      'name: a',
      '{ peerIP: 10.0.0.1, asNumber: 1, externalNetwork: blue }',
    );
    expect(
      errorsOf(on, broken, peer)
        .split('\n')
        .filter((line) => line.startsWith('t.yaml')),
    ).toEqual(['t.yaml:9:26: spec.routeTableIndex: must be an integer from 1, not "many"']);
  });

  it('a syntax error in one document leaves the others checked', () => {
    const text = errorsOf(
      on,
      'kind: [',
      calico('BGPPeer', 'name: a', '{ peerIP: x, asNumber: 1 }'),
    );
    expect(text).toContain('YAML');
    expect(text).toContain('spec.peerIP');
  });
});

describe('secrets', () => {
  const peer = calico(
    'BGPPeer',
    'name: a',
    '{ peerIP: 10.0.0.1, asNumber: 1, password: { secretKeyRef: { name: keys, key: md5 } } }',
  );

  it('come as base64 or as text, and text wins', () => {
    const secret = (rest: string) => core('Secret', 'name: keys, namespace: kube-system', rest);
    expect(modelOf(on, peer, secret('data: { md5: c3dvcmRmaXNo }')).neighbors[0]?.password).toBe(
      'swordfish',
    );
    const both = secret('data: { md5: c3dvcmRmaXNo }\nstringData: { md5: other }');
    expect(modelOf(on, peer, both).neighbors[0]?.password).toBe('other');
  });

  it('are in no message', () => {
    const texts = [
      errorsOf(
        on,
        peer,
        core('Secret', 'name: keys', `stringData: { md5: ${'swordfish'.repeat(10)} }`),
      ),
      errorsOf(on, peer, core('Secret', 'name: keys', 'data: { md5: swordfish }')),
      errorsOf(on, peer, core('Secret', 'name: keys', 'stringData: { md5: [swordfish] }')),
      errorsOf(on, peer, core('Secret', 'name: keys', 'stringData: swordfish')),
    ];
    for (const text of texts) {
      expect(text).toContain('t.yaml:');
      expect(text).not.toContain('swordfish');
    }
  });
});

describe('Appliance', () => {
  it('has the defaults of the reference page', () => {
    expect(modelOf(on).appliance).toEqual(
      modelOf(on, appliance('{}')).appliance.name === 'gw1'
        ? { ...modelOf(on, appliance('{}')).appliance, name: 'egret' }
        : {},
    );
    expect(modelOf(on).appliance.nat).toMatchObject({
      udpTimeoutMs: 300_000,
      tcpEstablishedTimeoutMs: 7_440_000,
      portQuarantineMs: 120_000,
      icmpErrorsPerSecond: 10,
    });
  });

  it('sets what the others have no field for', () => {
    const model = modelOf(
      on,
      red,
      appliance(`
  interfaces:
  - { name: ens3, match: { mac: "52:54:00:00:00:01" }, role: Management, dhcp: true }
  - { name: ens5, role: Any, driver: packet, mtu: 1500, addresses: [172.16.1.1/24] }
  networks:
  - { name: red, interfaces: [ens5], vrfDevice: red, staticRoutes: [{ destination: 0.0.0.0/0, nextHop: 172.16.1.1 }] }
  routes: { mirror: false, protocol: bird, static: [{ destination: 10.0.0.0/8, nextHop: 10.1.0.1 }] }
  bgp: { holdTime: 9s, restartDeferral: 500ms }
  nat: { filtering: EndpointIndependent, timeouts: { udp: 2h4m } }
  limits: { sessions: 4, routes: 4 }
  system: { hostname: gw1, dns: [], ntp: [] }
  config: { watch: true }
  metrics: { listen: "127.0.0.1:9473" }
  log: { level: debug }`),
    );
    expect(model.appliance).toMatchObject({
      name: 'gw1',
      interfaces: [
        { name: 'ens3', role: 'Management', driver: 'auto', poll: 'Adaptive' },
        { name: 'ens5', role: 'Networks', driver: 'packet', poll: 'Adaptive' },
      ],
      mirror: { isOn: false, protocol: 12 },
      nat: { filtering: 'EndpointIndependent', udpTimeoutMs: 7_440_000 },
      limits: { sessions: 4, routes: 4 },
      logLevel: 'debug',
      metricsListen: '127.0.0.1:9473',
      isWatchingConfig: true,
    });
    expect(model.networks[0]).toMatchObject({
      interfaces: ['ens5'],
      vrfDevice: 'red',
      staticRoutes: [{ nextHop: parseIpv4('172.16.1.1') }],
    });
    expect(model.bgp.restartDeferralMs).toBe(500);
  });

  it('sets what BGPPeer has no field for, for one neighbor', () => {
    const own = `
  bgp: { holdTime: 30s }
  neighbors:
  - address: 172.16.1.140
    maximumPrefixes: 500
    maximumPrefixesAction: Drop
    restartTime: 1m
    holdTime: 9s
    firstAs: Accept
    med: 7`;
    const peer = (name: string, address: string) =>
      `{ apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: { name: ${name} }, spec: { peerIP: ${address}, asNumber: 64512 } }`;
    const peers = [peer('first', '172.16.1.140:1179'), peer('second', '172.16.1.141')];
    expect(modelOf(...peers, appliance(own)).neighbors).toMatchObject([
      {
        maximumPrefixes: 500,
        maximumPrefixesAction: 'Drop',
        restartTimeMs: 60_000,
        holdTimeMs: 9_000,
        isFirstAsEnforced: false,
        med: 7,
      },
      {
        maximumPrefixes: 1_000_000,
        maximumPrefixesAction: 'Idle',
        restartTimeMs: 300_000,
        holdTimeMs: 30_000,
        isFirstAsEnforced: true,
        med: undefined,
      },
    ]);
  });
});
