// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resourcesPage } from './resources-page.ts';

it('docs/resources.md is what the shapes say', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/resources.md'), 'utf8');
  expect(page).toBe(resourcesPage());
});
