import { defineConfig } from 'vitest/config';

// The tests under test/interop and test/appliance need root and namespaces; tap runs them.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/interop/**', 'test/appliance/**', 'node_modules/**', 'build/**'],
    testTimeout: 60_000,
    maxWorkers: 2,
    isolate: false,
  },
});
