// SPDX-License-Identifier: Apache-2.0
/**
 * native/rooms is true: of includes, of calls between objects, and of what the two binaries contain.
 * Needs `make build` (nm reads build/).
 */
import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { native, product, read, root } from './sources.ts';

interface Room {
  readonly name: string;
  /** Binaries that it is linked into. */
  readonly into: readonly string[];
}

/** The rooms, bottom up. */
const rooms: readonly Room[] = read('native/rooms')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.trim().split(/\s+/))
  .map(([name = '', ...into]) => ({ name, into }));
const binaries: Record<string, string> = {
  library: 'build/libegret.so',
  forwarder: 'build/egret-forwarder',
};
/** What every room may include; the last is written by the build, from abi.layout. */
const faces = ['native/abi.h', 'native/egret.h', 'native/abi_hash_values.h'];
/** Programs of their own, which may include every room. */
const outside = ['test', 'fuzz', 'bench'];

const roomOf = (path: string): Room | undefined =>
  rooms.find(({ name }) => path.startsWith(`native/${name}/`));
const heightOf = (room: Room | undefined): number => (room ? rooms.indexOf(room) : -1);
const inRooms = native.filter((path) => roomOf(path));

/** Whether a file of one room may use a file of the other. */
function mayUse(user: Room, used: Room): boolean {
  return (
    heightOf(used) <= heightOf(user) &&
    user.into.every((binary) => used.into.includes(binary) || binary === 'tests')
  );
}

describe('the rooms of native/', () => {
  test('are all folders but tests, fuzzers and benchmarks', () => {
    const folders = native.map((path) => path.split('/')).filter((parts) => parts.length > 2);
    const names = new Set(folders.map((parts) => parts[1] ?? ''));
    expect([...names].filter((name) => !outside.includes(name)).sort()).toEqual(
      rooms.map(({ name }) => name).sort(),
    );
    const known = ['tests', ...Object.keys(binaries)];
    expect(rooms.flatMap(({ into }) => into).filter((binary) => !known.includes(binary))).toEqual(
      [],
    );
  });

  test('include only what stands above them in the list, and is linked where they are', () => {
    const arrows = inRooms.flatMap((from) =>
      [...read(from).matchAll(/^#include "(.+)"/gm)].map((match) => ({
        from,
        what: `native/${match[1]}`,
      })),
    );
    expect(arrows.length).toBeGreaterThan(100);
    const refused = arrows.filter(({ from, what }) => {
      if (faces.includes(what)) return false;
      const [user, used] = [roomOf(from), roomOf(what)];
      return !native.includes(what) || !user || !used || !mayUse(user, used);
    });
    expect(refused.map(({ from, what }) => `${from} includes ${what}`)).toEqual([]);
  });

  test('are called in the same order, and no files call each other in a circle', () => {
    const { calls, against } = callsBetweenObjects();
    expect(against).toEqual([]);
    expect(circles(calls)).toEqual([]);
  });
});

describe('libegret.so', () => {
  test('exports the functions of egret.h, and nothing else', () => {
    const library = 'build/libegret.so';
    const exported = nm([library], '-D', '--defined-only').get(library);
    expect(namesOf(exported).sort()).toEqual(functionsOfEgretH().sort());
  });

  test('contains no function of a room that only the forwarder links', () => {
    expect(foreignFunctions('library', 'forwarder')).toEqual([]);
  });
});

describe('egret-forwarder', () => {
  test('contains no function of a room that only the library links', () => {
    expect(foreignFunctions('forwarder', 'library')).toEqual([]);
  });

  test('contains no function of egret.h that it does not call', () => {
    const contained = functionsIn('build/egret-forwarder');
    const calling = sourcesOf('forwarder').map(read);
    const uncalled = functionsOfEgretH().filter(
      (name) =>
        contained.has(name) &&
        !calling.some((text) => new RegExp(`[^ *]\\s*${name}\\(`).test(text)),
    );
    expect(uncalled).toEqual([]);
    expect(contained.has('main')).toBe(true);
  });
});

