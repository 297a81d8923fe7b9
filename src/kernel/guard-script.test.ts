// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { parseIpv4 } from '../net/ipv4.ts';
import { type GuardInput, type GuardPort, guardScript } from './guard-script.ts';

const ipv4 = (text: string): number => parseIpv4(text)!;

const ports: GuardPort[] = [
  { name: 'ens5', marks: [500] },
  { name: 'ens6', marks: [500, 501] },
];

const open: GuardInput = {
  bgpPort: 179,
  neighbors: [],
  isClosed: false,
  dhcpPorts: [],
  management: [],
  managementTcpPorts: [22, 9473],
};

const present = new Set(['ens5', 'ens6']);

/** The rules of one chain. */
function rules(
  chain: string,
  input: Partial<GuardInput>,
  these: readonly GuardPort[] = ports,
): string[] {
  const script = guardScript('egret_x', these, present, { ...open, ...input });
  const body = script.split(`\tchain ${chain} {\n`)[1]?.split('\n\t}')[0] ?? '';
  return body.split('\n').map((line) => line.trim());
}

test('the guard has a chain for each device that exists, and knows all by name', () => {
  expect(guardScript('egret_x', ports, new Set(['ens5']), open)).toBe(`add table netdev egret_x
delete table netdev egret_x
add table inet egret_x
delete table inet egret_x
table netdev egret_x {
\tchain port_0 {
\t\ttype filter hook ingress device "ens5" priority -500; policy accept;
\t\tmeta mark set 500
\t\tfib daddr type != { local, broadcast, multicast } drop
\t}
}
table inet egret_x {
\tchain prerouting {
\t\ttype filter hook prerouting priority -300; policy accept;
\t\tiifname "ens5" meta mark set 500
\t\tiifname { "ens5", "ens6" } fib daddr type != { local, broadcast, multicast } drop
\t}
\tchain forward {
\t\ttype filter hook forward priority -300; policy accept;
\t\tiifname { "ens5", "ens6" } drop
\t\toifname { "ens5", "ens6" } drop
\t}
\tchain output {
\t\ttype filter hook output priority -300; policy accept;
\t\tmeta mark 500 oifname != { "lo", "ens5", "ens6" } drop
\t\tmeta mark 501 oifname != { "lo", "ens6" } drop
\t}
\tchain input {
\t\ttype filter hook input priority -300; policy accept;
\t\tiifname != "lo" tcp dport 179 tcp flags & (syn | ack) == syn counter drop
\t}
}
`);
});

test('the guard takes no name that would end its string', () => {
  const wrong = [{ name: 'a"b', marks: [1] }];
  expect(() => guardScript('egret_x', wrong, new Set(), open)).toThrow(/nft/);
});

describe('an interface that is enslaved to a VRF device', () => {
  const enslaved = [
    { name: 'ens5', marks: [500], vrfDevice: 'red' },
    { name: 'ens6', marks: [501] },
  ];

  test('sends by both names, and is no way through the box by either', () => {
    expect(rules('output', {}, enslaved).slice(1)).toEqual([
      'meta mark 500 oifname != { "lo", "ens5", "red" } drop',
      'meta mark 501 oifname != { "lo", "ens6" } drop',
    ]);
    expect(rules('forward', {}, enslaved).slice(1)).toEqual([
      'iifname { "ens5", "red", "ens6" } drop',
      'oifname { "ens5", "red", "ens6" } drop',
    ]);
  });

  test('has its own addresses in the table of the device', () => {
    expect(rules('port_0', {}, enslaved)).toContain(
      'fib daddr . iif type != { local, broadcast, multicast } drop',
    );
    expect(rules('prerouting', {}, enslaved).slice(1)).toEqual([
      'iifname "ens5" meta mark set 500',
      'iifname "ens6" meta mark set 501',
      'iifname { "ens5" } fib daddr . iif type != { local, broadcast, multicast } drop',
      'iifname { "ens6" } fib daddr type != { local, broadcast, multicast } drop',
    ]);
  });

  test('lets its neighbor in by the name of the device', () => {
    const neighbors = [{ address: ipv4('172.16.1.140'), ports: ['ens5', 'ens6'] }];
    expect(rules('input', { neighbors }, enslaved)[1]).toBe(
      'iifname . ip saddr { "red" . 172.16.1.140, "ens6" . 172.16.1.140 } tcp dport 179 accept',
    );
  });
});

describe('ports that are closed', () => {
  test('answer neighbors, ICMP and what the box began, and count the rest', () => {
    expect(rules('input', { isClosed: true }).at(-1)).toBe('iifname { "ens5", "ens6" } jump ports');
    const own = rules('ports', { isClosed: true });
    expect(own[0]).toBe('tcp flags & (ack | rst) != 0x0 accept');
    expect(own.at(-1)).toBe('counter drop');
    expect(own.join()).not.toMatch(/dport/);
  });

  test('take DHCP replies where the address comes by DHCP', () => {
    const own = rules('ports', { isClosed: true, dhcpPorts: ['ens6', 'ens9'] });
    expect(own).toContain('iifname { "ens6" } udp sport 67 udp dport 68 accept');
  });
});

describe('the management plane', () => {
  const management = [{ name: 'ens3', vrfDevice: 'mgmt', allowFrom: undefined }];

  test('is filtered by the name of the interface and of its VRF device', () => {
    expect(rules('input', { management })).toContain('iifname { "ens3", "mgmt" } jump management');
    expect(rules('management', { management })).toContain(
      'meta sdifname "ens3" tcp dport { 22, 9473 } accept',
    );
    expect(rules('management', { management }).at(-1)).toBe('counter drop');
  });

  test('is reached from the prefixes that are allowed, of either family, and from no other', () => {
    const allowed = [{ ...management[0]!, allowFrom: ['10.0.0.0/8', 'fd00::/8'] }];
    const opened = rules('management', { management: allowed }).filter((rule) =>
      rule.includes('tcp dport'),
    );
    expect(opened).toEqual([
      'iifname "ens3" ip saddr 10.0.0.0/8 tcp dport { 22, 9473 } accept',
      'iifname "ens3" ip6 saddr fd00::/8 tcp dport { 22, 9473 } accept',
      'meta sdifname "ens3" ip saddr 10.0.0.0/8 tcp dport { 22, 9473 } accept',
      'meta sdifname "ens3" ip6 saddr fd00::/8 tcp dport { 22, 9473 } accept',
    ]);
    const none = [{ ...management[0]!, allowFrom: [] }];
    expect(rules('management', { management: none }).join()).not.toMatch(/tcp dport/);
  });
});
