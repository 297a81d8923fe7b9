// SPDX-License-Identifier: Apache-2.0
/**
 * Sizes, names, headers and habits of files (docs/style.md). Formatting and lint are biome's and
 * clang-format's (`make lint`).
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesBelow, isTidy, native, product, read, root, typescript, written } from './sources.ts';

describe('files', () => {
  test('have at most 400 lines; tests have at most 800', () => {
    const license = /^.*SPDX-License-Identifier.*\n\n?/m;
    const lines = (path: string): number => read(path).replace(license, '').split('\n').length - 1;
    const linesMax = (path: string): number => (/[._]test\.(ts|c)$/.test(path) ? 800 : 400);
    const long = written.filter((path) => lines(path) > linesMax(path));
    expect(long.map((path) => `${path}: ${lines(path)}`)).toEqual([]);
  });

  test('are named for what they are', () => {
    const vague = /(^|[/_-])(utils?|helpers?|common|misc|shared|index)(\.|_|-|\/|$)/;
    expect(
      typescript
        .concat(native)
        .filter((path) => vague.test(path) && !/^native\/(lib|test)\/index/.test(path)),
    ).toEqual([]);
    const kebab = /^([a-z0-9]+(-[a-z0-9]+)*\/?)+(\.(test|property\.test|gen))?\.ts$/;
    expect(typescript.filter((path) => !kebab.test(path))).toEqual([]);
    const snake = /^native\/([a-z]+\/)?[a-z0-9]+(_[a-z0-9]+)*\.[ch]$/;
    expect(native.filter((path) => !snake.test(path))).toEqual([]);
  });

  test('of src/ lie in a folder of the table, or in an inner room of it', () => {
    const rooms = [
      ...['appliance/egress', 'appliance/host', 'appliance/restart', 'appliance/vrf'],
      ...['bgp/connection', 'bgp/routes', 'bgp/wire'],
      ...['cli/commands', 'cli/editor', 'cli/shell'],
      ...['config/kinds', 'config/resolve', 'config/schema', 'config/yaml'],
      ...['status/trial', 'status/views'],
    ];
    const deep = product
      .map((path) => relative('src', dirname(path)))
      .filter((folder) => folder.includes('/'));
    expect([...new Set(deep)].sort()).toEqual(rooms);
  });

  test('begin with a comment that says what they are', () => {
    // A test is named for what it tests; a .c file may leave the word to its header.
    const leading = /^(#!.*\n|import [^;]*;\n|#(include|pragma) .*\n|\s*\n)*(\/\*\*|\/\/)/;
    const license = /^\/\/ SPDX-License-Identifier: .*\n/m;
    const isCommented = (path: string): boolean => leading.test(read(path).replace(license, ''));
    const bare = written.filter((path) => {
      const header = path.replace(/\.c$/, '.h');
      if (path.includes('.test.') || isCommented(path)) return false;
      return !(header !== path && existsSync(join(root, header)) && isCommented(header));
    });
    expect(bare).toEqual([]);
  });

  test('begin with their license, behind #! if there is one', () => {
    const licensedFolders = ['src', 'native', 'test', 'docs', 'scripts', 'images'];
    const paths = licensedFolders
      .flatMap(filesBelow)
      .filter((p) => /\.(ts|c|h|sh)$|\/[^.]+$/.test(p));
    const license = /^(#!.*\n)?(\/\/|#) SPDX-License-Identifier: Apache-2\.0\n/;
    expect(paths.length).toBeGreaterThan(3);
    expect(paths.filter((p) => !license.test(read(p)))).toEqual([]);
  });

  test('have no default export, no enum, no barrel', () => {
    const sources = typescript.filter((path) => !isTidy(path));
    expect(sources.filter((p) => /^export default /m.test(read(p)))).toEqual([]);
    expect(sources.filter((p) => /^(export )?(const )?enum /m.test(read(p)))).toEqual([]);
    expect(sources.filter((p) => /^export \* from /m.test(read(p)))).toEqual([]);
  });

  test('promise nothing without an issue', () => {
    const promise = /\b(TODO|XXX|FIXME)\b(?!.*#\d+)/;
    const sources = written.filter((path) => !isTidy(path));
    expect(sources.filter((path) => promise.test(read(path)))).toEqual([]);
  });

  test('skip or single out no test', () => {
    const skipping = /\b(test|it|describe|t)\.(only|skip|todo)\(|\{ *(skip|todo):/;
    const tests = typescript.filter((p) => p.endsWith('.test.ts') && !isTidy(p));
    expect(tests.filter((path) => skipping.test(read(path)))).toEqual([]);
  });
});
