// SPDX-License-Identifier: Apache-2.0
/**
 * Who may import whom in src/ (docs/architecture.md), and what stands in one named file alone: clock,
 * randomness, native library, threads, sockets, the end of the process.
 */
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { imports, product, read, withoutComments } from './sources.ts';

describe('who may import whom', () => {
  // docs/architecture.md. Every folder may also import itself. What stands in `types` may be
  // imported as types only: the value is handed in.
  const table: Record<string, { readonly values: string[]; readonly types?: string[] }> = {
    // The parts of the appliance: what src/appliance.ts wires; only it and main import them.
    appliance: {
      types: ['admin'],
      values: [
        'ipc',
        'apply',
        'status',
        'dataplane',
        'egress',
        'fib',
        'bgp',
        'rib',
        'health',
        'kernel',
        'host-setup',
        'config',
        'model',
        'net',
        'lib',
      ],
    },
    lib: { values: [] },
    net: { values: ['lib'] },
    model: { values: ['net', 'lib'] },
    config: { values: ['model', 'net', 'lib'] },
    kernel: { values: ['model', 'net', 'lib'], types: ['dataplane'] },
    'host-setup': { values: ['model', 'net', 'lib'], types: ['kernel'] },
    rib: { values: ['model', 'net', 'lib'] },
    health: { values: ['model', 'net', 'lib'] },
    bgp: { values: ['rib', 'model', 'net', 'lib'] },
    fib: { values: ['rib', 'net', 'lib'] },
    egress: { values: ['model', 'net', 'lib'] },
    dataplane: {
      values: ['fib', 'egress', 'model', 'net', 'lib'],
      types: ['rib', 'bgp', 'kernel'],
    },
    ipc: { values: ['lib'] },
    // The configurations that ran, and what changes the one that runs.
    history: { values: ['config', 'lib'] },
    apply: { values: ['history', 'config', 'model', 'net', 'lib'] },
    // The command line's end of the sockets, and egretd's end of the admin socket.
    cli: { values: ['ipc', 'image', 'status', 'config', 'model', 'net', 'lib'] },
    admin: {
      values: ['ipc', 'apply', 'history', 'status', 'config', 'model', 'net', 'lib'],
    },
    // The image's first boot, a program of its own.
    provision: { values: [] },
    // Slots and updates of the image; src/image.ts is their program.
    image: { values: ['ipc', 'lib'] },
    status: {
      values: ['model', 'net', 'lib'],
      types: ['ipc', 'config', 'kernel', 'rib', 'health', 'bgp', 'fib', 'egress', 'dataplane'],
    },
  };

  // Names and text forms without state, for status to print with.
  const printable = ['src/dataplane/abi.gen.ts', 'src/kernel/route-format.ts'];

  const folderOf = (path: string): string => path.split('/').slice(1, -1)[0] ?? '';

  test('the folders of src/ are those of the table', () => {
    const folders = new Set(product.map(folderOf).filter(Boolean));
    expect([...folders].filter((folder) => !(folder in table))).toEqual([]);
  });

  test('every import inside src/ is allowed', () => {
    const refused = imports.filter(({ from, what, isType }) => {
      const [source, target] = [folderOf(from), folderOf(what)];
      const rule = table[source];
      if (!rule || !what.startsWith('src/') || source === target) return false;
      if (source === 'status' && printable.includes(what)) return false;
      // What stands in src/ itself wires; only the command that starts it imports it.
      if (target === '') return source !== 'cli';
      return !rule.values.includes(target) && !(isType && rule.types?.includes(target));
    });
    expect(refused.map(({ from, what }) => `${from} imports ${what}`)).toEqual([]);
  });

  test('no files of src/ import each other in a circle', () => {
    const uses = Map.groupBy(imports, ({ from }) => from);
    const done = new Set<string>();
    const circles: string[] = [];
    const follow = (path: string, way: readonly string[]): void => {
      if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' > '));
      if (done.has(path) || way.includes(path)) return;
      for (const { what } of uses.get(path) ?? []) follow(what, [...way, path]);
      done.add(path);
    };
    for (const path of product) follow(path, []);
    expect(circles).toEqual([]);
  });

  test('nothing in src/ imports from outside of it, and only main imports the appliance', () => {
    const outside = imports.filter(({ what }) => /^(test|build)\//.test(what));
    expect(outside).toEqual([]);
    const users = imports.filter(({ what }) => what === 'src/appliance.ts');
    expect(users.map(({ from }) => from).filter((from) => from !== 'src/main.ts')).toEqual([]);
  });

  test('bgp/wire and the state machine know neither clock nor socket', () => {
    const pure = imports.filter(({ from }) => /^src\/bgp\/(wire\/|connection\/fsm)/.test(from));
    const refused = pure.filter(({ what }) =>
      /^node:(net|dgram)|^src\/lib\/(clock|random)/.test(what),
    );
    expect(refused).toEqual([]);
  });

  test('imports name files with their extension, and no package but those that are declared', () => {
    const { dependencies } = JSON.parse(read('package.json')) as {
      dependencies: Record<string, string>;
    };
    const wrong = imports.filter(({ what }) =>
      what.startsWith('src/')
        ? !what.endsWith('.ts')
        : !what.startsWith('node:') && !(what in dependencies),
    );
    expect(wrong).toEqual([]);
  });
});

describe('one named file each', () => {
  const using = (pattern: RegExp): string[] =>
    product.filter((path) => pattern.test(withoutComments(read(path))));

  test('the clock', () => {
    const clock =
      /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|(?<![.\w])set(Timeout|Interval|Immediate)\(/;
    expect(using(clock)).toEqual(['src/lib/clock.ts']);
  });

  test('work for later: all others ask the work queue', () => {
    expect(using(/\bclock\.soon\(/)).toEqual(['src/lib/work-queue.ts']);
  });

  test('randomness', () => {
    expect(using(/\bMath\.random\(|\brandomBytes\(|\brandomInt\(/)).toEqual(['src/lib/random.ts']);
  });

  test('the native library', () => {
    const users = imports.filter(({ what, isType }) => what === 'koffi' && !isType);
    expect(users.map(({ from }) => from)).toEqual(['src/dataplane/native.ts']);
  });

  test('threads', () => {
    const users = imports.filter(({ what }) => what === 'node:worker_threads');
    expect(users.map(({ from }) => from)).toEqual(['src/config/load-aside.ts']);
  });

  test('sockets: one file a folder, and both ends of ipc', () => {
    const socket = /^node:(net|dgram|http|https|tls)$/;
    const users = imports.filter(({ what, isType }) => socket.test(what) && !isType);
    const files = [...new Set(users.map(({ from }) => from))];
    const folders = files.map((file) => (file.startsWith('src/ipc/') ? file : dirname(file)));
    expect(folders, files.join(' ')).toEqual([...new Set(folders)]);
  });

  test('the end of the process, in the daemon and in the command line', () => {
    const users = using(/\bprocess\.exit\(/);
    expect(users.filter((p) => !['src/main.ts', 'src/cli.ts'].includes(p))).toEqual([]);
  });
});
