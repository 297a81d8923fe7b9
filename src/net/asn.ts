// SPDX-License-Identifier: Apache-2.0
/**
 * Autonomous system numbers: RFC 6793 (four octets), RFC 5396 (asplain and asdot).
 */

export const asnMax = 0xffff_ffff;

/**
 * Reads `64512` or `1.10` (high and low sixteen bits).
 *
 * @returns undefined when the text is no AS number
 */
export function parseAsn(text: string): number | undefined {
  const match = /^(\d{1,10})(?:\.(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  if (match[2] === undefined) return first <= asnMax ? first : undefined;
  const low = Number(match[2]);
  return first <= 0xffff && low <= 0xffff ? first * 0x1_0000 + low : undefined;
}