describe('egret.h', () => {
  // src/dataplane/native.ts binds; some of what it binds has its TypeScript form in native-sockets.ts.
  const binding = 'src/dataplane/native.ts';
  const sockets = 'src/appliance/host/native-sockets.ts';

  test('declares nothing that egretd does not bind', () => {
    const bound = read(binding);
    const isBound = (name: string): boolean => new RegExp(`[ *]${name}\\(`).test(bound);
    expect(functionsOfEgretH().filter((name) => !isBound(name))).toEqual([]);
  });

  test('has no binding that nothing uses', () => {
    const others = product.filter((path) => path !== binding).map(read);
    // Declarations of the binding; one is alive when another file, or another declaration, names it.
    const declarations = read(binding)
      .split(/^(?=(?:export )?(?:const|function|interface|type) )/m)
      .map((text) => ({ text, name: /(?:const|function) (\w+)/.exec(text)?.[1] ?? '' }));
    const named = (name: string, texts: string[]): boolean =>
      texts.some((text) => new RegExp(`\\b${name}\\b`).test(text));
    const alive = declarations.filter(
      ({ name }) =>
        name !== 'c' &&
        (named(name, others) ||
          named(
            name,
            declarations.filter((other) => other.name !== name).map(({ text }) => text),
          )),
    );
    const bindings = [...read(binding).matchAll(/^ {2}(\w+): library\.func\(/gm)];
    expect(bindings.length).toBeGreaterThan(40);
    const using = [...others, ...alive.map(({ text }) => text)];
    expect(
      bindings.map((match) => match[1] ?? '').filter((name) => !named(`c\\.${name}`, using)),
    ).toEqual([]);
  });

  test('has no TypeScript form of a binding that nothing uses', () => {
    const others = product.filter((path) => path !== sockets).map(read);
    const members = [...read(sockets).matchAll(/^ {2}(\w+)(?:\(|: \(|,$|: \w+,$)/gm)];
    expect(members.length).toBeGreaterThan(10);
    const names = new Set(members.map((match) => match[1] ?? ''));
    const unused = [...names].filter(
      (name) => !others.some((text) => new RegExp(`\\.${name}\\(`).test(text)),
    );
    expect(unused).toEqual([]);
  });
});

// -- Symbols --------------------------------------------------------------------------------------

interface Symbol {
  readonly name: string;
  /** As nm(1) prints it: T and t a function, U one that is defined elsewhere. */
  readonly type: string;
}

/** Symbols of several files, by file. */
function nm(files: readonly string[], ...options: string[]): Map<string, Symbol[]> {
  // With -A every line begins with its file.
  const words = ['-A', '-P', ...options, ...files];
  const output = execFileSync('nm', words, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  const found = new Map<string, Symbol[]>(files.map((file) => [file, []]));
  for (const line of output.split('\n')) {
    const [file = '', name = '', type = ''] = line.split(/:? /);
    if (type !== '') found.get(file)?.push({ name, type });
  }
  return found;
}

const namesOf = (symbols: readonly Symbol[] | undefined): string[] =>
  (symbols ?? []).map(({ name }) => name);

/** Functions that a linked binary contains, the hidden ones included. */
function functionsIn(binary: string): Set<string> {
  const symbols = nm([binary], '--defined-only').get(binary) ?? [];
  return new Set(namesOf(symbols.filter(({ type }) => /^t$/i.test(type))));
}

/** .c files of the rooms that a binary links. */
function sourcesOf(binary: string): string[] {
  return inRooms.filter((path) => path.endsWith('.c') && roomOf(path)?.into.includes(binary));
}

const objectOf = (source: string): string => source.replace(/^native\/(.*)\.c$/, 'build/o/$1.o');

/** What a binary contains although its rooms do not define it. */
function foreignFunctions(binary: string, other: string): string[] {
  const contained = functionsIn(binaries[binary] ?? '');
  const own = sourcesOf(binary);
  const foreign = sourcesOf(other).filter((source) => !own.includes(source));
  const functions = [...nm(foreign.map(objectOf), '--defined-only').values()]
    .flat()
    .filter(({ type }) => type === 'T');
  expect(functions.length).toBeGreaterThan(10);
  return namesOf(functions).filter((name) => contained.has(name));
}

function functionsOfEgretH(): string[] {
  const declarations = read('native/egret.h').replace(/\/\/.*$/gm, '');
  return [...declarations.matchAll(/\b(egret_\w+)\(/g)].map((match) => match[1] ?? '');
}

/** Who calls whom, by the objects' undefined symbols. */
function callsBetweenObjects(): { calls: Map<string, Set<string>>; against: string[] } {
  const sources = [...new Set([...sourcesOf('library'), ...sourcesOf('forwarder')])];
  const symbols = nm(sources.map(objectOf));
  const symbolsOf = (source: string): Symbol[] => symbols.get(objectOf(source)) ?? [];
  const home = new Map<string, string>();
  for (const source of sources)
    for (const { name, type } of symbolsOf(source))
      if (/^[TDBR]$/.test(type)) home.set(name, source);
  const calls = new Map<string, Set<string>>();
  const against: string[] = [];
  for (const source of sources) {
    const undefinedHere = symbolsOf(source).filter(({ type }) => type === 'U');
    const targets = namesOf(undefinedHere).flatMap((name) => home.get(name) ?? []);
    calls.set(source, new Set(targets));
    for (const target of new Set(targets))
      if (heightOf(roomOf(target)) > heightOf(roomOf(source)))
        against.push(`${source} calls ${target}`);
  }
  return { calls, against };
}

/** The circles of a graph, each as the files on the way around. */
function circles(calls: Map<string, Set<string>>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) found.push([...way.slice(at), file].map((path) => basename(path)).join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const target of calls.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of calls.keys()) visit(file, []);
  return found;
}
