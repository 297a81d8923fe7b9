// SPDX-License-Identifier: Apache-2.0
/**
 * Kernel settings under /proc/sys/net that Egret's ports need. What was found is remembered, so that
 * an orderly stop leaves the box as it was; the caller keeps the record over restarts (state.json).
 *
 * | setting             | value | why                                                              |
 * |---------------------|-------|------------------------------------------------------------------|
 * | rp_filter           | 2     | strict would look a network's sources up in the main table; the  |
 * |                     |       | kernel takes the larger of this and conf/all, and 2 is the largest |
 * | src_valid_mark      | 1     | rp_filter's loose look-up uses the network's table               |
 * | arp_ignore          | 1     | two interfaces may have the same address: answer only on its own |
 * | arp_announce        | 2     | and ask with the address of the interface asked on               |
 * | accept_redirects    | 0     | with forwarding off the kernel would take them                   |
 * | accept_ra (IPv6)    | 0     | likewise                                                         |
 * | fwmark_reflect      | 1     | answers without a socket go where the question came from         |
 * | tcp_fwmark_accept   | 1     | accepted connections keep their network's mark                   |
 *
 * The last two hold for the whole network namespace. Of /proc/sys
 * only host-setup/ touches more: what is to stay when egretd stops.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EgretError } from '../lib/errors.ts';

/** Path below /proc/sys → what stood there before us. Plain data, for state.json. */
export type SysctlRecord = Readonly<Record<string, string>>;

export interface SysctlValue {
  /** Path below /proc/sys. */
  readonly path: string;
  readonly wanted: string;
  /** undefined: there is no such setting (or interface). */
  readonly effective: string | undefined;
}

export interface Sysctls {
  /** Applies everything for the namespace and these ports; again when an interface reappears. */
  apply(ports: readonly string[]): void;
  /** What is in force; rp_filter as the kernel combines it with conf/all. */
  show(ports: readonly string[]): SysctlValue[];
  /** What restore would write back. */
  record(): SysctlRecord;
  /** Puts back what was found, unless another program changed it since. */
  restore(): void;
}

const namespaceSettings: readonly (readonly [string, string])[] = [
  ['net/ipv4/fwmark_reflect', '1'],
  ['net/ipv4/tcp_fwmark_accept', '1'],
];

const portSettings = (name: string): readonly (readonly [string, string])[] => [
  [`net/ipv4/conf/${name}/rp_filter`, '2'],
  [`net/ipv4/conf/${name}/src_valid_mark`, '1'],
  [`net/ipv4/conf/${name}/arp_ignore`, '1'],
  [`net/ipv4/conf/${name}/arp_announce`, '2'],
  [`net/ipv4/conf/${name}/accept_redirects`, '0'],
  [`net/ipv6/conf/${name}/accept_redirects`, '0'],
  [`net/ipv6/conf/${name}/accept_ra`, '0'],
];

/**
 * @param found - the record of a previous instance that was not stopped in order
 * @param root - /proc/sys, but for tests
 */
export function makeSysctls(found: SysctlRecord = {}, root = '/proc/sys'): Sysctls {
  const remembered = new Map(Object.entries(found));

  /** A box without IPv6 has none of its settings; an interface may have been removed. */
  function read(path: string): string | undefined {
    try {
      return readFileSync(join(root, path), 'utf8').trim();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw failed(path, error);
    }
  }

  function write(path: string, value: string): void {
    try {
      writeFileSync(join(root, path), `${value}\n`, { flag: 'r+' });
    } catch (error) {
      if (!isMissing(error)) throw failed(path, error);
    }
  }

  return {
    apply(ports) {
      for (const [path, wanted] of [...namespaceSettings, ...ports.flatMap(portSettings)]) {
        const before = read(path);
        if (before === undefined) continue;
        if (!remembered.has(path)) remembered.set(path, before);
        if (before !== wanted) write(path, wanted);
      }
    },
    show(ports) {
      return [...namespaceSettings, ...ports.flatMap(portSettings)].map(([path, wanted]) => {
        let effective = read(path);
        // The larger counts, and for a mere flag (src_valid_mark) either.
        if (effective !== undefined && /ipv4.*(rp_filter|src_valid_mark|arp_)/.test(path)) {
          const all = read(path.replace(/conf\/.*\//, 'conf/all/'));
          effective = String(Math.max(Number(effective), Number(all ?? 0)));
        }
        return { path, wanted, effective };
      });
    },
    record: () => Object.fromEntries(remembered),
    restore() {
      const names = [...remembered.keys()].flatMap((path) => path.match(/conf\/(.*)\//)?.[1] ?? []);
      const ours = new Map([...namespaceSettings, ...names.flatMap(portSettings)]);
      for (const [path, before] of remembered)
        if (read(path) === ours.get(path)) write(path, before);
      remembered.clear();
    },
  };
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENODEV');

function failed(path: string, error: unknown): EgretError {
  const reason = error instanceof Error ? error.message : String(error);
  return new EgretError('NETLINK_REFUSED', { request: path, reason }, { cause: error });
}
