// SPDX-License-Identifier: Apache-2.0
/**
 * The guard's rules as nft reads them. Pure; guard.ts hands them to nft. What they are for stands there.
 *
 * The kernel shows a packet of an enslaved interface twice in prerouting and in output: with the
 * interface and with its VRF device. In input and forward it shows the VRF device alone. So rules that
 * match by name there name both.
 */
import { EgretError } from '../lib/errors.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';

export interface GuardPort {
  readonly name: string;
  /** routeTableIndex of each network that it belongs to. */
  readonly marks: readonly number[];
  /** The VRF device that it is enslaved to, if there is one. */
  readonly vrfDevice?: string | undefined;
}

/** What may reach the box's own addresses. */
export interface GuardInput {
  /** TCP port on which BGP listens. */
  readonly bgpPort: number;
  /** Who may connect to it, and by which ports. */
  readonly neighbors: readonly GuardNeighbor[];
  /** Whether ports are closed to all else but ICMP and answers to what the box sent. */
  readonly isClosed: boolean;
  /** Ports whose addresses come by DHCP. */
  readonly dhcpPorts: readonly string[];
  /** Interfaces of the management plane; empty: what is no port is not filtered. */
  readonly management: readonly GuardManagement[];
  /** TCP ports that are open on them. */
  readonly managementTcpPorts: readonly number[];
}

export interface GuardNeighbor {
  readonly address: Ipv4;
  /** Names of ports. */
  readonly ports: readonly string[];
}

export interface GuardManagement {
  readonly name: string;
  readonly vrfDevice: string | undefined;
  /** Prefixes of either family from which its TCP ports are open; undefined: all. */
  readonly allowFrom: readonly string[] | undefined;
}

/** Adding before deleting makes deleting succeed whether the tables stood or not. */
export function removalScript(table: string): string {
  return ['netdev', 'inet']
    .map((family) => `add table ${family} ${table}\ndelete table ${family} ${table}\n`)
    .join('');
}

/** @param present - names of the ports whose devices exist: only those can have a chain at ingress */
export function guardScript(
  table: string,
  ports: readonly GuardPort[],
  present: ReadonlySet<string>,
  input: GuardInput,
): string {
  const ingress = ports.flatMap((port, number) =>
    present.has(port.name)
      ? chain(`port_${number}`, `filter hook ingress device ${quoted(port.name)} priority -500`, [
          ...soleMark(port).map((mark) => `meta mark set ${mark}`),
          dropForeign(port),
        ])
      : [],
  );
  const names = namesOf(ports);
  const byName =
    ports.length === 0
      ? []
      : [
          ...chain('prerouting', 'filter hook prerouting priority -300', [
            ...ports.flatMap((port) =>
              soleMark(port).map((mark) => `iifname ${quoted(port.name)} meta mark set ${mark}`),
            ),
            ...[...Map.groupBy(ports, dropForeign)].map(
              ([rule, own]) => `iifname ${set(own.map(({ name }) => quoted(name)))} ${rule}`,
            ),
          ]),
          ...chain('forward', 'filter hook forward priority -300', [
            `iifname ${set(names)} drop`,
            `oifname ${set(names)} drop`,
          ]),
          ...chain('output', 'filter hook output priority -300', outputRules(ports)),
        ];
  return [
    removalScript(table).trimEnd(),
    `table netdev ${table} {`,
    ...ingress,
    '}',
    `table inet ${table} {`,
    ...byName,
    ...inputChains(ports, input),
    '}',
    '',
  ].join('\n');
}

function chain(name: string, type: string | undefined, rules: readonly string[]): string[] {
  const head = type === undefined ? [] : [`\t\ttype ${type}; policy accept;`];
  return [`\tchain ${name} {`, ...head, ...rules.map((rule) => `\t\t${rule}`), '\t}'];
}

/** The box's own addresses on an enslaved interface are in the VRF's table, which `iif` selects. */
function dropForeign({ vrfDevice }: GuardPort): string {
  const key = vrfDevice === undefined ? 'daddr' : 'daddr . iif';
  return `fib ${key} type != { local, broadcast, multicast } drop`;
}

function outputRules(ports: readonly GuardPort[]): string[] {
  const marks = [...new Set(ports.flatMap((port) => port.marks))];
  return marks.map((mark) => {
    const own = ports.filter((port) => port.marks.includes(mark));
    return `meta mark ${mark} oifname != ${set(['"lo"', ...namesOf(own)])} drop`;
  });
}

/** The mark of what comes by a port; none when it may be of several networks. */
const soleMark = ({ marks }: GuardPort): readonly number[] => (marks.length === 1 ? marks : []);

// -- What reaches the box itself --------------------------------------------------------------------

const icmpTypes =
  'icmp type { echo-request, echo-reply, destination-unreachable, time-exceeded, parameter-problem } accept';
