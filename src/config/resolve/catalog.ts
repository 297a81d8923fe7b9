// SPDX-License-Identifier: Apache-2.0
/**
 * Documents → resources by kind: every document is read by its kind's shape, and every name is known
 * even when its document is broken, so that one mistake is not reported twice.
 */

import { nearestName } from '../../lib/nearest.ts';
import { kinds } from '../kind-table.ts';
import type { Kind, Resource } from '../kinds/kind.ts';
import { readResource } from '../kinds/kind.ts';
import { harmlessKinds, refusedKinds } from '../kinds/other-kinds.ts';
import type { Fields } from '../schema/shape.ts';
import { type Parsed, unreadable } from '../yaml/documents.ts';
import type { MapValue, Place, Report } from '../yaml/located.ts';
import { describeValue, formatLocation } from '../yaml/located.ts';

export interface Catalog {
  /** In the order of the documents. */
  of<F extends Fields>(kind: Kind<F>): readonly Resource<F>[];
  find<F extends Fields>(kind: Kind<F>, name: string): Resource<F> | undefined;
  /** Whether a name stands anywhere, be its document broken; true of all when one cannot be read. */
  isNamed(kind: Kind<Fields>, name: string): boolean;
  /** Whether every document of a kind was read without an error. */
  isWhole(kind: Kind<Fields>): boolean;
}

/** What is known of one kind. */
interface Shelf {
  readonly resources: Resource<Fields>[];
  /** The first of each name. */
  readonly named: Map<string, Resource<Fields>>;
  /** Also those of broken documents. */
  readonly names: Set<string>;
  /** By API group, namespace and name. */
  readonly firsts: Map<string, Place>;
}

function makeShelf(): Shelf {
  return { resources: [], named: new Map(), names: new Set(), firsts: new Map() };
}

/** @param documents - each is read when it comes, and not kept */
export function readCatalog(documents: Iterable<Parsed>, report: Report): Catalog {
  const shelves = new Map(kinds.map(({ kind }) => [kind, makeShelf()]));
  const brokenKinds = new Set<string>();
  let isIncomplete = false;
  for (const document of documents) {
    if (document === unreadable) {
      isIncomplete = true;
      continue;
    }
    const peeked = peekName(document.root);
    if (peeked === undefined) isIncomplete = true;
    else shelves.get(peeked.kind)?.names.add(peeked.name);
    const errorCount = report.errors.length;
    const kind = document.isBroken ? undefined : findKind(document.root, report);
    const resource = kind && readResource(kind, document.root, report);
    if (document.isBroken || report.errors.length > errorCount) brokenKinds.add(peeked?.kind ?? '');
    const shelf = kind && shelves.get(kind.kind);
    if (shelf === undefined || resource === undefined) continue;
    const key = `${groupOf(document.root)}/${resource.namespace ?? ''}/${resource.name}`;
    const first = resource.name === '' ? undefined : shelf.firsts.get(key);
    if (first !== undefined) {
      report.error(
        resource.nameAt,
        `${resource.kind} ${resource.name} is given twice, first at ${formatLocation(first.at)}`,
        'Remove or rename one of them.',
      );
      continue;
    }
    shelf.firsts.set(key, resource.nameAt);
    shelf.resources.push(resource);
    if (!shelf.named.has(resource.name)) shelf.named.set(resource.name, resource);
  }
  return {
    of: <F extends Fields>(kind: Kind<F>) =>
      (shelves.get(kind.kind)?.resources ?? []) as unknown as readonly Resource<F>[],
    find: <F extends Fields>(kind: Kind<F>, name: string) =>
      shelves.get(kind.kind)?.named.get(name) as unknown as Resource<F> | undefined,
    isWhole: (kind) => !isIncomplete && !brokenKinds.has(kind.kind),
    isNamed: (kind, name) => isIncomplete || shelves.get(kind.kind)?.names.has(name) === true,
  };
}

/** A Node may stand twice, as Calico's and as Kubernetes' own; crd. is only another door. */
function groupOf(root: MapValue): string {
  const version = root.entries.get('apiVersion')?.value;
  const text = version?.kind === 'scalar' ? version.text : '';
  return text.replace(/^crd\./, '').replace(/\/?v\d+$/, '');
}

/** Kind and name, without a check. */
function peekName(root: MapValue): { kind: string; name: string } | undefined {
  const kind = root.entries.get('kind')?.value;
  const metadata = root.entries.get('metadata')?.value;
  const name = metadata?.kind === 'map' ? metadata.entries.get('name')?.value : undefined;
  if (kind?.kind !== 'scalar' || name?.kind !== 'scalar') return undefined;
  return { kind: kind.text, name: name.text };
}

const kindsByName = new Map(kinds.map((kind) => [kind.kind, kind]));

/** @returns undefined for a kind that is not ours; noted or reported */
function findKind(root: MapValue, report: Report): Kind<Fields> | undefined {
  const entry = root.entries.get('kind');
  const place = { at: entry?.value.at ?? root.at, path: 'kind' };
  const value = entry?.value;
  if (value === undefined || (value.kind === 'scalar' && value.value === null)) {
    report.error(
      place,
      'the field is required',
      `Kinds: ${kinds.map(({ kind }) => kind).join(', ')}.`,
    );
    return undefined;
  }
  const name = value.kind === 'scalar' ? value.text : '';
  const kind = kindsByName.get(name);
  if (kind !== undefined) return kind;
  const refused = refusedKinds.get(name);
  if (refused !== undefined) {
    report.error(place, `${name} is not supported: ${refused}`, 'Leave the document out.');
    return undefined;
  }
  if (harmlessKinds.has(name)) {
    report.note(place.at, `${name} has no effect here`);
    return undefined;
  }
  const near = nearestName(
    name,
    kinds.map((known) => known.kind),
  );
  report.error(
    place,
    `there is no kind ${describeValue(value)}`,
    near === undefined ? 'docs/resources.md lists the kinds.' : `Did you mean ${near}?`,
  );
  return undefined;
}
