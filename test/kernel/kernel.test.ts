// SPDX-License-Identifier: Apache-2.0
/**
 * src/kernel against the kernel, in a network namespace that this process makes for itself and that
 * is removed when it exits. Neighbors of the box live in namespaces of their own, each held by a process.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { test } from 'tap';
import { plumbingRoutes, setPlumbingRoutes } from '../../src/kernel/connected.ts';
import { makeGuard } from '../../src/kernel/guard.ts';
import type { GuardInput, GuardPort } from '../../src/kernel/guard-script.ts';
import { HostState } from '../../src/kernel/host.ts';
import { connectedRoutes } from '../../src/kernel/host-snapshot.ts';
import { privateTableOf } from '../../src/kernel/identity.ts';
import { Mirror } from '../../src/kernel/mirror.ts';
import type { MirrorNextHop, MirrorSource } from '../../src/kernel/mirror-table.ts';
import { type MirrorNative, type NetlinkSockets, netlinkRoute } from '../../src/kernel/native.ts';
import { setNeighbors } from '../../src/kernel/neighbors.ts';
import { flagCreate, flagReplace } from '../../src/kernel/netlink-codec.ts';
import {
  decodeRoute,
  encodeNewRoute,
  encodeRouteDump,
  type RouteMessage,
} from '../../src/kernel/route-codec.ts';
import { formatIpRoute } from '../../src/kernel/route-format.ts';
import { Rtnetlink } from '../../src/kernel/rtnetlink.ts';
import { rulesFor, setRules } from '../../src/kernel/rules.ts';
import { makeSysctls } from '../../src/kernel/sysctl.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { EgretError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { WorkQueue } from '../../src/lib/work-queue.ts';
import { parseIpv4, parseIpv4Prefix } from '../../src/net/ipv4.ts';

const library = koffi.load(process.env['EGRET_LIBRARY'] ?? 'build/libegret.so');
const netlinkOpen = library.func(
  'int egret_netlink_open(uint8_t, const uint32_t *, uint32_t, uint32_t, uint8_t, _Out_ int *)',
);
const netlinkSend = library.func('int egret_netlink_send(int, const void *, uint32_t)');
const closeFd = library.func('int egret_close(int)');
const mirrorOpen = library.func('int egret_mirror_open(uint8_t, _Out_ void **, _Out_ int *)');
const mirrorSubmit = library.func('int egret_mirror_submit(void *, const void *, uint32_t)');
const mirrorHurry = library.func('void egret_mirror_hurry(void *)');
const mirrorClose = library.func('void egret_mirror_close(void *)');

const queue = new WorkQueue(systemClock);

const check = (result: number): number => {
  if (result < 0) throw new Error(`libegret: ${result}`);
  return result;
};

const socketsWith = (receiveBytesMax: number): NetlinkSockets => ({
  open(groups, receiveBytes, filterProtocol, protocol = netlinkRoute) {
    const events = [0];
    const bytes = Math.min(receiveBytes, receiveBytesMax);
    const fd = check(
      netlinkOpen(protocol, new Uint32Array(groups), groups.length, bytes, filterProtocol, events),
    );
    return { fd, events: events[0]! };
  },
  send: (fd, bytes) => void check(netlinkSend(fd, bytes, bytes.length)),
  close: (fd) => void closeFd(fd),
});
const sockets = socketsWith(Number.MAX_SAFE_INTEGER);
const hostOptions = { clock: systemClock, queue, log: silentLog, mirrorProtocol: 186 };

const mirrorNative: MirrorNative = {
  open(protocol) {
    const handle: unknown[] = [null];
    const events = [0];
    check(mirrorOpen(protocol, handle, events));
    return { handle: handle[0], events: events[0]! };
  },
  submit: (handle, rows, count) => check(mirrorSubmit(handle, rows, count)),
  hurry: (handle) => void mirrorHurry(handle),
  close: (handle) => void mirrorClose(handle),
};

// The main thread alone moves: sockets, synchronous files and child processes follow it.
const newNetworkNamespace = 0x4000_0000;
check(koffi.load('libc.so.6').func('int unshare(int)')(newNetworkNamespace));

const run = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' });
const succeeds = (command: string): boolean =>
  spawnSync('sh', ['-c', command], { stdio: 'ignore' }).status === 0;
const ipv4 = (text: string): number => parseIpv4(text)!;

/** A namespace that lives as long as this process, or until stopped. */
async function peer(): Promise<{ pid: number; exec: string; child: ChildProcess }> {
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up; echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return { pid: child.pid!, exec: `nsenter -t ${child.pid} -n`, child };
}

