// SPDX-License-Identifier: Apache-2.0
/**
 * Routing rules: packets with mark N are looked up in the private table with network N's connected
 * routes, then in table N.
 *
 *   102: from all fwmark 0x1f4 lookup 1157628404   (privateTableOf(500))
 *   102: from all fwmark 0x1f4 lookup 500
 *
 * Both have the priority of FelixConfiguration.externalNetworkRoutingRulePriority; among equals the
 * kernel tries the older first, so the order in which they are made matters. Ours are known by their
 * protocol (identity.ts). Packets for which neither table has a route go on to the main table.
 */
import { constants } from 'node:os';
import { plumbingProtocol, privateTableOf } from './identity.ts';
import { flagCreate, flagExclusive } from './netlink-codec.ts';
import { type Rtnetlink, refused } from './rtnetlink.ts';
import {
  decodeRule,
  encodeDelRule,
  encodeNewRule,
  encodeRuleDump,
  type RuleMessage,
} from './rtnetlink-codec.ts';

const maskAll = 0xffff_ffff;

/** The rules for these networks, in the order in which they must be made. */
export function rulesFor(priority: number, routeTableIndexes: readonly number[]): RuleMessage[] {
  return routeTableIndexes.flatMap((index) =>
    [privateTableOf(index), index].map((table) => ({
      priority,
      table,
      mark: index,
      mask: maskAll,
      protocol: plumbingProtocol,
    })),
  );
}

/**
 * Makes the kernel's rules of ours those that are wanted: what is there already, in the right order,
 * stays; the rest is removed or added.
 *
 * @param wanted - rulesFor(…); empty: the orderly stop
 * @param previousTables - filled, before anything changes, with the private tables that rules led to and
 *   that none of `wanted` leads to
 * @throws EgretError NETLINK_REFUSED
 */
export async function setRules(
  rtnetlink: Rtnetlink,
  wanted: readonly RuleMessage[],
  previousTables: Set<number>,
): Promise<void> {
  const all = await rtnetlink.dump('routing rules', encodeRuleDump(), decodeRule);
  const found = all.filter((rule) => rule.protocol === plumbingProtocol);
  const used = new Set(wanted.map((rule) => rule.table));
  for (const { mark, table } of found) {
    if (table === privateTableOf(mark) && !used.has(table)) previousTables.add(table);
  }
  // Of each mark, what stays is right from its first rule on.
  const kept = new Set<string>();
  const stale: RuleMessage[] = [];
  for (const mark of new Set(found.map((rule) => rule.mark))) {
    const have = found.filter((rule) => rule.mark === mark);
    const want = wanted.filter((rule) => rule.mark === mark).map(keyOf);
    const same = have.findIndex((rule, i) => keyOf(rule) !== want[i]);
    const keptCount = same < 0 ? have.length : same;
    for (const rule of have.slice(0, keptCount)) kept.add(keyOf(rule));
    stale.push(...have.slice(keptCount));
  }
  await change(rtnetlink, stale.map(encodeDelRule), 0, constants.errno.ENOENT);
  const missing = wanted.filter((rule) => !kept.has(keyOf(rule)));
  await change(
    rtnetlink,
    missing.map(encodeNewRule),
    flagCreate | flagExclusive,
    constants.errno.EEXIST,
  );
}

async function change(
  rtnetlink: Rtnetlink,
  bodies: Parameters<Rtnetlink['requestAll']>[0],
  flags: number,
  harmlessErrno: number,
): Promise<void> {
  for (const fault of await rtnetlink.requestAll(bodies, flags))
    if (fault.errno !== 0 && fault.errno !== harmlessErrno) throw refused('a routing rule', fault);
}

const keyOf = ({ priority, table, mark, mask }: RuleMessage): string =>
  `${priority} ${mark}/${mask} ${table}`;
