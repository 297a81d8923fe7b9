// SPDX-License-Identifier: Apache-2.0
/**
 * What may follow the words of a command line, from the forms that help prints: `show route [table N |
 * network NAME] [PREFIX]`. So completion and `?` know what help says, and nothing is said twice.
 *
 *   word         itself            A | B      one of two words; in brackets, of two sequences
 *   NAME, X      a placeholder     [ … ]      may be left out
 *   WORD...      one or more
 *
 * Options are left out: the table of commands lists them.
 */

/** A word that may come. */
export interface Expected {
  /** The word itself, or a placeholder in capitals. */
  readonly text: string;
  readonly isPlaceholder: boolean;
  /** The fixed word before a placeholder: of `network NAME` it says more than NAME. */
  readonly after: string | undefined;
}

export interface Continuations {
  readonly expected: readonly Expected[];
  /** The command may end here. */
  readonly isComplete: boolean;
}

type Item =
  | { readonly kind: 'word'; readonly expected: Expected; readonly isRepeated: boolean }
  | { readonly kind: 'choice'; readonly ways: readonly (readonly Item[])[] };

/** @param words - as far as they were given */
export function continuations(forms: readonly string[], words: readonly string[]): Continuations {
  const found = new Map<string, Expected>();
  let isComplete = false;
  for (const form of forms) {
    follow(
      parseForm(form),
      words,
      0,
      (at) => {
        if (at === words.length) isComplete = true;
      },
      (expected) => void found.set(`${expected.text} ${expected.after}`, expected),
    );
  }
  return { expected: [...found.values()], isComplete };
}

/** Follows every way through the items that agrees with the words. */
function follow(
  items: readonly Item[],
  words: readonly string[],
  at: number,
  reached: (at: number) => void,
  expect: (expected: Expected) => void,
): void {
  const [item, ...rest] = items;
  if (!item) {
    reached(at);
    return;
  }
  if (item.kind === 'choice') {
    const next = (end: number): void => follow(rest, words, end, reached, expect);
    for (const way of item.ways) follow(way, words, at, next, expect);
    return;
  }
  const word = words[at];
  const { text, isPlaceholder } = item.expected;
  if (word === undefined) expect(item.expected);
  else if (isPlaceholder || word === text) {
    follow(rest, words, at + 1, reached, expect);
    if (item.isRepeated) follow(items, words, at + 1, reached, expect);
  }
}

export function parseForm(form: string): Item[] {
  const tokens = form.match(/\[|\]|\||[^\s[\]|]+/g) ?? [];
  let at = 0;
  let after: string | undefined;
  const sequence = (): Item[] => {
    const items: Item[] = [];
    for (
      let token = tokens[at];
      token !== undefined && !/^[\]|]$/.test(token);
      token = tokens[at]
    ) {
      at += 1;
      if (token === '[') items.push({ kind: 'choice', ways: [...bracket(), []] });
      else if (/^--?[a-z]/.test(token)) {
        if (!/^[[\]|]$/.test(tokens[at] ?? '|')) at += 1; // its value
      } else items.push(wordItem(token));
    }
    return items;
  };
  const bracket = (): Item[][] => {
    const ways = [sequence()];
    while (tokens[at] === '|') {
      at += 1;
      ways.push(sequence());
    }
    if (tokens[at] === ']') at += 1;
    return ways;
  };
  const wordItem = (token: string): Item => {
    const text = token.replace(/(\.\.\.|…)$/, '');
    const isPlaceholder = /^[A-Z][A-Z-]*$/.test(text);
    const item: Item = {
      kind: 'word',
      expected: { text, isPlaceholder, after: isPlaceholder ? after : undefined },
      isRepeated: text !== token,
    };
    if (!isPlaceholder) after = text;
    return item;
  };
  const items: Item[] = [];
  while (at < tokens.length) {
    items.push(...sequence());
    const isBar = tokens[at] === '|';
    at += 1;
    const left = items.at(-1);
    if (!isBar || !left) continue;
    const token = tokens[at];
    if (token === undefined || /^[[\]|]$/.test(token)) continue;
    at += 1;
    const right = wordItem(token);
    items[items.length - 1] = {
      kind: 'choice',
      ways: left.kind === 'choice' ? [...left.ways, [right]] : [[left], [right]],
    };
  }
  return items;
}
