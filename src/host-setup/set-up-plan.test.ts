// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { HostSnapshot } from '../kernel/host-snapshot.ts';
import type { InterfaceSettings, Model } from '../model/model.ts';
import type { Files } from './networkd-files.ts';
import { missingDevices, planSetUp, type SetUpAction } from './set-up-plan.ts';

type Written = Partial<InterfaceSettings> & { readonly name: string };

const settings = (one: Written): InterfaceSettings => ({
  mac: undefined,
  isManagement: false,
  isDhcp: false,
  addresses: [],
  gateway: undefined,
  mtu: undefined,
  vlan: undefined,
  bond: undefined,
  ...one,
});

interface Box {
  readonly interfaces?: readonly Written[];
  readonly networks?: readonly object[];
  readonly hostname?: string;
  readonly dns?: readonly string[];
  readonly ntp?: readonly string[];
}

const modelOf = ({ interfaces = [], networks = [], dns = [], ntp = [], hostname }: Box): Model =>
  ({
    networks: networks.map((row) => ({ interfaces: [], routeTableIndex: 500, ...row })),
    appliance: { host: { interfaces: interfaces.map(settings), hostname, dns, ntp } },
  }) as unknown as Model;

interface Link {
  readonly kind?: string;
  readonly mac?: string;
  readonly permanentMac?: string;
}

const hostOf = (links: Readonly<Record<string, Link>> = {}): HostSnapshot =>
  ({
    links: new Map(
      Object.entries(links).map(([name, link], number) => [
        name,
        { name, ifindex: number + 2, kind: '', mac: '', permanentMac: '', ...link },
      ]),
    ),
  }) as unknown as HostSnapshot;

const users = new Map([['systemd-timesync', 991]]);

const plan = (box: Box, files: Files = new Map(), snapshot = hostOf()): SetUpAction[] =>
  planSetUp(modelOf(box), {
    files,
    settings: new Map([
      ['kernel/hostname', 'old'],
      ['net/ipv4/udp_l3mdev_accept', '0'],
    ]),
    users,
    snapshot,
  });

/** What stands on the disk once a box was set up. */
const filesOf = (box: Box, snapshot = hostOf()): Map<string, string> =>
  new Map(
    plan(box, new Map(), snapshot).flatMap((action) =>
      action.kind === 'write' ? [[action.path, action.text] as const] : [],
    ),
  );

/** By the end of its path. */
const fileOf = (box: Box, name: string, snapshot = hostOf()): string =>
  filesOf(box, snapshot).get(`/run/systemd/network/10-egret-${name}`) ?? '';

const done = (actions: readonly SetUpAction[]): string[] =>
  actions.map((action) => {
    if (action.kind === 'run' || action.kind === 'read') return action.argv.join(' ');
    if (action.kind === 'set') return `${action.path} = ${action.value}`;
    return `${action.kind} ${action.path.replace(/.*\//, '')}`;
  });

const port = { name: 'ens5', addresses: ['172.16.1.1/24'], mtu: 1400 };

