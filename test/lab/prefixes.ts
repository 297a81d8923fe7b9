// SPDX-License-Identifier: Apache-2.0
/**
 * A full table's worth of IPv4 prefixes: from a file, one a line, or made up with the mix of lengths
 * that the Internet had in January 2024 and no prefix twice.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { seededRandom } from '../../src/lib/random.ts';

/** Prefixes of each length, of 901,899 in a real table. */
const realMix: readonly (readonly [length: number, count: number])[] = [
  ...([
    [8, 16],
    [9, 13],
    [10, 38],
    [11, 103],
    [12, 299],
    [13, 581],
    [14, 1203],
    [15, 2100],
  ] as const),
  ...([
    [16, 13490],
    [17, 8235],
    [18, 13798],
    [19, 24870],
    [20, 42611],
    [21, 50750],
  ] as const),
  ...([
    [22, 108623],
    [23, 96510],
    [24, 537698],
    [32, 886],
  ] as const),
];

/** Space that is not for the public table, or that the lab uses itself. */
const reserved: readonly (readonly [address: number, length: number])[] = [
  [0x0a000000, 8], // 10.0.0.0/8
  [0x64400000, 10], // 100.64.0.0/10
  [0x7f000000, 8], // 127.0.0.0/8
  [0xa9fe0000, 16], // 169.254.0.0/16
  [0xac100000, 12], // 172.16.0.0/12
  [0xc0000200, 24], // 192.0.2.0/24
  [0xc0a80000, 16], // 192.168.0.0/16
  [0xc6336400, 24], // 198.51.100.0/24
  [0xcb007100, 24], // 203.0.113.0/24
];

/** @param path - text or gzip; lines that are no IPv4 prefix are passed over */
export async function readPrefixes(path: string): Promise<string[]> {
  const bytes = await readFile(path);
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
  const prefixes = text.split(/\s+/).filter((word) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(word));
  return [...new Set(prefixes)].filter((prefix) => !isReserved(...parse(prefix)));
}

/** @returns `count` different prefixes, always the same for a seed */
export function makePrefixes(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const total = realMix.reduce((sum, [, share]) => sum + share, 0);
  const seen = new Set<string>();
  for (const [i, [length, share]] of realMix.entries()) {
    const isLast = i === realMix.length - 1;
    const end = isLast ? count : seen.size + Math.floor((share * count) / total);
    while (seen.size < end) {
      const host = 2 ** (32 - length);
      // 1.0.0.0 to 223.255.255.255
      const any = 0x01000000 + Math.floor(random.next() * 0xdf000000);
      const address = Math.floor(any / host) * host;
      if (address < 0x01000000 || isReserved(address, length)) continue;
      seen.add(`${format(address)}/${length}`);
    }
  }
  return [...seen];
}

function parse(prefix: string): [address: number, length: number] {
  const [address = '', length = '0'] = prefix.split('/');
  return [address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0), Number(length)];
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Whether a prefix lies in reserved space, or holds some of it, or is no unicast. */
function isReserved(address: number, length: number): boolean {
  if (address >= 0xe0000000 || address < 0x01000000) return true;
  return reserved.some(([other, otherLength]) => {
    const host = 2 ** (32 - Math.min(length, otherLength));
    return Math.floor(address / host) === Math.floor(other / host);
  });
}
