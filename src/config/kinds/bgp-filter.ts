// SPDX-License-Identifier: Apache-2.0
/** BGPFilter: which routes are taken from a neighbor and which are given to it. */

import type { Read } from '../schema/shape.ts';
import { list, mapping, optional, required, section } from '../schema/shape.ts';
import type { Cidr } from '../schema/shape-scalars.ts';
import { asNumber, choice, cidr, community, integer, text } from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';
import { quote } from '../yaml/located.ts';
import { calicoVersions, defineKind } from './kind.ts';

const priority = integer(1, 2147483646);

const ruleFields = {
  action: required(choice('Accept', 'Reject'), 'What happens to a route that matches'),
  cidr: optional(cidr, 'Prefix to compare with; needs matchOperator'),
  matchOperator: optional(choice('In', 'NotIn', 'Equal', 'NotEqual'), 'How; needs cidr'),
  prefixLength: optional(
    mapping('prefixLength', {
      min: optional(integer(0, 128), "Shortest; the cidr's length when absent"),
      max: optional(integer(0, 128), 'Longest; 32 or 128 when absent'),
    }),
    'Lengths that match; needs cidr',
  ),
  source: optional(choice('RemotePeers'), 'Only routes learned from neighbors; for export'),
  interface: optional(
    text({ pattern: /^[a-zA-Z0-9_.*-]{1,15}$/, says: 'an interface name, * for any characters' }),
    'Interface of the route',
  ),
  peerType: optional(choice('eBGP', 'iBGP'), 'Kind of the neighbor'),
  communities: optional(
    mapping('communities', {
      values: required(list(community, { min: 1, max: 1 }), 'Exactly one'),
    }),
    'Community that the route carries',
  ),
  asPathPrefix: optional(list(asNumber, { min: 1 }), 'How its AS path begins'),
  priority: optional(priority, 'Priority of the route'),
  operations: optional(
    list(
      mapping('operations[]', {
        addCommunity: optional(
          mapping('addCommunity', { value: required(community, 'The community') }),
          'Adds a community',
        ),
        prependASPath: optional(
          mapping('prependASPath', {
            prefix: required(list(asNumber, { min: 1, max: 10 }), 'AS numbers, first in front'),
          }),
          'Prepends to the AS path',
        ),
        setPriority: optional(
          mapping('setPriority', { value: required(priority, 'The priority') }),
          'Sets the priority',
        ),
      }),
      { min: 1, max: 10 },
    ),
    'Changes to an accepted route',
  ),
} as const;

const rule = mapping('BGPFilter rule', ruleFields);

export type WrittenFilterRule = Read<typeof ruleFields>;

export const bgpFilterKind = defineKind({
  kind: 'BGPFilter',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'Rules in order; the first that matches decides, and a route that none matches is accepted.',
  fields: {
    spec: section(
      mapping('BGPFilter.spec', {
        importV4: optional(list(rule), 'For IPv4 routes that come in'),
        exportV4: optional(list(rule), 'For IPv4 routes that go out'),
        importV6: optional(list(rule), 'For IPv6 routes that come in'),
        exportV6: optional(list(rule), 'For IPv6 routes that go out'),
      }),
      'The rules',
    ),
  },
  check({ fields: { spec } }, report) {
    for (const name of ['importV4', 'exportV4', 'importV6', 'exportV6'] as const) {
      const family = name.endsWith('4') ? 4 : 6;
      for (const one of spec[name]?.value ?? []) checkRule(one, family, report);
      for (const one of spec[name]?.value ?? []) {
        if (one.source && name.startsWith('import')) {
          report.note(one.source.at, `BGPFilter: ${name}[].source has no effect on import`);
        }
      }
    }
  },
});

function checkRule(one: WrittenFilterRule, family: 4 | 6, report: Report): void {
  const { present } = one;
  if (present.includes('cidr') && !present.includes('matchOperator')) {
    report.error(
      { at: one.cidr?.at ?? one.at, path: `${one.path}.cidr` },
      'needs matchOperator',
      'Equal, NotEqual, In or NotIn.',
    );
  }
  if (present.includes('matchOperator') && !present.includes('cidr')) {
    report.error(
      { at: one.matchOperator?.at ?? one.at, path: `${one.path}.matchOperator` },
      'needs cidr',
      'Give the prefix to compare with.',
    );
  }
  if (one.cidr && one.cidr.value.family !== family) {
    report.error(
      one.cidr,
      `must be an IPv${family} prefix, not ${quote(one.cidr.value.text)}`,
      'importV4 and exportV4 are for IPv4, importV6 and exportV6 for IPv6.',
    );
  }
  if (one.prefixLength) checkLengths(one.prefixLength, one.cidr, family, report);
  if (one.prefixLength && !present.includes('cidr'))
    report.error(
      one.prefixLength,
      'needs cidr',
      'For all prefixes: cidr 0.0.0.0/0 or ::/0 with matchOperator In.',
    );
  if (one.operations && one.action?.value === 'Reject') {
    report.error(one.operations, 'only an Accept rule may have operations', 'Leave them out.');
  }
  for (const operation of one.operations?.value ?? []) {
    if (operation.present.length !== 1) {
      report.error(
        operation,
        'must be exactly one of addCommunity, prependASPath, setPriority',
        'Each change is an item of its own.',
      );
    }
  }
}

function checkLengths(
  lengths: { readonly min: Located<number> | undefined; readonly max: Located<number> | undefined },
  one: Located<Cidr> | undefined,
  family: 4 | 6,
  report: Report,
): void {
  const longest = family === 4 ? 32 : 128;
  for (const length of [lengths.min, lengths.max]) {
    if (length && length.value > longest) {
      report.error(
        length,
        `must be 0 to ${longest}, not ${length.value}`,
        `${longest} is one address.`,
      );
    }
  }
  const own = one && (one.value.family === 4 ? one.value.prefix.length : one.value.length);
  const min = lengths.min?.value ?? own;
  if (lengths.max && min !== undefined && lengths.max.value < min) {
    report.error(
      lengths.max,
      `must not be less than the shortest length, ${min}`,
      "Without min that is the cidr's.",
    );
  }
}