describe('files', () => {
  test('of a port: its addresses and MTU, and nothing that answers by itself', () => {
    const text = fileOf({ interfaces: [port] }, 'ens5.network');
    for (const line of [
      'Name=ens5',
      'MTUBytes=1400',
      'Address=172.16.1.1/24',
      'DHCP=no',
      'LinkLocalAddressing=no',
      'IPv6AcceptRA=no',
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).not.toMatch(/VRF|Gateway|DHCPv4/);
  });

  test('of a VLAN, and its parent, which is named nowhere else', () => {
    const box = { interfaces: [{ name: 'ens5.100', vlan: { parent: 'ens5', id: 100 } }] };
    expect([...filesOf(box).keys()].map((path) => path.replace(/.*\//, '')).sort()).toEqual([
      '10-egret-ens5.100.netdev',
      '10-egret-ens5.100.network',
      '10-egret-ens5.network',
      '10-egret.conf',
    ]);
    expect(fileOf(box, 'ens5.100.netdev')).toContain('Kind=vlan\n\n[VLAN]\nId=100\n');
    expect(fileOf(box, 'ens5.network')).toContain('\nVLAN=ens5.100\n');
  });

  test('of a bond and its members', () => {
    const bond = { members: ['ens5', 'ens6'], mode: '802.3ad' };
    const box = { interfaces: [{ name: 'bond0', bond, addresses: ['10.0.0.1/24'] }] };
    expect(fileOf(box, 'bond0.netdev')).toContain('Kind=bond\n\n[Bond]\nMode=802.3ad\n');
    for (const member of bond.members) {
      expect(fileOf(box, `${member}.network`)).toContain('\nBond=bond0\n');
    }
    expect(fileOf(box, 'bond0.network')).toContain('\nAddress=10.0.0.1/24\n');
  });

  test('of a network with a VRF device: its table, and its interfaces in it', () => {
    const networks = [{ name: 'red', routeTableIndex: 500, interfaces: ['ens5'], vrfDevice: 'vr' }];
    const box = { networks, interfaces: [{ name: 'ens5', isDhcp: true }] };
    expect(fileOf(box, 'vr.netdev')).toContain('Kind=vrf\n\n[VRF]\nTable=500\n');
    expect(fileOf(box, 'vr.network')).toContain('Name=vr\n');
    expect(fileOf(box, 'ens5.network')).toContain('\nVRF=vr\n');
    expect(fileOf(box, 'ens5.network'), 'routes are the network’s').toContain('\nUseRoutes=no\n');
  });

  test('of the management plane: a VRF, a default route, and rules for what asks by it', () => {
    const ens3 = {
      name: 'ens3',
      isManagement: true,
      addresses: ['10.0.0.5/24'],
      gateway: '10.0.0.1',
    };
    const box = { interfaces: [ens3] };
    expect(fileOf(box, 'mgmt.netdev')).toContain('\nTable=4000000000\n');
    expect(fileOf(box, 'ens3.network')).toMatch(/\nGateway=10\.0\.0\.1\nVRF=mgmt\n/);
    expect(fileOf(box, 'mgmt.network')).toMatch(/\nUser=991\nTable=4000000000\n/);
    const there = hostOf({ mgmt: { kind: 'vrf' } });
    expect(filesOf(box).has('/run/egret-host/sshd.conf'), 'not before its device').toBe(false);
    expect(filesOf(box, there).get('/run/egret-host/sshd.conf')).toBe(
      'ListenAddress 0.0.0.0:22 rdomain mgmt\nListenAddress [::]:22 rdomain mgmt\n',
    );
  });

  test('of an interface that is known by its MAC', () => {
    const mac = '52:54:00:00:00:01';
    expect(fileOf({ interfaces: [{ name: 'wan', mac }] }, 'wan.link')).toContain(
      `PermanentMACAddress=${mac}\n\n[Link]\nNamePolicy=\nName=wan\n`,
    );
  });

  test('of what is only listed there are none', () => {
    const paths = [...filesOf({ interfaces: [{ name: 'ens5' }] }).keys()];
    expect(paths).toEqual(['/run/systemd/networkd.conf.d/10-egret.conf']);
  });
});

describe('what is done', () => {
  const box: Box = {
    interfaces: [port, { name: 'ens5.7', vlan: { parent: 'ens5', id: 7 } }],
    hostname: 'old',
    dns: ['9.9.9.9'],
    ntp: ['time.example'],
  };
  const links = { ens5: {}, 'ens5.7': { kind: 'vlan' } };

  test('first: all files, and every program that reads one', () => {
    expect(done(plan(box))).toEqual([
      'write 10-egret-ens5.network',
      'write 10-egret-ens5.7.netdev',
      'write 10-egret-ens5.7.network',
      'write 10-egret.conf',
      'write 10-egret.conf',
      'write 10-egret.conf',
      'systemctl restart systemd-networkd.service',
      'systemctl try-restart systemd-resolved.service',
      'systemctl try-restart systemd-timesyncd.service',
    ]);
  });

  test('nothing, when the box is as wanted', () => {
    expect(plan(box, filesOf(box), hostOf(links))).toEqual([]);
  });

  test('only the file of the interface that changed', () => {
    const changed = { ...box, interfaces: [{ ...port, mtu: 1500 }, ...box.interfaces!.slice(1)] };
    expect(done(plan(changed, filesOf(box), hostOf(links)))).toEqual([
      'write 10-egret-ens5.network',
      'networkctl reload',
    ]);
  });

  test('a VLAN that is not wanted any more is removed', () => {
    const less = { ...box, interfaces: [port] };
    expect(done(plan(less, filesOf(box), hostOf(links)))).toEqual([
      'write 10-egret-ens5.network',
      'remove 10-egret-ens5.7.netdev',
      'remove 10-egret-ens5.7.network',
      'ip link delete ens5.7',
      'networkctl reload',
    ]);
    const foreign = hostOf({ ens5: {}, 'ens5.7': { kind: 'dummy' } });
    expect(done(plan(less, filesOf(box), foreign)), 'if it is one').not.toContain(
      'ip link delete ens5.7',
    );
  });

  test('a VLAN with another number is made again', () => {
    const other = {
      ...box,
      interfaces: [port, { name: 'ens5.7', vlan: { parent: 'ens5', id: 8 } }],
    };
    expect(done(plan(other, filesOf(box), hostOf(links)))).toEqual([
      'write 10-egret-ens5.7.netdev',
      'ip link delete ens5.7',
      'networkctl reload',
    ]);
  });

  test('an interface that is left alone from now on loses its addresses and its master', () => {
    const networks = [{ name: 'red', interfaces: ['ens5'], vrfDevice: 'red' }];
    const before = filesOf({ networks, interfaces: [port] });
    const host = hostOf({ ens5: {}, red: { kind: 'vrf' } });
    expect(done(plan({}, before, host))).toEqual([
      'remove 10-egret-ens5.network',
      'remove 10-egret-red.netdev',
      'remove 10-egret-red.network',
      'ip link set dev ens5 nomaster',
      'ip address flush dev ens5',
      'ip link delete red',
      'networkctl reload',
    ]);
  });

  test('the host’s name, and answers by the management plane', () => {
    expect(done(plan({ hostname: 'gw1' })).at(-1)).toBe('kernel/hostname = gw1');
    const managed = plan({ interfaces: [{ name: 'ens3', isManagement: true }] });
    expect(done(managed).at(-1)).toBe('net/ipv4/udp_l3mdev_accept = 1');
  });

  test('a device that networkd has not made is known', () => {
    expect(missingDevices(filesOf(box), hostOf({ ens5: {} }))).toEqual(['ens5.7']);
    expect(missingDevices(filesOf(box), hostOf(links))).toEqual([]);
  });
});

describe('names by MAC', () => {
  const [a, b] = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'] as const;
  const renames = (interfaces: readonly Written[], links: Readonly<Record<string, Link>>) =>
    done(plan({ interfaces }, new Map(), hostOf(links))).filter((line) => line.includes(' name '));

  test('a device gets its name, whatever the kernel called it', () => {
    expect(renames([{ name: 'wan', mac: a }], { ens4: { mac: a }, ens5: { mac: b } })).toEqual([
      'ip link set dev ens4 name wan',
    ]);
    expect(renames([{ name: 'wan', mac: a }], { wan: { mac: a } })).toEqual([]);
  });

  test('two devices exchange their names', () => {
    const both = [
      { name: 'ens4', mac: b },
      { name: 'ens5', mac: a },
    ];
    expect(renames(both, { ens4: { mac: a }, ens5: { mac: b } })).toEqual([
      'ip link set dev ens4 name egret2',
      'ip link set dev ens5 name egret3',
      'ip link set dev egret3 name ens4',
      'ip link set dev egret2 name ens5',
    ]);
  });

  test('VLANs have the MAC of their parent, and members of a bond that of the bond', () => {
    const links = {
      bond0: { kind: 'bond', mac: a },
      'ens4.7': { kind: 'vlan', mac: a },
      ens5: { mac: a, permanentMac: b },
      ens4: { mac: a, permanentMac: a },
    };
    expect(renames([{ name: 'wan', mac: a }], links)).toEqual(['ip link set dev ens4 name wan']);
  });
});
