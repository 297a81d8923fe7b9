// SPDX-License-Identifier: Apache-2.0
/**
 * Columns that a text takes on a terminal: two for the wide characters of East Asia and for emoji, none
 * for marks that combine with the one before. Nearly every text is ASCII, where it is the length.
 */

const isAscii = /^[\x20-\x7e]*$/;
const isMark = /^[\p{M}\p{Cf}]$/u;
const isWide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

export function textWidth(text: string): number {
  if (isAscii.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

export function characterWidth(character: string): 0 | 1 | 2 {
  if (isMark.test(character)) return 0;
  return isWide.test(character) ? 2 : 1;
}

/** At most `width` columns of it; what is cut ends in …. */
export function shortened(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let start = '';
  let used = 1;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    start += character;
  }
  return `${start}…`;
}

export const padStart = (text: string, width: number): string =>
  ' '.repeat(Math.max(0, width - textWidth(text))) + text;

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - textWidth(text)));

/**
 * Breaks a text at blanks, for lines of `widthMax` columns (null: no limit).
 *
 * @param indent - blanks before each line but the first, which begins behind as many columns
 */
export function wrapped(text: string, indent: number, widthMax: number | null): string {
  if (widthMax === null) return text;
  const room = Math.max(20, widthMax - indent);
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    const isFitting = last !== undefined && textWidth(last) + 1 + textWidth(word) <= room;
    if (isFitting) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}
