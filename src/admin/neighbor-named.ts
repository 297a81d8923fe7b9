// SPDX-License-Identifier: Apache-2.0
/** Which neighbor an operator means: `ADDRESS`, `NETWORK ADDRESS`, or the name of its BGPPeer. */
import { EgretError } from '../lib/errors.ts';
import { neighborKey } from '../model/neighbor-key.ts';
import { formatIpv4, parseIpv4 } from '../net/ipv4.ts';
import type { LiveParts } from '../status/parts.ts';

export interface NamedNeighbor {
  /** See neighborKey. */
  readonly key: string;
  readonly shown: string;
}

/** @throws EgretError USAGE, NOT_FOUND */
export function neighborNamed(
  { neighbors }: LiveParts,
  command: string,
  words: readonly string[],
): NamedNeighbor {
  const [last] = words.slice(-1);
  const network = words.length === 2 ? words[0] : undefined;
  if (last === undefined || words.length > 2) {
    throw new EgretError('USAGE', { what: `${command} takes ADDRESS, or NETWORK ADDRESS` });
  }
  const address = parseIpv4(last);
  const found = neighbors().filter(
    (row) =>
      (address === undefined ? row.name === last : row.address === address) &&
      (network === undefined || row.network === network),
  );
  const [only, other] = found;
  if (!only) throw new EgretError('NOT_FOUND', { what: `Neighbor ${words.join(' ')}` });
  if (other) {
    const where = found.map((row) => row.network ?? 'the main table').join(' and ');
    throw new EgretError('USAGE', { what: `${last} is in ${where}: say NETWORK ADDRESS` });
  }
  const shown = `${formatIpv4(only.address)}${only.network === undefined ? '' : ` of ${only.network}`}`;
  return { key: neighborKey(only.network, only.address), shown };
}
