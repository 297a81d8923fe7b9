// SPDX-License-Identifier: Apache-2.0
/**
 * Pod, NetworkSet, GlobalNetworkSet and Namespace → clients, and the policies that they name.
 *
 * Whose annotation counts: with EnabledPerNamespace the Namespace's alone; with
 * EnabledPerNamespaceOrPerPod the object's own before its Namespace's. A namespace exists when
 * anything names it. A selector alone means gateways of the client's namespace.
 */
import type { Client, Features, Policy, PolicyRule } from '../../model/model.ts';
import { formatIpv4Prefix, type Ipv4Prefix } from '../../net/ipv4.ts';
import {
  type EgressRequest,
  egressRequest,
  globalNetworkSetKind,
  namespaceKind,
  networkSetKind,
  podKind,
} from '../kinds/clients.ts';
import { egressGatewayPolicyKind } from '../kinds/egress-gateway-policy.ts';
import type { TextMap } from '../schema/shape.ts';
import type { Cidr } from '../schema/shape-scalars.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { formatLocation } from '../yaml/located.ts';
import type { Catalog } from './catalog.ts';
import type { ResolvedGateways } from './gateways.ts';
import { checkAddressCount, policyRules, type SelectGateways, selectGateways } from './policies.ts';

export interface ResolvedClients {
  readonly clients: readonly Client[];
  readonly policies: readonly Policy[];
}

/** A client before its policy is known. */
interface Candidate {
  readonly kind: Client['kind'];
  readonly name: string;
  readonly nameAt: Place;
  readonly namespace: string | undefined;
  readonly annotations: TextMap | undefined;
  readonly nets: readonly Located<Cidr>[];
}

export function resolveClients(
  catalog: Catalog,
  features: Features,
  gateways: ResolvedGateways,
  report: Report,
): ResolvedClients {
  const candidates = clientCandidates(catalog, report);
  const select = selectGateways(catalog, gateways, new Set(candidates.map(namespaceOf)));
  const namedRules = new Map<string, PolicyRule[]>();
  for (const policy of catalog.of(egressGatewayPolicyKind)) {
    namedRules.set(policy.name, policyRules(policy, select, report));
  }
  const policies = new Map<string, Policy>();
  const owners = new Map<string, Place & { readonly client: string }>();
  const clients: Client[] = [];
  for (const candidate of candidates) {
    const request = requestOf(candidate, catalog, features, report);
    const { kind, name, namespace } = candidate;
    const policy = request && resolvePolicy(request, namespace, namedRules, select, report);
    if (policy && policy.rules !== undefined) {
      policies.set(policy.name, { name: policy.name, rules: policy.rules });
    } else if (
      request?.policy &&
      policy &&
      !catalog.isNamed(egressGatewayPolicyKind, policy.name)
    ) {
      report.note(
        request.policy.at,
        `The EgressGatewayPolicy ${policy.name} does not exist: its clients are blocked`,
      );
    }
    const prefixes = ownPrefixes(candidate, owners, report);
    clients.push({ kind, namespace, name, prefixes, policy: policy?.name });
  }
  return { clients, policies: [...policies.values()] };
}

function namespaceOf({ namespace }: Candidate): string {
  return namespace ?? 'default';
}

function clientCandidates(catalog: Catalog, report: Report): Candidate[] {
  const candidates: Candidate[] = [];
  for (const pod of catalog.of(podKind)) {
    const { spec, status } = pod.fields;
    const phase = status?.phase?.value;
    if (spec?.hostNetwork?.value) {
      report.note(pod.nameAt.at, `Pod ${pod.name} has the address of its node: no client`);
      continue;
    }
    if (phase === 'Succeeded' || phase === 'Failed') continue;
    const listed = status?.podIPs?.value.flatMap(({ ip }) => (ip ? [ip] : [])) ?? [];
    const nets = listed.length > 0 ? listed : status?.podIP ? [status.podIP] : [];
    if (nets.length === 0) {
      report.note(pod.nameAt.at, `Pod ${pod.name} has no address in status.podIPs yet`);
    }
    candidates.push(candidateOf('Pod', pod, nets));
  }
  for (const set of catalog.of(networkSetKind)) {
    candidates.push(candidateOf('NetworkSet', set, set.fields.spec.nets?.value ?? []));
  }
  for (const set of catalog.of(globalNetworkSetKind)) {
    candidates.push(candidateOf('GlobalNetworkSet', set, set.fields.spec.nets?.value ?? []));
  }
  return candidates;
}