async function until(what: string, condition: () => boolean, waitMs = 180_000): Promise<void> {
  const endMs = Date.now() + waitMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

run('ip link set lo up');

test('routes are printed as ip prints them', async (t) => {
  run('ip link add fmt0 type veth peer name fmt1; ip link set fmt1 up');
  run('ip addr add 10.9.0.1/24 dev fmt0; ip link set fmt0 up');
  const rtnetlink = new Rtnetlink(sockets, systemClock, queue);
  const ifindex = Number(run('ip -o link show fmt0').split(':')[0]);
  const via = (text: string, weight = 1) => ({ ifindex, address: ipv4(text), weight });
  const base = { table: 500, scope: 0, type: 1, metric: 0, source: undefined };
  const route = (text: string, more: Partial<RouteMessage>): RouteMessage => {
    const prefix = parseIpv4Prefix(text)!;
    const place = { prefix: prefix.address, prefixLength: prefix.length };
    return { ...base, ...place, protocol: 12, nextHops: [via('10.9.0.2')], ...more };
  };
  const routes = [
    route('0.0.0.0/0', {}),
    route('0.0.0.0/1', {}),
    route('192.0.2.0/24', { protocol: 186 }),
    route('192.0.2.10/32', { protocol: 231 }),
    route('198.51.100.0/24', { nextHops: [via('10.9.0.2'), via('10.9.0.3')] }),
    route('198.51.101.0/24', { nextHops: [via('10.9.0.2', 3), via('10.9.0.3', 256)] }),
    route('203.0.113.0/24', { scope: 253, nextHops: [{ ...via('0.0.0.0') }], protocol: 4 }),
    route('203.0.114.0/24', { metric: 20, source: ipv4('10.9.0.1'), protocol: 3 }),
    ...[0, 1, 2, 8, 9, 10, 11, 13, 14, 15, 16, 18, 42, 99, 100, 187, 188, 189, 192, 255].map(
      (protocol) => route(`10.${protocol}.0.0/16`, { protocol }),
    ),
  ];
  const faults = await rtnetlink.requestAll(routes.map(encodeNewRoute), flagCreate | flagReplace);
  t.same(
    faults.filter((fault) => fault.errno !== 0),
    [],
  );
  const rows = await rtnetlink.dump('table 500', encodeRouteDump(500), decodeRoute);
  t.equal(rows.length, routes.length);
  const byPrefix = (a: RouteMessage, b: RouteMessage): number =>
    a.prefix - b.prefix || a.prefixLength - b.prefixLength;
  t.same([...rows].sort(byPrefix), [...routes].sort(byPrefix), 'what is read is what was written');
  const printed = rows.map((row) =>
    formatIpRoute({
      ...row,
      prefix: { address: row.prefix, length: row.prefixLength },
      nextHops: row.nextHops.map((hop) => ({ ...hop, interface: 'fmt0' })),
    }),
  );
  t.equal(`${printed.join('\n')}\n`, run('ip route show table 500'));
  await t.rejects(
    rtnetlink.request(
      'a route',
      encodeNewRoute(route('1.0.0.0/8', { nextHops: [via('99.0.0.1')] })),
      flagCreate,
    ),
    { code: 'NETLINK_REFUSED', message: /Nexthop has invalid gateway \(ENETUNREACH\)/ },
    'the kernel says why it refuses',
  );
  t.same(await rtnetlink.dump('an empty table', encodeRouteDump(777), decodeRoute), []);
  run('ip link del fmt0');
  rtnetlink.close();
});

test('a request without an answer fails, and the next one is sent', async (t) => {
  let isDeaf = true;
  const deaf = {
    ...sockets,
    send: (...args: Parameters<typeof sockets.send>) => {
      if (!isDeaf) sockets.send(...args);
    },
  };
  const hasty = {
    ...systemClock,
    after: (delayMs: number, run: () => void) => systemClock.after(delayMs / 100, run),
  };
  const rtnetlink = new Rtnetlink(deaf, hasty, queue);
  const dump = () => rtnetlink.dump('a table', encodeRouteDump(777), decodeRoute);
  await t.rejects(dump(), { code: 'NETLINK_REFUSED', message: /no answer came \(ETIMEDOUT\)/ });
  isDeaf = false;
  t.same(await dump(), []);
  await sleep(300);
  t.same(await dump(), [], 'having nothing to say is no silence');
  rtnetlink.close();
});

test('the host state follows the kernel', async (t) => {
  const rtnetlink = new Rtnetlink(sockets, systemClock, queue);
  const host = await HostState.open({
    ...hostOptions,
    netlinkSockets: socketsWith(4096),
    rtnetlink,
  });
  let told = 0;
  host.onChanged(() => {
    told += 1;
  });
  run('ip link add hs0 mtu 1400 address 02:00:00:00:00:01 type veth peer name hs1');
  run('ip addr add 10.8.0.1/24 brd + dev hs0; ip link set hs0 up; ip link set hs1 up');
  await until('carrier', () => host.snapshot().links.get('hs0')?.hasCarrier === true);
  await until('the connected route', () =>
    host.snapshot().mainRoutes.some((route) => route.prefix.address === ipv4('10.8.0.0')),
  );
  t.match(host.snapshot().links.get('hs0'), { mtu: 1400, mac: '02:00:00:00:00:01', kind: 'veth' });
  t.match(
    host.snapshot().addresses.find((address) => address.interface === 'hs0'),
    { address: ipv4('10.8.0.1'), prefixLength: 24, broadcast: ipv4('10.8.0.255') },
  );
  run('ip route add 10.77.0.0/16 via 10.8.0.2; ip route add 10.78.0.0/16 dev hs0');
  run('ip route add 10.79.0.0/16 via 10.8.0.2 proto bgp');
  await until('routes', () => connectedRoutes(host.snapshot(), ['hs0']).length === 2);
  const nextHopOf = (text: string) =>
    host.snapshot().mainRoutes.find((route) => route.prefix.address === ipv4(text))?.nextHops;
  t.same(nextHopOf('10.77.0.0'), [{ interface: 'hs0', address: ipv4('10.8.0.2') }]);
  t.ok(told < 20, `many changes are reported together: ${told}`);

  run('ip link set hs0 down; ip link set hs0 up');
  await until('a flap is counted', () => host.snapshot().links.get('hs0')?.downCount === 1);
  await until('its routes are removed', () => nextHopOf('10.77.0.0') === undefined);
  await until('the connected one is back', () => nextHopOf('10.8.0.0') !== undefined);

  // More notifications than the socket's queue holds.
  run(
    `{ for i in $(seq 1 250); do echo addr add 10.66.$i.1/24 dev hs0; done; } | ip -batch - ; ip addr del 10.66.9.1/24 dev hs0`,
  );
  await until('all addresses', () => {
    const { addresses, mainRoutes } = host.snapshot();
    return (
      addresses.filter(({ interface: name }) => name === 'hs0').length === 250 &&
      mainRoutes.filter((route) => route.prefix.address >>> 16 === 0x0a42).length === 249
    );
  });
  t.ok(host.overrunCount > 0, `notifications were lost ${host.overrunCount} times`);
  run('ip link del hs0');
  await until('the link is removed', () => host.snapshot().links.get('hs0') === undefined);
  t.equal(host.snapshot().addresses.filter(({ interface: name }) => name === 'hs0').length, 0);
  host.close();
  rtnetlink.close();
});

test('the host state reads again what it could not read', async (t) => {
  const rtnetlink = new Rtnetlink(sockets, systemClock, queue);
  let isRefusing = false;
  let refusals = 0;
  const dump: Rtnetlink['dump'] = async (what, body, decode) => {
    if (!isRefusing) return rtnetlink.dump(what, body, decode);
    refusals += 1;
    throw new EgretError('NETLINK_REFUSED', { request: what, reason: 'it never held still' });
  };
  const host = await HostState.open({
    ...hostOptions,
    netlinkSockets: socketsWith(4096),
    rtnetlink: { dump },
  });
  run('ip link add hs0 type veth peer name hs1; ip link set hs0 up');
  await until('the link', () => host.snapshot().links.get('hs0')?.isUp === true);
  isRefusing = true;
  run('for i in $(seq 1 250); do echo addr add 10.66.$i.1/24 dev hs0; done | ip -batch -');
  await until('a read is refused', () => refusals > 0);
  await sleep(200);
  isRefusing = false;
  const own = () => host.snapshot().addresses.filter((each) => each.interface === 'hs0');
  await until('all addresses', () => own().length === 250);
  t.ok(host.overrunCount > 0);
  run('ip link del hs0');
  host.close();
  rtnetlink.close();
});

test('two networks give the box the same address', async (t) => {
  const rtnetlink = new Rtnetlink(sockets, systemClock, queue);
  const host = await HostState.open({ ...hostOptions, netlinkSockets: sockets, rtnetlink });
  const runDir = mkdtempSync(join(tmpdir(), 'egret-guard-'));
  const guard = makeGuard(runDir);
  const peers = [await peer(), await peer(), await peer()];
  const [red, blue, client] = peers as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0]];
  t.teardown(() => {
    for (const { child } of peers) child.stdin!.end();
    rmSync(runDir, { recursive: true });
  });

  run('echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter');
  run('echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
  const addLink = (name: string, pid: number, exec: string, box: string, far: string): void => {
    run(`ip link add ${name} type veth peer name far netns ${pid}`);
    run(`${exec} ip addr add ${far} dev far; ${exec} ip link set far up`);
    run(`ip addr add ${box} dev ${name}; ip link set ${name} up`);
  };
  addLink('red', red.pid, red.exec, '172.16.1.1/24', '172.16.1.140/24');
  addLink('blue', blue.pid, blue.exec, '172.16.1.1/24', '172.16.1.140/24');
  addLink('in', client.pid, client.exec, '10.7.0.1/24', '10.7.0.9/24');
  run(`${client.exec} ip route add default via 10.7.0.1`);
  run(`${red.exec} ip route add default via 172.16.1.1`);
  // A host behind red's router: its source is in no table of the box but red's.
  run(`${red.exec} ip addr add 192.0.2.10/32 dev lo`);

  const ports: GuardPort[] = [
    { name: 'red', marks: [500] },
    { name: 'blue', marks: [501] },
    { name: 'in', marks: [] },
  ];
  const names = ports.map(({ name }) => name);
  const input: GuardInput = {
    bgpPort: 179,
    neighbors: [],
    isClosed: false,
    dhcpPorts: [],
    management: [],
    managementTcpPorts: [],
  };
  await until('links', () => names.every((name) => host.snapshot().links.get(name)?.isUp));
  t.ok(succeeds(`${client.exec} ping -c1 -W10 172.16.1.140`), 'the kernel forwards before');
  await guard.set(ports, input, host.snapshot());
  t.notOk(succeeds(`${client.exec} ping -c1 -W0.3 172.16.1.140`), 'and not with the guard');

  const sysctls = makeSysctls();
  sysctls.apply(names);
  for (const { path, wanted, effective } of sysctls.show(names)) t.equal(effective, wanted, path);
  const networks = [500, 501].map((routeTableIndex, i) => ({
    routeTableIndex,
    interfaces: [names[i]!],
    reachable: [{ neighbor: ipv4('172.31.0.1'), gateway: ipv4('172.16.1.140') }],
  }));
  await setRules(rtnetlink, rulesFor(102, [500, 501]), new Set());
  const wanted = plumbingRoutes(host.snapshot(), networks);
  t.same(await setPlumbingRoutes(rtnetlink, wanted), []);
  t.equal(
    run(`ip route show table ${privateTableOf(501)}`),
    '172.16.1.0/24 dev blue proto 231 scope link src 172.16.1.1 \n' +
      '172.31.0.1 via 172.16.1.140 dev blue proto 231 src 172.16.1.1 \n',
  );
  t.equal(run('ip route show table 501 2>&1 || true').includes('172.16'), false);
  const rules = run('ip rule');
  t.match(rules, new RegExp(`102:.*fwmark 0x1f4 lookup ${privateTableOf(500)}`));

  t.test('each router reaches the box, and gets its answer', async (t) => {
    run('ip route add 192.0.2.0/24 via 172.16.1.140 dev red table 500');
    for (const { exec } of [red, blue])
      t.ok(succeeds(`${exec} ping -c2 -i0.2 -W1 172.16.1.1`), 'ping');
    t.ok(succeeds(`${red.exec} ping -c1 -W10 -I 192.0.2.10 172.16.1.1`), 'from behind the router');
    t.ok(succeeds(`${client.exec} ping -c1 -W10 10.7.0.1`), 'a client pings the box');
    const server = createServer((socket) => socket.end('egret'));
    server.listen(8179, '0.0.0.0');
    await once(server, 'listening');
    for (const { exec } of [red, blue]) {
      const asking = spawn('sh', [
        '-c',
        `${exec} ${process.execPath} -e "require('net').connect(8179,'172.16.1.1').on('data',d=>process.stdout.write(d)).on('error',()=>{})"`,
      ]);
      let answer = '';
      asking.stdout.on('data', (data) => {
        answer += data;
      });
      const timer = setTimeout(() => asking.kill(), 3000);
      await once(asking, 'close');
      clearTimeout(timer);
      t.equal(answer, 'egret', 'TCP');
    }
    server.close();
    // No process listens: the RST is sent where the SYN came from.
    for (const { exec } of [red, blue]) {
      const script = `require('net').connect(8180,'172.16.1.1').on('error',e=>process.exit(e.code==='ECONNREFUSED'?0:1))`;
      t.ok(succeeds(`timeout 3 ${exec} ${process.execPath} -e "${script}"`), 'refused, not silent');
    }
  });

  t.test('rules are kept, repaired and ordered', async (t) => {
    const before = run('ip rule');
    await setRules(rtnetlink, rulesFor(102, [500, 501]), new Set());
    t.equal(run('ip rule'), before, 'twice is once');
    run(`ip rule del fwmark 500 lookup ${privateTableOf(500)}`);
    await setRules(rtnetlink, rulesFor(102, [500, 501]), new Set());
    const lines = run('ip rule')
      .split('\n')
      .filter((line) => line.includes('fwmark 0x1f4'));
    t.match(lines[0], String(privateTableOf(500)), 'the private table comes first again');
    t.match(lines[1], /lookup 500/);
    const previous = new Set<number>();
    await setRules(rtnetlink, rulesFor(90, [500]), previous);
    t.same([...previous], [privateTableOf(501)]);
    t.equal(run('ip rule').match(/fwmark/g)?.length, 2);
    await setRules(rtnetlink, rulesFor(102, [500, 501]), new Set());
  });

  t.test('a forged source does not send answers of the box to others', async (t) => {
    // Another network's router, and a client: main leads to both.
    for (const source of ['10.7.0.9', '10.8.0.9']) {
      run(`${red.exec} ip addr add ${source}/32 dev lo`);
      run(`${client.exec} ip addr replace ${source}/32 dev lo`);
      run(`ip route replace ${source} via 10.7.0.9 dev in`);
    }
    const strangers = () =>
      Number(run(`${client.exec} nstat -az IcmpInEchoReps`).match(/IcmpInEchoReps +(\d+)/)?.[1]);
    t.ok(succeeds(`${client.exec} ping -c1 -W10 10.7.0.1`));
    const before = strangers();
    t.ok(before > 0, 'answers are counted');
    for (const source of ['10.7.0.9', '10.8.0.9'])
      t.notOk(succeeds(`${red.exec} ping -c2 -i0.2 -W0.3 -I ${source} 172.16.1.1`));
    t.equal(strangers(), before);
    for (const source of ['10.7.0.9', '10.8.0.9'])
      run(`${red.exec} ip addr del ${source}/32 dev lo`);
    run('ip route del 10.8.0.9; ip route del 10.7.0.9');
  });

  t.test('nothing transits, whatever happens to the interface', async (t) => {
    run(`ip route add 192.0.2.0/24 via 172.16.1.140 dev red`);
    run('ip addr add fd00:7::1/64 nodad dev in; ip addr add fd00:16::1/64 nodad dev red');
    run(`${client.exec} ip addr add fd00:7::9/64 nodad dev far`);
    run(`${client.exec} ip route add fd00:16::/64 via fd00:7::1`);
    run(`${red.exec} ip addr add fd00:16::140/64 nodad dev far`);
    run(`${red.exec} ip route add fd00:7::/64 via fd00:16::1`);
    await until('IPv6', () => succeeds(`${client.exec} ping -6 -c1 -W10 fd00:7::1`));
    t.notOk(succeeds(`${client.exec} ping -c1 -W0.3 192.0.2.10`), 'IPv4');
    t.notOk(succeeds(`${client.exec} ping -6 -c1 -W0.3 fd00:16::140`), 'IPv6');
    const before = host.snapshot().links.get('red')!.ifindex;
    run('ip link del red');
    addLink('red', red.pid, red.exec, '172.16.1.1/24', '172.16.1.140/24');
    run(`ip route replace 192.0.2.0/24 via 172.16.1.140 dev red`);
    run(`${red.exec} ip route replace default via 172.16.1.1`);
    t.notOk(
      succeeds(`${client.exec} ping -c2 -i0.2 -W0.3 192.0.2.10`),
      'before the guard knows of the new device',
    );
    await until('the device', () => {
      const link = host.snapshot().links.get('red');
      return link?.isUp === true && link.ifindex !== before;
    });
    await guard.set(ports, input, host.snapshot());
    sysctls.apply(names);
    t.same(await setPlumbingRoutes(rtnetlink, plumbingRoutes(host.snapshot(), networks)), []);
    t.ok(succeeds(`${red.exec} ping -c1 -W10 172.16.1.1`), 'the new device answers for itself');
    t.match(run(`nft list table netdev ${guard.table}`), /device "red"/);
    t.notOk(succeeds(`${client.exec} ping -c1 -W0.3 192.0.2.10`), 'and after');
    // Without any chain at ingress of it, as older kernels leave a device that was added again.
    const { links, ...others } = host.snapshot();
    const withoutRed = new Map([...links].filter(([name]) => name !== 'red'));
    await guard.set(ports, input, { ...others, links: withoutRed });
    t.notMatch(run(`nft list table netdev ${guard.table}`), /device "red"/);
    t.notOk(succeeds(`${client.exec} ping -c1 -W0.3 192.0.2.10`), 'by name alone, IPv4');
    t.notOk(succeeds(`${client.exec} ping -6 -c1 -W0.3 fd00:16::140`), 'by name alone, IPv6');
    t.notOk(succeeds(`${red.exec} ping -c1 -W0.3 10.7.0.9`), 'by name alone, the other way');
    // A second life adopts what stands, without a moment in between.
    const ping = `exec ${client.exec} ping -q -i0.005 -W0.3 192.0.2.10`;
    const flood = spawn('sh', ['-c', ping]);
    const closed = once(flood, 'close');
    let report = '';
    flood.stdout.on('data', (data) => {
      report += data;
    });
    for (let life = 0; life < 20; life += 1)
      await makeGuard(runDir).set(ports, input, host.snapshot());
    flood.kill('SIGINT'); // it reports
    await closed;
    t.match(report, / 0 received/);
    t.equal(run('nft list tables').match(/egret_/g)?.length, 2, 'one table of each family');
    await t.rejects(guard.set([{ name: 'a b', marks: [1] }], input, host.snapshot()), {
      code: 'NFT_FAILED',
    });
    t.match(run('nft list tables'), guard.table, 'what stood before stands on');
  });

  t.test('managed neighbors', async (t) => {
    const ifindex = host.snapshot().links.get('blue')!.ifindex;
    const neighbors = [
      { ifindex, address: ipv4('172.16.1.140') },
      { ifindex, address: ipv4('172.16.1.200') },
    ];
    t.same(await setNeighbors(rtnetlink, neighbors), []);
    await until('it is resolved', () =>
      /172.16.1.140 lladdr .*managed/.test(run('ip neigh show dev blue')),
    );
    t.same(await setNeighbors(rtnetlink, neighbors.slice(0, 1)), []);
    t.notMatch(run('ip neigh show dev blue'), /172.16.1.200/);
    run('ip neigh replace 172.16.1.7 lladdr 02:00:00:00:00:07 dev blue nud permanent');
    t.same(await setNeighbors(rtnetlink, [{ ifindex, address: ipv4('172.16.1.7') }]), []);
    t.match(run('ip neigh show dev blue'), /172.16.1.7 lladdr .* PERMANENT/, 'left alone');
    t.same(await setNeighbors(rtnetlink, []), []);
    t.notMatch(run('ip neigh show dev blue'), /managed/);
  });

  t.test('an orderly stop leaves nothing', async (t) => {
    await setRules(rtnetlink, [], new Set());
    await setPlumbingRoutes(rtnetlink, [], [500, 501].map(privateTableOf));
    sysctls.restore();
    await guard.remove();
    t.notMatch(run('ip rule'), /fwmark/);
    t.notMatch(run('ip route show table all'), /proto 231/);
    t.equal(run('nft list tables'), '');
    t.equal(run('cat /proc/sys/net/ipv4/conf/blue/rp_filter'), '0\n');
    t.equal(run('cat /proc/sys/net/ipv4/fwmark_reflect'), '0\n');
  });
  t.teardown(() => {
    host.close();
    rtnetlink.close();
    for (const name of names) succeeds(`ip link del ${name}`);
  });
});

