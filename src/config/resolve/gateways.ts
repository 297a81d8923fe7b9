// SPDX-License-Identifier: Apache-2.0
/** EgressGateway and IPPool → gateways of this box with their pools. */
import { modelLimits } from '../../model/limits.ts';
import type { FailureDetection, Gateway, Location, ResourceName } from '../../model/model.ts';
import {
  formatIpv4Prefix,
  type Ipv4Prefix,
  parseIpv4Prefix,
  prefixesOverlap,
  prefixSize,
} from '../../net/ipv4.ts';
import { egressGatewayKind } from '../kinds/egress-gateway.ts';
import { ipPoolKind, poolHint, poolProblem } from '../kinds/ip-pool.ts';
import type { Resource } from '../kinds/kind.ts';
import type { Labels } from '../schema/selector.ts';
import { distinct, textsOf } from '../schema/shape.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { formatLocation, quote } from '../yaml/located.ts';
import type { Box } from './box.ts';
import type { Catalog } from './catalog.ts';
import { findNetwork } from './networks.ts';

type WrittenGateway = Resource<(typeof egressGatewayKind)['fields']>;
type GatewaySpec = NonNullable<WrittenGateway['fields']['spec']>;
type WrittenPool = Resource<(typeof ipPoolKind)['fields']>;

export interface ResolvedGateways {
  /** Of this box, in order of namespace and name. */
  readonly gateways: readonly Gateway[];
  readonly elsewhere: readonly ResourceName[];
  /** All of the configuration, for selectors. */
  readonly candidates: readonly GatewayCandidate[];
  /** Names of namespaces that gateways stand in. */
  readonly namespaces: ReadonlySet<string>;
}

export interface GatewayCandidate {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly isHere: boolean;
  readonly replicas: number;
}

/** A pool as written, or created because a gateway names it. */
interface Pool extends Place {
  readonly name: string | undefined;
  readonly text: string;
  readonly prefix: Ipv4Prefix;
  free: number;
}

export function resolveGateways(catalog: Catalog, box: Box, report: Report): ResolvedGateways {
  const pools = writtenPools(catalog, report);
  const gateways: Gateway[] = [];
  const elsewhere: ResourceName[] = [];
  const candidates: GatewayCandidate[] = [];
  for (const written of sorted(catalog.of(egressGatewayKind))) {
    const { spec } = written.fields;
    if (spec === undefined) continue;
    const { template } = spec;
    const gatewayPools = resolvePools(catalog, spec, pools, report);
    const networks = distinct(
      spec.externalNetworks?.value ?? [],
      (one) => one,
      report,
      'the network',
    );
    for (const network of networks) findNetwork(catalog, network, report);
    if (spec.externalNetworks && networks.length > modelLimits.gatewayNetworks) {
      report.error(
        spec.externalNetworks,
        `${networks.length} networks; at most ${modelLimits.gatewayNetworks} are possible`,
        'Divide them among several gateways.',
      );
    }
    if (gatewayPools !== undefined) takeAddresses(spec, gatewayPools, report);
    const writtenLabels = textsOf(template?.metadata?.labels);
    const labels =
      writtenLabels.size > 0 ? writtenLabels : new Map([['projectcalico.org/egw', written.name]]);
    const nodeSelector = template?.spec?.nodeSelector;
    const isHere = box.hasLabels(textsOf(nodeSelector), nodeSelector ?? written.nameAt);
    const { name, namespace = 'default' } = written;
    const replicas = spec.replicas.value;
    candidates.push({
      name,
      namespace,
      isHere,
      replicas,
      labels: matchLabels(labels, namespace),
    });
    if (!isHere) {
      elsewhere.push({ kind: written.kind, namespace, name });
      continue;
    }
    gateways.push({
      namespace,
      name,
      at: written.nameAt.at,
      replicas,
      pools: (gatewayPools ?? []).map((pool) => ({ name: pool.name, prefix: pool.prefix })),
      networks: networks.map(({ value }) => value),
      labels,
      logSeverity: spec.logSeverity.value,
      terminationGracePeriodMs: (template?.spec?.terminationGracePeriodSeconds.value ?? 30) * 1000,
      failureDetection: failureDetection(spec),
    });
  }
  checkAddressCount(gateways, report);
  const namespaces = new Set(candidates.map(({ namespace }) => namespace));
  return { gateways, elsewhere, candidates, namespaces };
}

