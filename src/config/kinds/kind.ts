// SPDX-License-Identifier: Apache-2.0
/**
 * What every kind of resource has: apiVersion, kind, metadata, and fields of its own.
 */
import { labels } from '../schema/labels.ts';
import type { Fields, Read, Shape, TextMap } from '../schema/shape.ts';
import { ignored, mapping, optional, required, texts } from '../schema/shape.ts';
import { resourceName } from '../schema/shape-scalars.ts';
import type { MapValue, Place, Report } from '../yaml/located.ts';
import { describeValue } from '../yaml/located.ts';

export interface Kind<F extends Fields> {
  readonly kind: string;
  /** The first is the one to write. */
  readonly apiVersions: readonly string[];
  readonly isNamespaced: boolean;
  /** One or two sentences for the reference page. */
  readonly says: string;
  /** In addition to apiVersion, kind and metadata. */
  readonly fields: F;
  /** Rules over several fields of one resource. */
  check?(resource: Resource<F>, report: Report): void;
  /** Of a whole document. */
  readonly shape: Shape<Document<F>>;
}

type Document<F extends Fields> = Read<F> & {
  readonly metadata: Read<typeof metadataFields> | undefined;
};

/** A resource that was read. Broken fields are absent, and reported. */
export interface Resource<F extends Fields> extends Place {
  readonly kind: string;
  /** Empty when it is missing or broken (reported): what else is wrong is to be found all the same. */
  readonly name: string;
  readonly nameAt: Place;
  /** undefined for a kind of the whole cluster. */
  readonly namespace: string | undefined;
  readonly labels: TextMap | undefined;
  readonly annotations: TextMap | undefined;
  readonly fields: Read<F>;
}

export function defineKind<F extends Fields>(kind: Omit<Kind<F>, 'shape'>): Kind<F> {
  const shape = mapping(kind.kind, {
    ...kind.fields,
    apiVersion: ignored('', 'silent'),
    kind: ignored('', 'silent'),
    status: kind.fields['status'] ?? ignored('of the cluster', 'silent'),
    metadata: required(mapping('metadata', metadataFields), 'Name, labels and annotations'),
  });
  return { ...kind, shape: shape as unknown as Shape<Document<F>> };
}

/** Of the Calico kinds. */
export const calicoVersions = ['projectcalico.org/v3', 'crd.projectcalico.org/v1'] as const;

const metadataFields = {
  name: required(resourceName, 'Name of the resource'),
  namespace: optional(resourceName, 'Namespace, for kinds that have one; default when absent'),
  labels: optional(labels, 'What selectors look at'),
  annotations: optional(texts('annotations'), 'What clients ask for'),
  generateName: ignored('of the cluster', 'silent'),
  uid: ignored('of the cluster', 'silent'),
  resourceVersion: ignored('of the cluster', 'silent'),
  generation: ignored('of the cluster', 'silent'),
  creationTimestamp: ignored('of the cluster', 'silent'),
  deletionTimestamp: ignored('of the cluster', 'silent'),
  deletionGracePeriodSeconds: ignored('of the cluster', 'silent'),
  managedFields: ignored('of the cluster', 'silent'),
  ownerReferences: ignored('of the cluster', 'silent'),
  finalizers: ignored('of the cluster', 'silent'),
  selfLink: ignored('of the cluster', 'silent'),
} as const;

/** Reads a document of a kind, also when its name is broken. @returns undefined when it is no mapping */
export function readResource<F extends Fields>(
  kind: Kind<F>,
  root: MapValue,
  report: Report,
): Resource<F> | undefined {
  checkVersion(kind, root, report);
  const read = kind.shape.read(root, '', report);
  const metadata = read?.metadata;
  if (read === undefined) return undefined;
  if (metadata?.namespace !== undefined && !kind.isNamespaced) {
    report.note(
      metadata.namespace.at,
      `${kind.kind} has no namespace; metadata.namespace is ignored`,
    );
  }
  const resource: Resource<F> = {
    kind: kind.kind,
    name: metadata?.name?.value ?? '',
    nameAt: { at: metadata?.name?.at ?? root.at, path: 'metadata.name' },
    namespace: kind.isNamespaced ? (metadata?.namespace?.value ?? 'default') : undefined,
    labels: metadata?.labels,
    annotations: metadata?.annotations,
    fields: read,
    at: root.at,
    path: '',
  };
  kind.check?.(resource, report);
  return resource;
}

function checkVersion(kind: Kind<Fields>, root: MapValue, report: Report): void {
  const version = root.entries.get('apiVersion');
  if (version === undefined) {
    report.error(
      { at: root.at, path: 'apiVersion' },
      'the field is required',
      `For ${kind.kind} it is ${kind.apiVersions[0]}.`,
    );
    return;
  }
  const { value } = version;
  if (value.kind === 'scalar' && kind.apiVersions.includes(value.text)) return;
  report.error(
    { at: value.at, path: 'apiVersion' },
    `must be ${kind.apiVersions.join(' or ')} for ${kind.kind}, not ${describeValue(value)}`,
    `Write apiVersion: ${kind.apiVersions[0]}.`,
  );
}

/** Two fields that exclude each other, as a rule of the API. */
export function refuseBoth(
  first: Place | undefined,
  second: Place | undefined,
  report: Report,
  hint = 'Leave one of them out.',
): void {
  if (first === undefined || second === undefined) return;
  report.error(second, `may not be given together with ${first.path}`, hint);
}
