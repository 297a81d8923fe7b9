// SPDX-License-Identifier: Apache-2.0
/**
 * This box among the Nodes: whom a nodeSelector means, the box's AS and address.
 *
 * Every Node document is this box, unless Appliance nodes picks some. A selector matches when it
 * matches any one of them; without Node documents every selector matches, with a note.
 */
import { parseAsn } from '../../net/asn.ts';
import { formatIpv4, type Ipv4 } from '../../net/ipv4.ts';
import { applianceKind } from '../kinds/appliance.ts';
import type { Resource } from '../kinds/kind.ts';
import { nodeKind, parseNodeAddress } from '../kinds/node.ts';
import { type Labels, type Selector, selects } from '../schema/selector.ts';
import { textsOf } from '../schema/shape.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { formatLocation } from '../yaml/located.ts';
import type { Catalog } from './catalog.ts';

export interface Box {
  /** undefined: no Node says it. */
  readonly asNumber: number | undefined;
  readonly routerId: Ipv4 | undefined;
  readonly address: Ipv4 | undefined;
  isNamed(node: string): boolean;
  isSelected(selector: Located<{ readonly selector: Selector }>): boolean;
  /** Whether one of the box's Nodes has all of these labels. */
  hasLabels(labels: Labels, place: Place): boolean;
}

type Node = Resource<(typeof nodeKind)['fields']>;

export function resolveBox(catalog: Catalog, report: Report): Box {
  const nodes = pickNodes(catalog, report);
  const labelsOfNodes = nodes.map(nodeLabels);
  const hasNone = catalog.of(nodeKind).length === 0;
  const noteNone = (place: Place): true => {
    report.note(place.at, 'There is no Node: every nodeSelector matches this box');
    return true;
  };
  const asNumber = agreed(nodes, nodeAs, 'AS number', String, report);
  const address = agreed(nodes, nodeAddress, 'address', formatIpv4, report);
  return {
    asNumber,
    routerId: address,
    address: address ?? internalAddress(nodes),
    isNamed: (name) => hasNone || nodes.some((node) => node.name === name),
    isSelected(selector) {
      if (hasNone) return noteNone(selector);
      return labelsOfNodes.some((labels) => selects(selector.value.selector, labels));
    },
    hasLabels(wanted, place) {
      if (wanted.size === 0) return true;
      if (hasNone) return noteNone(place);
      return labelsOfNodes.some((labels) =>
        [...wanted].every(([name, value]) => labels.get(name) === value),
      );
    },
  };
}

function pickNodes(catalog: Catalog, report: Report): readonly Node[] {
  const all = catalog.of(nodeKind);
  const picked = catalog.of(applianceKind)[0]?.fields.spec.nodes;
  if (picked === undefined) return all;
  for (const name of picked.value) {
    if (catalog.isNamed(nodeKind, name.value)) continue;
    report.error(
      name,
      `the Node ${name.value} does not exist`,
      'Write its document, or leave it out.',
    );
  }
  const names = new Set(picked.value.map(({ value }) => value));
  return all.filter((node) => names.has(node.name));
}

/** What a kubelet would set is there without being written. */
function nodeLabels(node: Node): Labels {
  return new Map([
    ['kubernetes.io/hostname', node.name],
    ['kubernetes.io/os', 'linux'],
    ...textsOf(node.labels),
  ]);
}

function nodeAs(node: Node): Located<number> | undefined {
  const annotated = node.annotations?.entries.get('projectcalico.org/ASNumber');
  const value = annotated && parseAsn(annotated.value);
  return (
    node.fields.spec.bgp?.asNumber ?? (annotated && value ? { ...annotated, value } : undefined)
  );
}

function nodeAddress(node: Node): Located<Ipv4> | undefined {
  const written =
    node.fields.spec.bgp?.ipv4Address ??
    node.annotations?.entries.get('projectcalico.org/IPv4Address');
  const value = written && parseNodeAddress(written.value);
  return written && value !== undefined ? { ...written, value } : undefined;
}

/** InternalIP of the Kubernetes Nodes, when it is one. */
function internalAddress(nodes: readonly Node[]): Ipv4 | undefined {
  const found = new Set<Ipv4>();
  for (const node of nodes) {
    for (const { type, address } of node.fields.status?.addresses?.value ?? []) {
      const value =
        type?.value === 'InternalIP' ? parseNodeAddress(address?.value ?? '') : undefined;
      if (value !== undefined) found.add(value);
    }
  }
  return found.size === 1 ? [...found][0] : undefined;
}

function agreed<T>(
  nodes: readonly Node[],
  pick: (node: Node) => Located<T> | undefined,
  what: string,
  format: (value: T) => string,
  report: Report,
): T | undefined {
  let first: Located<T> | undefined;
  for (const node of nodes) {
    const value = pick(node);
    if (value === undefined) continue;
    first ??= value;
    if (value.value === first.value) continue;
    report.error(
      value,
      `the ${what} ${format(value.value)} is not the ${format(first.value)} of ${formatLocation(first.at)}`,
      'All Nodes of one box must agree; Appliance nodes picks those of this box.',
    );
  }
  return first?.value;
}
