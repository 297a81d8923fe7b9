// SPDX-License-Identifier: Apache-2.0
/** BGP communities: `aa:nn` (RFC 1997) and `aa:nn:mm` (large, RFC 8092). */

export type Community = number | readonly [number, number, number];

/** @returns undefined when the text is neither form, or a part is out of its range */
export function parseCommunity(text: string): Community | undefined {
  if (!/^\d{1,10}(:\d{1,10}){1,2}$/.test(text)) return undefined;
  const [first = 0, second = 0, third] = text.split(':').map(Number);
  if (third === undefined) {
    return first <= 0xffff && second <= 0xffff ? first * 0x1_0000 + second : undefined;
  }
  const isInRange = [first, second, third].every((part) => part <= 0xffff_ffff);
  return isInRange ? [first, second, third] : undefined;
}
