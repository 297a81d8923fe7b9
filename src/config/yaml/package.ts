// SPDX-License-Identifier: Apache-2.0
/**
 * The `yaml` package, loaded when a text first needs it: its seventy files take as long to load as two
 * hundred gateways to check, and plain manifests do without.
 */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';

const require = createRequire(import.meta.url);

export function yamlPackage(): typeof Yaml {
  return require('yaml') as typeof Yaml;
}
