// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

// What needs root and namespaces is run by tap (Makefile: interop, appliance, scale).
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [
      ...['kernel', 'bgp', 'appliance', 'scale', 'image', 'debian'].map(
        (room) => `test/${room}/**`,
      ),
      'test/lab/laboratory.test.ts',
      'node_modules/**',
      'build/**',
    ],
    // A test ends on its events; these only end what hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    maxWorkers: 2,
    isolate: false,
  },
});
