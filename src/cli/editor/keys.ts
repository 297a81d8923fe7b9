// SPDX-License-Identifier: Apache-2.0
/** What terminals send for keys (ECMA-48, xterm, VT220) → keys. */
import type { Move } from './text.ts';

export type Key =
  | { readonly kind: 'move'; readonly move: Move }
  /** ^X is x. */
  | { readonly kind: 'control'; readonly letter: string }
  | { readonly kind: 'enter' | 'tab' | 'backspace' | 'delete' | 'escape' }
  /** Printable characters, as many as came together. */
  | { readonly kind: 'text'; readonly text: string };

const moves: Readonly<Record<string, Move>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '7~': 'home',
  '4~': 'end',
  '8~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
};

const escapeCharacter = '\u001b';
/** Behind an escape: CSI parameters and final, or SS3 and one more; neither of them, when they are to come. */
const sequence = /^(?:\[[0-9;?]*([@-~])?|O(.)?|$)/;

/** @returns the keys, and what is the beginning of one that has not come whole */
export function readKeys(text: string): { readonly keys: Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let rest = text;
  while (rest !== '') {
    if (rest.startsWith(escapeCharacter)) {
      const [all, final, short] = sequence.exec(rest.slice(1)) ?? [];
      // One that has not come whole; behind a key of its own another key follows, or time.
      if (all === undefined) keys.push({ kind: 'escape' });
      else if (final === undefined && short === undefined) {
        if (all.length + 1 === rest.length) break;
      } else keys.push(...namedKey(short ?? (final === '~' ? all.slice(1) : final!)));
      rest = rest.slice(1 + (all?.length ?? 0));
      continue;
    }
    const [printed] = /^\P{Cc}+/u.exec(rest) ?? [];
    if (printed !== undefined) keys.push({ kind: 'text', text: printed });
    else keys.push(controlKey(rest[0]!));
    rest = rest.slice(printed?.length ?? 1);
  }
  return { keys, rest };
}

function namedKey(name: string): Key[] {
  const move = moves[name];
  if (move) return [{ kind: 'move', move }];
  return name === '3~' ? [{ kind: 'delete' }] : [];
}

function controlKey(character: string): Key {
  if (character === '\r' || character === '\n') return { kind: 'enter' };
  if (character === '\t') return { kind: 'tab' };
  if (character === '\u007f' || character === '\b') return { kind: 'backspace' };
  return { kind: 'control', letter: String.fromCharCode(character.charCodeAt(0) + 96) };
}
