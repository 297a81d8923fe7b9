// SPDX-License-Identifier: Apache-2.0
/**
 * The kinds that have clients: Namespace, Pod, NetworkSet, GlobalNetworkSet. What they ask for
 * stands in annotations.
 */

import { nearestName } from '../../lib/nearest.ts';
import type { TextMap } from '../schema/shape.ts';
import { ignored, list, mapping, optional, partOf, section } from '../schema/shape.ts';
import {
  anyText,
  boolean,
  host,
  judgeSelector,
  net,
  type SelectorText,
} from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';
import { quote } from '../yaml/located.ts';
import { calicoVersions, defineKind } from './kind.ts';

const cluster = 'of the cluster';

export const namespaceKind = defineKind({
  kind: 'Namespace',
  apiVersions: ['v1'],
  isNamespaced: false,
  says: 'Its annotations are for all its Pods and NetworkSets; its labels for namespaceSelectors.',
  fields: { spec: ignored(cluster, 'silent') },
  check: ({ annotations }, report) => checkAnnotations(annotations, report),
});

const podSpec = partOf('Pod.spec', {
  hostNetwork: optional(boolean, 'A Pod with the address of its node is no client'),
});

const podStatus = partOf('Pod.status', {
  podIPs: optional(list(mapping('podIPs[]', { ip: optional(host, 'An address') })), 'Addresses'),
  podIP: optional(host, 'Address, when podIPs is absent'),
  phase: optional(anyText, 'Succeeded and Failed have given their addresses back'),
});

export const podKind = defineKind({
  kind: 'Pod',
  apiVersions: ['v1'],
  isNamespaced: true,
  says: 'A client: the addresses in status.podIPs. The rest of a Pod is not looked at.',
  fields: {
    spec: optional(podSpec, 'The Pod'),
    status: optional(podStatus, 'Its state'),
  },
  check: ({ annotations }, report) => checkAnnotations(annotations, report),
});

const netsSpec = (owner: string) =>
  section(
    mapping(`${owner}.spec`, {
      nets: optional(list(net), 'Prefixes and addresses of the clients'),
      allowedEgressDomains: ignored('of policies'),
    }),
    'The clients',
  );

export const networkSetKind = defineKind({
  kind: 'NetworkSet',
  apiVersions: calicoVersions,
  isNamespaced: true,
  says: "Clients that are no Pods. Its own annotations count as a Pod's.",
  fields: { spec: netsSpec('NetworkSet') },
  check: ({ annotations }, report) => checkAnnotations(annotations, report),
});

export const globalNetworkSetKind = defineKind({
  kind: 'GlobalNetworkSet',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'As NetworkSet, in no namespace: a missing namespaceSelector selects all.',
  fields: { spec: netsSpec('GlobalNetworkSet') },
  check: ({ annotations }, report) => checkAnnotations(annotations, report),
});

const area = 'egress.projectcalico.org/';

const annotationNames = {
  selector: `${area}selector`,
  namespaceSelector: `${area}namespaceSelector`,
  policy: `${area}egressGatewayPolicy`,
  maxNextHops: `${area}maxNextHops`,
} as const;

/** Written by Calico itself. */
const otherAnnotations = [
  `${area}gatewayMaintenanceGatewayIP`,
  `${area}gatewayMaintenanceStartedTimestamp`,
  `${area}gatewayMaintenanceFinishedTimestamp`,
  `${area}externalNetworkNames`,
];

const knownAnnotations: readonly string[] = [
  ...Object.values(annotationNames),
  ...otherAnnotations,
];

/** What one object asks for; undefined parts are absent or broken. */
export interface EgressRequest {
  readonly selector: Located<SelectorText> | undefined;
  readonly namespaceSelector: Located<SelectorText> | undefined;
  readonly policy: Located<string> | undefined;
  readonly maxNextHops: number;
}

/** @returns undefined when the annotations ask for no gateway */
export function egressRequest(annotations: TextMap | undefined): EgressRequest | undefined {
  const find = (name: string): Located<string> | undefined => {
    const found = annotations?.entries.get(name);
    return found && found.value.trim() !== '' ? found : undefined;
  };
  const findSelector = (name: string): Located<SelectorText> | undefined => {
    const found = find(name);
    const judged = found && judgeAnnotation(found.value);
    return found && judged && 'value' in judged ? { ...found, value: judged.value } : undefined;
  };
  const request = {
    selector: findSelector(annotationNames.selector),
    namespaceSelector: findSelector(annotationNames.namespaceSelector),
    policy: find(annotationNames.policy),
    maxNextHops: Number(find(annotationNames.maxNextHops)?.value ?? 0),
  };
  return request.selector || request.policy ? request : undefined;
}

type Judgement = ReturnType<typeof judgeSelector>;

/** Ten thousand Pods have the same few selectors. Kept across readings, so there is an upper limit. */
const judgements = new Map<string, Judgement>();
const judgementsMax = 1000;

function judgeAnnotation(text: string): Judgement {
  const known = judgements.get(text);
  if (known !== undefined) return known;
  if (judgements.size >= judgementsMax) judgements.clear();
  const judged = judgeSelector(text);
  judgements.set(text, judged);
  return judged;
}

function checkAnnotations(annotations: TextMap | undefined, report: Report): void {
  if (annotations === undefined) return;
  for (const [name, one] of annotations.entries) {
    if (!name.startsWith(area) || knownAnnotations.includes(name)) continue;
    const near = nearestName(name, knownAnnotations);
    const key = { at: one.keyAt, path: one.path };
    const hint = near === undefined ? 'docs/resources.md lists them.' : `Did you mean ${near}?`;
    report.error(key, 'there is no such annotation', hint);
  }
  const find = (name: keyof typeof annotationNames) => {
    const found = annotations.entries.get(annotationNames[name]);
    return found && found.value.trim() !== '' ? found : undefined;
  };
  const selector = find('selector');
  for (const one of [selector, find('namespaceSelector')]) {
    const judged = one && judgeAnnotation(one.value);
    if (one && judged && 'problem' in judged) report.error(one, judged.problem, judged.hint);
  }
  const policy = find('policy');
  const maxNextHops = find('maxNextHops');
  for (const one of [find('namespaceSelector'), maxNextHops]) {
    if (one && !selector)
      report.error(
        one,
        `needs ${annotationNames.selector}, too`,
        'Only the selector makes it a client of a gateway.',
      );
  }
  if (policy && selector) {
    report.error(
      policy,
      `may not be given together with ${annotationNames.selector}`,
      'A policy chooses the gateways itself.',
    );
  }
  if (maxNextHops && !/^\d{1,9}$/.test(maxNextHops.value)) {
    report.error(
      maxNextHops,
      `must be a number from 0, not ${quote(maxNextHops.value)}`,
      '"0" means all addresses.',
    );
  }
}