function candidateOf(
  kind: Client['kind'],
  { name, nameAt, namespace, annotations }: Omit<Candidate, 'kind' | 'nets'>,
  nets: readonly Located<Cidr>[],
): Candidate {
  return { kind, name, nameAt, namespace, annotations, nets };
}

/** IPv4 prefixes that no other client owns. */
function ownPrefixes(
  { kind, name, namespace, nets }: Candidate,
  owners: Map<string, Place & { readonly client: string }>,
  report: Report,
): Ipv4Prefix[] {
  const client = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const prefixes: Ipv4Prefix[] = [];
  for (const net of nets) {
    if (net.value.family === 6) {
      report.note(net.at, `${client}: ${net.value.text} is IPv6 and is left out`);
      continue;
    }
    const { prefix } = net.value;
    const key = formatIpv4Prefix(prefix);
    const owner = owners.get(key);
    if (owner === undefined) {
      owners.set(key, { ...net, client });
      prefixes.push(prefix);
    } else if (owner.client !== client) {
      report.error(
        net,
        `${key} belongs to ${owner.client} already, at ${formatLocation(owner.at)}`,
        'A source address may have one owner; a longer prefix would win.',
      );
    }
  }
  return prefixes;
}

/** What the annotations ask for: the object's own, or its Namespace's. */
function requestOf(
  candidate: Candidate,
  catalog: Catalog,
  { egressIpSupport }: Features,
  report: Report,
): EgressRequest | undefined {
  if (egressIpSupport === 'Disabled') return undefined;
  const own = egressRequest(candidate.annotations);
  if (own && egressIpSupport === 'EnabledPerNamespaceOrPerPod') return own;
  if (own) {
    report.note(
      candidate.nameAt.at,
      `egressIPSupport is EnabledPerNamespace: the annotations of ${candidate.kind} ${candidate.name} do not count`,
    );
  }
  if (candidate.namespace === undefined) return undefined;
  return egressRequest(catalog.find(namespaceKind, candidate.namespace)?.annotations);
}

/** @returns the name; rules are undefined when there is no such policy */
function resolvePolicy(
  request: EgressRequest,
  namespace: string | undefined,
  namedRules: ReadonlyMap<string, readonly PolicyRule[]>,
  select: SelectGateways,
  report: Report,
): { readonly name: string; readonly rules: readonly PolicyRule[] | undefined } | undefined {
  if (request.policy) {
    return { name: request.policy.value, rules: namedRules.get(request.policy.value) };
  }
  const { selector, namespaceSelector, maxNextHops } = request;
  if (selector === undefined) return undefined;
  const selected = select(selector.value, namespaceSelector?.value ?? namespace);
  const { here, elsewhere } = selected;
  checkAddressCount(selector, selected, report);
  const where = namespaceSelector
    ? ` in namespaces ${namespaceSelector.value.text}`
    : namespace === undefined
      ? ''
      : ` in namespace ${namespace}`;
  const limit = maxNextHops > 0 ? `, ${maxNextHops} at most` : '';
  const name = `{${selector.value.text}${where}${limit}}`;
  if (here.length === 0) {
    const reason = elsewhere.length > 0 ? `only gateways elsewhere` : 'no gateway';
    report.note(selector.at, `${name} selects ${reason}: its clients are blocked`);
  }
  const everywhere = { address: 0, length: 0 };
  const action = { kind: 'gateway', gateways: here, maxNextHops } as const;
  return { name, rules: [{ destination: everywhere, description: undefined, action }] };
}