/** Calico gives every workload these labels too. */
function matchLabels(labels: Labels, namespace: string): Labels {
  return new Map([
    ...labels,
    ['projectcalico.org/namespace', namespace],
    ['projectcalico.org/orchestrator', 'k8s'],
  ]);
}

function sorted(gateways: readonly WrittenGateway[]): WrittenGateway[] {
  const key = ({ namespace, name }: WrittenGateway) => `${namespace}\0${name}`;
  return [...gateways].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The IPv4 pools that IPPools declare. */
function writtenPools(catalog: Catalog, report: Report): Pool[] {
  const pools: Pool[] = [];
  for (const { name, fields } of catalog.of(ipPoolKind)) {
    const cidr = fields.spec?.cidr;
    if (cidr === undefined) continue;
    if (cidr.value.family === 6) {
      report.note(cidr.at, `IPPool ${name} is IPv6 and is left out`);
      continue;
    }
    const { text, prefix } = cidr.value;
    addPool(pools, { ...cidr, name, text, prefix, free: prefixSize(prefix) }, report);
  }
  return pools;
}

function addPool(pools: Pool[], pool: Pool, report: Report): Pool {
  const other = pools.find(({ prefix }) => prefixesOverlap(prefix, pool.prefix));
  if (other) {
    const name = other.name === undefined ? other.text : `${other.name} (${other.text})`;
    report.error(
      pool,
      `the pool ${pool.text} overlaps the pool ${name} at ${formatLocation(other.at)}`,
      'Pools must not overlap.',
    );
  }
  pools.push(pool);
  return pool;
}

/** The pools that a gateway names. @returns undefined when one is unknown, or all are IPv6 */
function resolvePools(
  catalog: Catalog,
  spec: GatewaySpec,
  pools: Pool[],
  report: Report,
): Pool[] | undefined {
  const found: Pool[] = [];
  let isComplete = spec.ipPools !== undefined && spec.ipPools.value.length > 0;
  for (const { name, cidr, present } of spec.ipPools?.value ?? []) {
    const pool = name
      ? poolByName(catalog, name, cidr, pools, report)
      : cidr && poolByCidr(catalog, cidr, pools, report);
    if (pool === undefined) {
      isComplete = false;
      continue;
    }
    const isWhole = (!present.includes('name') || name) && (!present.includes('cidr') || cidr);
    if (!isWhole) isComplete = false;
    if (!found.includes(pool)) found.push(pool);
  }
  return isComplete ? found : undefined;
}

function poolByName(
  catalog: Catalog,
  name: Located<string>,
  cidr: Located<string> | undefined,
  pools: readonly Pool[],
  report: Report,
): Pool | undefined {
  const written = catalog.find(ipPoolKind, name.value);
  if (written === undefined) {
    if (!catalog.isNamed(ipPoolKind, name.value)) {
      report.error(
        name,
        `the IPPool ${name.value} does not exist`,
        'Write the IPPool, or give cidr instead of name: its pool is created.',
      );
    }
    return undefined;
  }
  const own = written.fields.spec?.cidr;
  if (cidr && own && own.value.text !== cidr.value) {
    report.error(
      cidr,
      `IPPool CIDR does not match with name: ${name.value} is ${own.value.text}`,
      'Give one of the two.',
    );
  }
  return usablePool(written, name, pools, report);
}

function poolByCidr(
  catalog: Catalog,
  cidr: Located<string>,
  pools: Pool[],
  report: Report,
): Pool | undefined {
  const written = catalog
    .of(ipPoolKind)
    .find(({ fields }) => fields.spec?.cidr?.value.text === cidr.value);
  if (written) return usablePool(written, cidr, pools, report);
  const created = pools.find((pool) => pool.name === undefined && pool.text === cidr.value);
  if (created) return created;
  const parsed = parseIpv4Prefix(cidr.value);
  if (parsed === undefined) {
    report.error(
      cidr,
      `must be an IPv4 prefix such as 10.50.0.2/31, not ${quote(cidr.value)}`,
      'The last addresses of a pool count too: a /31 has two.',
    );
    return undefined;
  }
  const { isExact, ...prefix } = parsed;
  if (!isExact) {
    report.error(
      cidr,
      `${cidr.value} has host bits set`,
      `The prefix is ${formatIpv4Prefix(prefix)}.`,
    );
    return undefined;
  }
  const problem = poolProblem(cidr.value, prefix);
  if (problem) {
    report.error(cidr, problem, poolHint);
    return undefined;
  }
  report.note(cidr.at, `The pool ${cidr.value} is created: no IPPool has this cidr`);
  const pool = { ...cidr, name: undefined, text: cidr.value, prefix, free: prefixSize(prefix) };
  return addPool(pools, pool, report);
}

/** @param place - where the gateway names it */
function usablePool(
  written: WrittenPool,
  place: Place,
  pools: readonly Pool[],
  report: Report,
): Pool | undefined {
  const { spec } = written.fields;
  if (spec?.cidr === undefined) return undefined;
  if (spec.cidr.value.family === 6) {
    report.error(
      place,
      `the pool ${spec.cidr.value.text} is IPv6; gateways have IPv4 addresses`,
      'Name an IPv4 pool.',
    );
    return undefined;
  }
  const refuse = (what: Place | undefined, problem: string): void => {
    if (what === undefined) return;
    report.error(
      place,
      `the IPPool ${written.name} ${problem} (${formatLocation(what.at)})`,
      'Change the IPPool, or name another.',
    );
  };
  const isTrue = (flag: Located<boolean> | undefined) => (flag?.value ? flag : undefined);
  refuse(isTrue(spec.disabled), 'is disabled');
  refuse(isTrue(spec.natOutgoing), 'has natOutgoing, which would hide the gateway addresses');
  refuse(isTrue(spec.disableBGPExport), 'has disableBGPExport; gateway addresses are announced');
  const uses = spec.allowedUses;
  refuse(
    uses?.value.some(({ value }) => value === 'Workload') ? undefined : uses,
    'is not for workloads',
  );
  return pools.find((pool) => pool.name === written.name);
}

/** Gives a gateway its share, pool after pool, as egress/ will. */
function takeAddresses(spec: GatewaySpec, pools: readonly Pool[], report: Report): void {
  let missing = spec.replicas.value;
  const free = pools.reduce((sum, pool) => sum + pool.free, 0);
  for (const pool of pools) {
    const taken = Math.min(missing, pool.free);
    pool.free -= taken;
    missing -= taken;
  }
  if (missing === 0) return;
  const size = pools.reduce((sum, { prefix }) => sum + prefixSize(prefix), 0);
  const others = size === free ? '' : `, and other gateways take ${size - free} of them`;
  const [first] = pools;
  const names = pools.length === 1 && first ? `the pool ${first.text} has` : 'the pools have';
  report.error(
    spec.replicas,
    `${spec.replicas.value} replicas need as many addresses; ${names} ${size}${others}`,
    'Give a larger pool, or fewer replicas.',
  );
}

function checkAddressCount(gateways: readonly Gateway[], report: Report): void {
  let count = 0;
  for (const gateway of gateways) {
    count += gateway.replicas;
    if (count <= modelLimits.gatewayAddresses) continue;
    const at: Location = gateway.at ?? { file: '', line: 1, column: 1 };
    report.error(
      { at, path: 'spec.replicas' },
      `the gateways have ${count} addresses; at most ${modelLimits.gatewayAddresses} are possible`,
      'Give the gateways fewer replicas.',
    );
    return;
  }
}

function failureDetection(spec: GatewaySpec): FailureDetection | undefined {
  const written = spec.egressGatewayFailureDetection;
  if (written === undefined) return undefined;
  const { icmpProbe, httpProbe } = written;
  // 0 is Go's empty value: the operator fills the default in.
  const ms = (seconds: Located<number>, secondsDefault: number) =>
    (seconds.value || secondsDefault) * 1000;
  return {
    healthTimeoutMs: written.healthTimeoutDataStoreSeconds.value * 1000,
    icmp: icmpProbe && {
      targets: icmpProbe.ips?.value.map(({ value }) => value) ?? [],
      intervalMs: ms(icmpProbe.intervalSeconds, 5),
      timeoutMs: ms(icmpProbe.timeoutSeconds, 15),
    },
    http: httpProbe && {
      targets: httpProbe.urls?.value.map(({ value }) => value) ?? [],
      intervalMs: ms(httpProbe.intervalSeconds, 10),
      timeoutMs: ms(httpProbe.timeoutSeconds, 30),
    },
  };
}
