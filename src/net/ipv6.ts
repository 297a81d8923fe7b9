// SPDX-License-Identifier: Apache-2.0
/**
 * IPv6 text (RFC 4291 §2.2), as far as the configuration needs it: to tell an address that Calico
 * would accept from a misspelled one. No zones, no arithmetic.
 */
import { parseIpv4 } from './ipv4.ts';

export function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groupCount = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') {
      if (halves.length === 1) return false;
      continue;
    }
    const groups = half.split(':');
    const isLast = index === halves.length - 1;
    for (const [position, group] of groups.entries()) {
      const isTail = isLast && position === groups.length - 1;
      if (isTail && group.includes('.')) {
        if (parseIpv4(group) === undefined) return false;
        groupCount += 2;
      } else {
        if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return false;
        groupCount += 1;
      }
    }
  }
  return halves.length === 2 ? groupCount <= 7 : groupCount === 8;
}

/** @returns the prefix length, or undefined when the text is no IPv6 prefix */
export function parseIpv6Length(text: string): number | undefined {
  const slash = text.indexOf('/');
  if (slash < 0 || !isIpv6(text.slice(0, slash))) return undefined;
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  return length <= 128 ? length : undefined;
}
