// SPDX-License-Identifier: Apache-2.0
/**
 * `egret why`: the data plane's own decision for a client's first packet, put into words, with every
 * candidate route and the step that lost.
 */
import { dropMeanings } from '../dataplane/abi.gen.ts';
import type { Decision } from '../dataplane/dataplane.ts';
import { EgretError } from '../lib/errors.ts';
import { gatewayKey } from '../model/gateway-key.ts';
import type { Model, PolicyRule } from '../model/model.ts';
import { formatIpv4, formatIpv4Prefix, type Ipv4, parseIpv4 } from '../net/ipv4.ts';
import type { LiveParts } from './parts.ts';
import { type RouteRow, routeRows } from './views/route.ts';
import type { WhyReport, WhyStep } from './why-report.ts';

/**
 * Nothing is changed by asking.
 *
 * @throws EgretError USAGE when one of them is no IPv4 address
 */
export function explain(parts: LiveParts, clientText: string, destinationText: string): WhyReport {
  const client = parseIpv4(clientText);
  const destination = parseIpv4(destinationText);
  if (client === undefined || destination === undefined) {
    throw new EgretError('USAGE', { what: 'why takes two IPv4 addresses' });
  }
  if (isForKernel(parts, destination)) {
    const found = `${formatIpv4(destination)} is the box's own, a broadcast or a multicast address`;
    return leftToKernel(client, destination, found);
  }
  const decision = parts.dataPlane.why(client, destination);
  const steps: WhyStep[] = [];
  const step = (name: string, found: string): void => {
    steps.push({ step: name, found });
  };

  const route = parts.ribs.get(undefined)?.longestMatch(client);
  step(
    'way in',
    route
      ? `${formatIpv4Prefix(route)} by ${route.nextHops.map((hop) => hop.interface).join(', ')}`
      : 'the main table has no route to the client',
  );
  explainClient(parts.model, decision, step);
  const rule = ruleAt(parts.model, decision.rule);
  if (rule) step('rule', describeRule(rule));
  const gateway = explainGateway(parts, decision, step);
  const network = networkOf(parts, decision, gateway !== undefined);
  const routes = explainRoute(parts, network.candidates, destination, decision, step);
  if (decision.drop) step('dropped', `${decision.drop}: ${dropMeanings[decision.drop]}`);
  return {
    client: formatIpv4(client),
    destination: formatIpv4(destination),
    verdict: decision.drop ? 'dropped' : 'forwarded',
    drop: decision.drop ?? null,
    outside: decision.outsideAddress === undefined ? null : formatIpv4(decision.outsideAddress),
    network: network.name ?? null,
    steps,
    routes,
  };
}

/** As stage parse leaves it to the kernel, which answers, or drops by the guard. */
function isForKernel({ localAddresses }: LiveParts, destination: Ipv4): boolean {
  const isGroup = destination >>> 28 === 14 || destination === 0xffffffff;
  return isGroup || localAddresses.includes(destination);
}

function leftToKernel(client: Ipv4, destination: Ipv4, found: string): WhyReport {
  return {
    client: formatIpv4(client),
    destination: formatIpv4(destination),
    verdict: 'kernel',
    drop: null,
    outside: null,
    network: null,
    steps: [{ step: 'kernel', found }],
    routes: [],
  };
}

type Step = (name: string, found: string) => void;

function explainClient(model: Model, decision: Decision, step: Step): void {
  const client = decision.client === undefined ? undefined : model.clients[decision.client];
  if (!client) {
    // Some packets are dropped before their client is looked up.
    if (decision.drop === 'not_a_client') step('client', 'none has this source');
    return;
  }
  const name = client.namespace === undefined ? client.name : `${client.namespace}/${client.name}`;
  step('client', `${client.kind} ${name} ${client.prefixes.map(formatIpv4Prefix).join(' ')}`);
  const exists = model.policies.some((policy) => policy.name === client.policy);
  step('policy', `${client.policy ?? '-'}${exists ? '' : ' (does not exist)'}`);
}

/** Rules are numbered through all policies, in order. */
function ruleAt(model: Model, index: number | undefined): PolicyRule | undefined {
  if (index === undefined) return undefined;
  return model.policies.flatMap((policy) => policy.rules)[index];
}

function describeRule(rule: PolicyRule): string {
  const destination = formatIpv4Prefix(rule.destination);
  if (rule.action.kind === 'main') return `${destination}: the main table, without translation`;
  const { gateways, maxNextHops } = rule.action;
  const limit = maxNextHops > 0 ? `, at most ${maxNextHops} of their addresses` : '';
  return `${destination}: ${gateways.length > 0 ? gateways.join(', ') : 'no gateway matches'}${limit}`;
}

function explainGateway(parts: LiveParts, decision: Decision, step: Step): string | undefined {
  const address = decision.outsideAddress;
  if (address === undefined) {
    const rule = ruleAt(parts.model, decision.rule);
    if (rule?.action.kind !== 'gateway') return undefined;
    for (const key of rule.action.gateways) {
      step(
        'gateway',
        `${key} is not ready: ${parts.gatewayReadiness.get(key)?.reason ?? 'starting'}`,
      );
    }
    return undefined;
  }
  const gateway = parts.model.gateways.find((candidate) =>
    parts.assignment.get(gatewayKey(candidate))?.includes(address),
  );
  const key = gateway ? gatewayKey(gateway) : '?';
  step('gateway', `${key}, address ${formatIpv4(address)}`);
  return key;
}

/** The network that the decision used, and all that the gateway may use. */
function networkOf(
  parts: LiveParts,
  decision: Decision,
  hasGateway: boolean,
): { name: string | undefined; candidates: readonly (string | undefined)[] } {
  const used = parts.model.networks.find(
    (network) => parts.dataPlane.networkSlot(network.routeTableIndex) === decision.network,
  );
  if (!hasGateway) {
    const isMain = ruleAt(parts.model, decision.rule)?.action.kind === 'main';
    return { name: undefined, candidates: isMain ? [undefined] : [] };
  }
  const gateway = parts.model.gateways.find((candidate) =>
    parts.assignment.get(gatewayKey(candidate))?.includes(decision.outsideAddress!),
  );
  const names = gateway?.networks ?? [];
  return { name: used?.name, candidates: names.length > 0 ? names : [undefined] };
}

function explainRoute(
  parts: LiveParts,
  networks: readonly (string | undefined)[],
  destination: Ipv4,
  decision: Decision,
  step: Step,
): RouteRow[] {
  const rows: RouteRow[] = [];
  for (const network of networks) {
    const rib = parts.ribs.get(network);
    const route = rib?.longestMatch(destination);
    step(
      'network',
      `${network ?? 'main table'}: ${route ? formatIpv4Prefix(route) : 'no route to the destination'}`,
    );
    if (rib && route) rows.push(...routeRows({ network, rib }, route, false));
  }
  if (decision.portSlot !== undefined) {
    const port = parts.ports.find(
      (row) => parts.dataPlane.portSlot(row.name) === decision.portSlot,
    );
    const hop = decision.nextHop === undefined ? 'on the link' : formatIpv4(decision.nextHop);
    step('next hop', `${hop} by ${port?.name ?? 'an interface that is no port'}`);
  }
  return rows;
}
