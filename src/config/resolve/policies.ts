// SPDX-License-Identifier: Apache-2.0
/** EgressGatewayPolicy → rules, longest prefix first, with the gateways that each may use. */
import { modelLimits } from '../../model/limits.ts';
import type { PolicyRule } from '../../model/model.ts';
import { namespaceKind } from '../kinds/clients.ts';
import { egressGatewayKind } from '../kinds/egress-gateway.ts';
import type { egressGatewayPolicyKind } from '../kinds/egress-gateway-policy.ts';
import type { Resource } from '../kinds/kind.ts';
import { type Labels, selects } from '../schema/selector.ts';
import { textsOf } from '../schema/shape.ts';
import type { SelectorText } from '../schema/shape-scalars.ts';
import type { Place, Report } from '../yaml/located.ts';
import type { Catalog } from './catalog.ts';
import type { ResolvedGateways } from './gateways.ts';

/** "namespace/name" of gateways, of this box and of others. */
export interface SelectedGateways {
  readonly here: readonly string[];
  readonly elsewhere: readonly string[];
  /** Addresses of those of this box. */
  readonly addressCount: number;
  /** A gateway could not be read, so that none may be missed. */
  readonly isIncomplete: boolean;
}

/**
 * @param namespaces - a selector of namespaces, the name of one, or undefined: all
 */
export type SelectGateways = (
  gateways: SelectorText,
  namespaces: SelectorText | string | undefined,
) => SelectedGateways;

/** @param namespaceNames - namespaces that clients stand in */
export function selectGateways(
  catalog: Catalog,
  { candidates }: ResolvedGateways,
  namespaceNames: ReadonlySet<string>,
): SelectGateways {
  const labelsOf = new Map<string, Labels>();
  const names = new Set([...namespaceNames, ...candidates.map(({ namespace }) => namespace)]);
  for (const { name } of catalog.of(namespaceKind)) names.add(name);
  for (const name of names) {
    labelsOf.set(
      name,
      new Map([
        ...textsOf(catalog.find(namespaceKind, name)?.labels),
        ['projectcalico.org/name', name],
        ['kubernetes.io/metadata.name', name],
      ]),
    );
  }
  const isIncomplete = !catalog.isWhole(egressGatewayKind);
  const select: SelectGateways = (gateways, namespaces) => {
    const isMeant = (namespace: string): boolean => {
      if (namespaces === undefined) return true;
      if (typeof namespaces === 'string') return namespace === namespaces;
      return selects(namespaces.selector, labelsOf.get(namespace) ?? new Map(), true);
    };
    const matched = candidates.filter(
      ({ namespace, labels }) => isMeant(namespace) && selects(gateways.selector, labels),
    );
    const matchedHere = matched.filter(({ isHere }) => isHere);
    const nameOf = (one: (typeof matched)[number]) => `${one.namespace}/${one.name}`;
    return {
      here: matchedHere.map(nameOf),
      elsewhere: matched.filter(({ isHere }) => !isHere).map(nameOf),
      addressCount: matchedHere.reduce((sum, { replicas }) => sum + replicas, 0),
      isIncomplete,
    };
  };
  // Ten thousand Pods ask for the same few.
  const known = new Map<string | undefined, Map<string, SelectedGateways>>();
  return (gateways, namespaces) => {
    // No name has a blank, so none is taken for a selector.
    const where = typeof namespaces === 'object' ? `in ${namespaces.text}` : namespaces;
    const there = known.get(where) ?? new Map<string, SelectedGateways>();
    known.set(where, there);
    const selected = there.get(gateways.text) ?? select(gateways, namespaces);
    there.set(gateways.text, selected);
    return selected;
  };
}

/** Reports a selector of more addresses than one rule has room for. */
export function checkAddressCount(place: Place, selected: SelectedGateways, report: Report): void {
  const { addressCount } = selected;
  if (addressCount <= modelLimits.ruleAddresses) return;
  report.error(
    place,
    `selects gateways with ${addressCount} addresses; at most ${modelLimits.ruleAddresses} are possible`,
    'Select fewer gateways, or give them fewer replicas.',
  );
}

export function policyRules(
  policy: Resource<(typeof egressGatewayPolicyKind)['fields']>,
  select: SelectGateways,
  report: Report,
): PolicyRule[] {
  const rules: PolicyRule[] = [];
  for (const rule of policy.fields.spec?.rules?.value ?? []) {
    const cidr = rule.destination?.cidr;
    if (cidr?.value.family === 6) {
      report.note(cidr.at, `${policy.name}: the IPv6 destination ${cidr.value.text} is left out`);
      continue;
    }
    const destination = cidr?.value.prefix ?? { address: 0, length: 0 };
    const description = rule.description?.value;
    const { gateway } = rule;
    if (gateway === undefined) {
      rules.push({ destination, description, action: { kind: 'main' } });
      continue;
    }
    if (gateway.selector === undefined || gateway.namespaceSelector === undefined) continue;
    const selected = select(gateway.selector.value, gateway.namespaceSelector.value);
    const { here, elsewhere, isIncomplete } = selected;
    checkAddressCount(gateway.selector, selected, report);
    const isEmpty = [gateway.selector, gateway.namespaceSelector].some(
      ({ value }) => value.text.trim() === '',
    );
    if (here.length === 0 && elsewhere.length === 0 && !isIncomplete && !isEmpty) {
      report.error(
        gateway.selector,
        `the policy names no gateway: ${gateway.selector.value.text} selects none in namespaces ${gateway.namespaceSelector.value.text}`,
        'Compare it with template.metadata.labels of the EgressGateways.',
      );
    } else if (here.length === 0) {
      report.note(
        gateway.selector.at,
        `${policy.name}: ${gateway.selector.value.text} selects only gateways elsewhere: blocked here`,
      );
    }
    rules.push({
      destination,
      description,
      action: { kind: 'gateway', gateways: here, maxNextHops: gateway.maxNextHops?.value ?? 0 },
    });
  }
  return rules.sort((a, b) => b.destination.length - a.destination.length);
}