const icmpv6Errors = 'destination-unreachable, packet-too-big, time-exceeded, parameter-problem';
const icmpv6Types = `echo-request, echo-reply, ${icmpv6Errors}, nd-neighbor-solicit, nd-neighbor-advert`;
/**
 * Of a connection that the box opened, or that a rule below let in. A segment that opens one has
 * neither bit; to others a listening socket answers as a closed port does (RFC 9293 §3.10.7.2).
 */
const tcpOfConnection = 'tcp flags & (ack | rst) != 0x0 accept';
const dhcpReply = 'udp sport 67 udp dport 68 accept';

function inputChains(ports: readonly GuardPort[], input: GuardInput): string[] {
  const { bgpPort, isClosed, dhcpPorts, management } = input;
  const peers = bgpPeers(ports, input);
  const rules = [
    ...(peers.length > 0 ? [`iifname . ip saddr ${set(peers)} tcp dport ${bgpPort} accept`] : []),
    `iifname != "lo" tcp dport ${bgpPort} tcp flags & (syn | ack) == syn counter drop`,
  ];
  const chains: string[] = [];
  if (isClosed && ports.length > 0) {
    rules.push(`iifname ${set(namesOf(ports))} jump ports`);
    const dhcp = ports.filter(({ name }) => dhcpPorts.includes(name));
    chains.push(
      ...chain('ports', undefined, [
        tcpOfConnection,
        icmpTypes,
        `icmpv6 type { ${icmpv6Types} } accept`,
        ...(dhcp.length > 0 ? [`iifname ${set(namesOf(dhcp))} ${dhcpReply}`] : []),
        // As from a closed port, which is what a traceroute to the box waits for.
        'meta l4proto udp counter reject',
        'counter drop',
      ]),
    );
  }
  if (management.length > 0) {
    rules.push(`iifname ${set(namesOf(management))} jump management`);
    chains.push(...chain('management', undefined, managementRules(input)));
  }
  return [...chains, ...chain('input', 'filter hook input priority -300', rules)];
}

/** Interface and address of each neighbor, as input shows the interface. */
function bgpPeers(ports: readonly GuardPort[], { neighbors }: GuardInput): string[] {
  const shown = new Map(ports.map((port) => [port.name, port.vrfDevice ?? port.name]));
  const peers = neighbors.flatMap(({ address, ports: names }) =>
    names.map((name) => `${quoted(shown.get(name) ?? name)} . ${formatIpv4(address)}`),
  );
  return [...new Set(peers)];
}

function managementRules({ management, managementTcpPorts }: GuardInput): string[] {
  const tcpPorts = set(managementTcpPorts.map(String));
  return [
    tcpOfConnection,
    icmpTypes,
    `icmpv6 type { ${icmpv6Types}, nd-router-advert, mld-listener-query } accept`,
    dhcpReply,
    'udp sport 547 udp dport 546 accept',
    // Answers to DNS and NTP: clients of both use a port that is no service's.
    'udp sport { 53, 123 } udp dport 1024-65535 accept',
    // An enslaved interface is the slave device; which of the two holds may change at any moment.
    ...management.flatMap(({ name, allowFrom }) =>
      ['iifname', 'meta sdifname'].flatMap((by) =>
        sourcesOf(allowFrom).map(
          (from) => `${by} ${quoted(name)} ${from}tcp dport ${tcpPorts} accept`,
        ),
      ),
    ),
    'counter drop',
  ];
}

function sourcesOf(allowFrom: readonly string[] | undefined): string[] {
  if (allowFrom === undefined) return [''];
  const [ipv6, ipv4] = [true, false].map((isIpv6) =>
    allowFrom.filter((prefix) => prefix.includes(':') === isIpv6),
  );
  return [
    ...ipv4!.map((prefix) => `ip saddr ${prefix} `),
    ...ipv6!.map((prefix) => `ip6 saddr ${prefix} `),
  ];
}

// -- Names -----------------------------------------------------------------------------------------

/** Names of interfaces and of their VRF devices, each once. */
function namesOf(
  rows: readonly { readonly name: string; readonly vrfDevice?: string | undefined }[],
): string[] {
  const names = rows.flatMap(({ name, vrfDevice }) =>
    vrfDevice === undefined ? [name] : [name, vrfDevice],
  );
  return [...new Set(names)].map(quoted);
}

const set = (items: readonly string[]): string => `{ ${items.join(', ')} }`;

/** Whether nft can name an interface: the kernel allows almost anything, nft's strings have no escapes. */
export const isGuardable = (name: string): boolean => /^[^"\s/]{1,15}$/.test(name);

function quoted(name: string): string {
  if (!isGuardable(name))
    throw new EgretError('NFT_FAILED', { reason: `interface name ${JSON.stringify(name)}` });
  return `"${name}"`;
}