/** A RIB of the test's own. */
class TestSource implements MirrorSource {
  readonly routes = new Map<number, readonly MirrorNextHop[]>();
  readonly #waiting = new Set<number>();
  #queue: number[] = [];

  put(address: number, length: number, nextHops: readonly MirrorNextHop[]): void {
    const key = address * 64 + length;
    if (nextHops.length === 0) this.routes.delete(key);
    else this.routes.set(key, nextHops);
    this.#mark(key);
  }

  #mark(key: number): void {
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#queue.push(key);
  }

  takeChanges(changesMax: number, visit: Parameters<MirrorSource['takeChanges']>[1]): number {
    const taken = this.#queue.splice(Math.max(0, this.#queue.length - changesMax), changesMax);
    for (const key of taken) {
      this.#waiting.delete(key);
      visit(Math.floor(key / 64), key % 64, this.routes.get(key) ?? []);
    }
    return taken.length;
  }

  lookup(address: number, length: number): readonly MirrorNextHop[] {
    return this.routes.get(address * 64 + length) ?? [];
  }

  refresh(): void {
    for (const key of this.routes.keys()) this.#mark(key);
  }

  get pendingCount(): number {
    return this.#queue.length;
  }

  get routeCount(): number {
    return this.routes.size;
  }
}

test('the mirror', async (t) => {
  run('ip link add mi0 type veth peer name mi1; ip link set mi1 up');
  run('ip addr add 10.9.0.1/24 dev mi0; ip link set mi0 up');
  const rtnetlink = new Rtnetlink(sockets, systemClock, queue);
  const host = await HostState.open({ ...hostOptions, netlinkSockets: sockets, rtnetlink });
  const parts = {
    native: mirrorNative,
    rtnetlink,
    host,
    clock: systemClock,
    queue,
    log: silentLog,
  };
  const via = (...texts: string[]): MirrorNextHop[] =>
    texts.map((text) => ({ interface: 'mi0', address: ipv4(text) }));
  const count = Number(process.env['EGRET_TEST_ROUTES'] ?? 20_000);
  const inKernel = (): number => Number(run('ip route show table 500 | wc -l'));
  const source = new TestSource();
  const fill = (): void => {
    for (let i = 0; i < count; i += 1) source.put(0x1400_0000 + i * 256, 24, via('10.9.0.2'));
  };

  let mirror = new Mirror({ ...parts, protocol: 186 });
  /** Asks the mirror, not the kernel: a long listing would keep the main thread from its work. */
  const settled = (): Promise<void> =>
    until('everything is mirrored', () => {
      const { mirrored, failed, pending, isReconciling, isBehind } = mirror.status(500)!;
      const isBusy = pending > 0 || isReconciling || isBehind;
      return mirrored === count && failed === 0 && !isBusy;
    });
  await mirror.open(500, source);
  fill();
  let startMs = performance.now();
  const busyMs = systemClock.busyMs();
  mirror.wake(500);
  await until('mirrored', () => mirror.status(500)?.mirrored === count);
  t.comment(
    `${count} routes in ${Math.round(performance.now() - startMs)} ms, ` +
      `main thread ${Math.round(systemClock.busyMs() - busyMs)} ms`,
  );
  t.equal(inKernel(), count);
  await settled();

  t.test('follows changes and repairs what others break', async (t) => {
    source.put(0xc000_0200, 24, via('10.9.0.3', '10.9.0.2'));
    source.put(0x1400_0000, 24, []);
    mirror.wake(500);
    await settled();
    t.not(run('ip route show table 500 192.0.2.0/24'), '');
    t.equal(inKernel(), count + 2, 'a route of two next hops has three lines');
    await sleep(1100); // a retry that is due already would repair one before the other is broken
    run('ip route del 192.0.2.0/24 table 500');
    run('ip route replace 20.0.1.0/24 via 10.9.0.9 table 500 proto static');
    await until('noticed', () => mirror.status(500)?.failed === 2);
    t.equal(mirror.status(500)?.mirrored, count - 2);
    await settled();
    t.match(run('ip route show table 500 20.0.1.0/24'), /via 10.9.0.2 dev mi0 proto bgp/);
    source.put(0xc000_0200, 24, []);
    source.put(0x1400_0000, 24, via('10.9.0.2'));
    mirror.wake(500);
    await settled();
    t.equal(inKernel(), count);
  });

  t.test('counts a route with other next hops when the kernel has them', async (t) => {
    const wayOf = (nextHop: string) =>
      Number(run(`ip route show table 500 | grep -c 'via ${nextHop} ' || true`));
    for (const key of source.routes.keys()) {
      source.put(Math.floor(key / 64), key % 64, via('10.9.0.3'));
    }
    mirror.wake(500);
    t.equal(mirror.status(500)?.mirrored, 0);
    await until('mirrored', () => mirror.status(500)?.mirrored === count);
    t.equal(wayOf('10.9.0.3'), count);
    fill();
    mirror.wake(500);
    await settled();
    t.equal(wayOf('10.9.0.2'), count);
  });

  t.test('shows what the kernel refuses, and tries again', async (t) => {
    source.put(0xc000_0300, 24, via('10.10.0.2'));
    source.put(0xc000_0400, 24, [{ interface: 'mi9', address: ipv4('10.9.0.2') }]);
    mirror.wake(500);
    await until('refused', () => mirror.status(500)?.failed === 2);
    t.equal(mirror.status(500)?.mirrored, count);
    run('ip addr add 10.10.0.1/24 dev mi0');
    await until('installed', () => mirror.status(500)?.failed === 1);
    source.put(0xc000_0300, 24, []);
    source.put(0xc000_0400, 24, []);
    mirror.wake(500);
    await settled();
    t.equal(inKernel(), count);
  });

  t.test('a link that flaps gets its routes back', async (t) => {
    run('ip link set mi0 down; ip link set mi0 up');
    await until('it is noticed', () => mirror.status(500)?.isReconciling === true);
    await settled();
    t.equal(inKernel(), count);
  });

  t.test('a restart reconciles', async (t) => {
    mirror.close();
    run('ip route del 20.0.5.0/24 table 500');
    run('ip route add 203.0.113.0/24 via 10.9.0.2 table 500 proto bgp');
    run('ip route change 20.0.6.0/24 via 10.9.0.7 table 500 proto bgp');
    mirror = new Mirror({ ...parts, protocol: 186 });
    startMs = performance.now();
    await mirror.open(500, source);
    source.refresh();
    await mirror.reconcile(500);
    t.comment(`reconciled in ${Math.round(performance.now() - startMs)} ms`);
    t.equal(inKernel(), count);
    t.equal(mirror.status(500)?.mirrored, count);
    t.match(run('ip route show table 500 20.0.6.0/24'), /via 10.9.0.2 /);
    t.equal(run('ip route show table 500 203.0.113.0/24'), '');
  });

  t.test("a table with another program's routes is not opened", async (t) => {
    run('for i in 1 2 3 4 5 6 7; do ip route add 10.$i.0.0/16 dev mi0 table 600 proto 12; done');
    const foreign = await mirror.open(600, new TestSource());
    t.match(foreign, {
      count: 7,
      text: 'table 600 holds routes that are not ours',
      more: /10.1.0.0\/16 dev mi0 proto bird scope link; .*; and 2 more/,
    });
    t.same(await mirror.readForeign(600), foreign, 'and is read again to the same effect');
    await mirror.open(600, new TestSource(), { previousProtocols: [12] });
    t.equal(run('ip route show table 600'), '', 'unless a previous instance of ours wrote it');
  });

  t.test('an orderly stop leaves nothing', async (t) => {
    startMs = performance.now();
    await mirror.removeAll();
    t.comment(`removed in ${Math.round(performance.now() - startMs)} ms`);
    t.equal(inKernel(), 0);
    mirror.close();
    host.close();
    rtnetlink.close();
    run('ip link del mi0');
  });
});
