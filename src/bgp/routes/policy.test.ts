// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { BgpFilter, FilterRule } from '../../model/model.ts';
import { parseIpv4Prefix } from '../../net/ipv4.ts';
import { noAttributes, type PathAttributes } from '../../rib/route.ts';
import { applyOperations, matchingRule, prepended, rulesOf } from './policy.ts';

const route: PathAttributes = {
  ...noAttributes,
  asPath: [
    { kind: 'AS_SEQUENCE', asNumbers: [65001, 65002] },
    { kind: 'AS_SET', asNumbers: [7] },
  ],
  nextHop: 1,
  communities: [0xfde90001],
  largeCommunities: [[1, 2, 3]],
};

const context = { isExternal: true, interfaces: ['ens5', 'ens6'], isRemote: true };

function rule(fields: Partial<FilterRule>): FilterRule {
  return {
    action: 'Reject',
    prefix: undefined,
    source: undefined,
    interface: undefined,
    peerType: undefined,
    community: undefined,
    asPathPrefix: undefined,
    priority: undefined,
    operations: [],
    ...fields,
  };
}

type Operator = NonNullable<FilterRule['prefix']>['operator'];

function within(cidr: string, operator: Operator, lengthMin?: number, lengthMax = 32): FilterRule {
  const v4 = parseIpv4Prefix(cidr)!;
  return rule({ prefix: { cidr, v4, operator, lengthMin: lengthMin ?? v4.length, lengthMax } });
}

const matches = (one: FilterRule, text = '10.1.0.0/16', how: Partial<typeof context> = {}) => {
  const { address, length } = parseIpv4Prefix(text)!;
  return matchingRule([one], address, length, route, { ...context, ...how }) === one;
};

describe('prefix operators', () => {
  test.each([
    ['10.0.0.0/8', 'In', '10.1.0.0/16', true],
    ['10.0.0.0/8', 'In', '10.0.0.0/8', true],
    ['10.0.0.0/8', 'In', '0.0.0.0/0', false],
    ['10.0.0.0/8', 'NotIn', '11.0.0.0/8', true],
    ['10.0.0.0/8', 'NotIn', '10.1.0.0/16', false],
    ['10.0.0.0/8', 'Equal', '10.0.0.0/8', true],
    ['10.0.0.0/8', 'Equal', '10.0.0.0/9', false],
    ['10.0.0.0/8', 'NotEqual', '10.0.0.0/9', true],
    ['10.0.0.0/8', 'NotEqual', '10.0.0.0/8', false],
  ] as const)('%s %s: %s is %s', (cidr, operator, text, expected) => {
    expect(matches(within(cidr, operator), text)).toBe(expected);
  });

  test('lengths', () => {
    const between = within('10.0.0.0/8', 'In', 16, 24);
    expect(
      ['10.0.0.0/15', '10.0.0.0/16', '10.0.0.0/24', '10.0.0.0/25'].map((each) =>
        matches(between, each),
      ),
    ).toEqual([false, true, true, false]);
  });
});

describe('the other conditions', () => {
  test.each([
    ['source', { source: 'RemotePeers' }, true],
    ['an interface', { interface: 'ens5' }, true],
    ['another interface', { interface: 'ens' }, false],
    ['a wildcard', { interface: 'e*6' }, true],
    ['a wildcard that would overlap itself', { interface: 'ens5*5' }, false],
    ['peerType', { peerType: 'eBGP' }, true],
    ['the other peerType', { peerType: 'iBGP' }, false],
    ['a community', { community: 0xfde90001 }, true],
    ['another community', { community: 0xfde90002 }, false],
    ['a large community', { community: [1, 2, 3] }, true],
    ['another large community', { community: [1, 2, 4] }, false],
    ['the path', { asPathPrefix: [65001, 65002] }, true],
    ['a path into the set', { asPathPrefix: [65001, 65002, 7] }, false],
    ['another path', { asPathPrefix: [65002] }, false],
    ['the normal priority', { priority: 1024 }, true],
    ['another priority', { priority: 1 }, false],
  ] as [string, Partial<FilterRule>, boolean][])('%s', (_, fields, expected) => {
    expect(matches(rule(fields))).toBe(expected);
  });

  test('our own routes have neither source nor interface', () => {
    const own = { interfaces: [], isRemote: false };
    expect(matches(rule({ source: 'RemotePeers' }), '10.0.0.1/32', own)).toBe(false);
    expect(matches(rule({ interface: '*' }), '10.0.0.1/32', own)).toBe(false);
  });
});

test('the first match over all filters decides; no match accepts', () => {
  const first = within('10.1.0.0/16', 'Equal');
  const last = rule({ action: 'Accept' });
  const filter = (name: string, importV4: FilterRule[]): BgpFilter => {
    return { name, importV4, exportV4: [], importV6: [], exportV6: [] };
  };
  const filters = [filter('b', [last]), filter('a', [first])];
  const rules = rulesOf(['a', 'missing', 'b'], filters, 'importV4');
  expect(rules).toEqual([first, last]);
  const { address } = parseIpv4Prefix('10.1.0.0/16')!;
  expect(matchingRule(rules, address, 16, route, context)).toBe(first);
  expect(matchingRule(rules, address, 17, route, context)).toBe(last);
  expect(matchingRule([first], address, 17, route, context)).toBeUndefined();
});

test('operations', () => {
  const changed = applyOperations(route, [
    { kind: 'addCommunity', value: 5 },
    { kind: 'addCommunity', value: 5 },
    { kind: 'addCommunity', value: [4, 5, 6] },
    { kind: 'prependAsPath', asNumbers: [9, 9] },
    { kind: 'setPriority', value: 10 },
  ]);
  expect(changed.communities).toEqual([0xfde90001, 5]);
  expect(changed.largeCommunities).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(changed.asPath[0]).toEqual({ kind: 'AS_SEQUENCE', asNumbers: [9, 9, 65001, 65002] });
  expect(changed.priority).toBe(10);
  expect(applyOperations(route, [])).toBe(route);
});

test('a full segment is not prepended to', () => {
  const long = { kind: 'AS_SEQUENCE' as const, asNumbers: new Array(255).fill(1) };
  expect(prepended([long], [2])).toEqual([{ kind: 'AS_SEQUENCE', asNumbers: [2] }, long]);
});
