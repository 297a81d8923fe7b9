// SPDX-License-Identifier: Apache-2.0
/**
 * BGPFilter: rules in order, over all filters of a neighbor; the first one that matches decides, and
 * what none matches is accepted, as in Calico.
 *
 * A route's priority is Calico's kernel metric: lower is better, 1024 unless a rule sets it. It is no
 * attribute of BGP and never leaves the box; the decision process compares it before LOCAL_PREF
 * (rib/decision.ts), so setPriority means nothing on export.
 *
 * Our own /32s are local: rules with `source: RemotePeers` or `interface` never match them.
 */
import type { BgpFilter, FilterOperation, FilterRule } from '../../model/model.ts';
import { type Ipv4, prefixHolds } from '../../net/ipv4.ts';
import { priorityDefault } from '../../rib/attributes.ts';
import type { AsPathSegment, PathAttributes } from '../../rib/route.ts';

export interface PolicyContext {
  readonly isExternal: boolean;
  /** Interfaces by which a route came; empty for our own. */
  readonly interfaces: readonly string[];
  /** Learned from a neighbor. */
  readonly isRemote: boolean;
}

/** The rules of a neighbor's filters in one list. Names that do not exist are left out. */
export function rulesOf(
  names: readonly string[],
  filters: readonly BgpFilter[],
  direction: 'importV4' | 'exportV4',
): readonly FilterRule[] {
  return names.flatMap((name) => filters.find((each) => each.name === name)?.[direction] ?? []);
}

/** @returns the rule that decides, or undefined: accepted as it is */
export function matchingRule(
  rules: readonly FilterRule[],
  address: Ipv4,
  length: number,
  attributes: PathAttributes,
  context: PolicyContext,
): FilterRule | undefined {
  for (const rule of rules) {
    if (matchesPrefix(rule.prefix, address, length) && matchesRest(rule, attributes, context)) {
      return rule;
    }
  }
  return undefined;
}

function matchesPrefix(prefix: FilterRule['prefix'], address: Ipv4, length: number): boolean {
  if (prefix === undefined) return true;
  const { v4, operator, lengthMin, lengthMax } = prefix;
  if (v4 === undefined) return false;
  const isIn = prefixHolds(v4, address, length) && length >= lengthMin && length <= lengthMax;
  const isEqual = v4.address === address && v4.length === length;
  switch (operator) {
    case 'In':
      return isIn;
    case 'NotIn':
      return !isIn;
    case 'Equal':
      return isEqual;
    case 'NotEqual':
      return !isEqual;
  }
}

function matchesRest(
  rule: FilterRule,
  attributes: PathAttributes,
  context: PolicyContext,
): boolean {
  if (rule.source === 'RemotePeers' && !context.isRemote) return false;
  if (rule.peerType !== undefined && (rule.peerType === 'eBGP') !== context.isExternal) {
    return false;
  }
  const pattern = rule.interface;
  if (pattern !== undefined && !context.interfaces.some((each) => matchesWildcard(pattern, each))) {
    return false;
  }
  const priority = attributes.priority ?? priorityDefault;
  if (rule.priority !== undefined && rule.priority !== priority) return false;
  if (rule.community !== undefined && !hasCommunity(attributes, rule.community)) return false;
  return rule.asPathPrefix === undefined || startsWith(attributes.asPath, rule.asPathPrefix);
}

/** `*` stands for any characters. */
function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return pattern === text;
  const last = parts.at(-1) ?? '';
  if (!text.startsWith(first) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function hasCommunity(
  attributes: PathAttributes,
  community: NonNullable<FilterRule['community']>,
): boolean {
  if (typeof community === 'number') return attributes.communities.includes(community);
  return attributes.largeCommunities.some((each) =>
    each.every((part, index) => part === community[index]),
  );
}

/** Whether a path begins with these numbers; a set counts as no number. */
function startsWith(path: readonly AsPathSegment[], prefix: readonly number[]): boolean {
  const numbers: number[] = [];
  for (const segment of path) {
    if (segment.kind !== 'AS_SEQUENCE') break;
    numbers.push(...segment.asNumbers);
    if (numbers.length >= prefix.length) break;
  }
  return prefix.every((as, index) => numbers[index] === as);
}

/** @returns the attributes after a rule's operations; the same object when there are none */
export function applyOperations(
  attributes: PathAttributes,
  operations: readonly FilterOperation[],
): PathAttributes {
  return operations.reduce(applyOperation, attributes);
}

function applyOperation(attributes: PathAttributes, operation: FilterOperation): PathAttributes {
  switch (operation.kind) {
    case 'addCommunity': {
      const { value } = operation;
      if (hasCommunity(attributes, value)) return attributes;
      return typeof value === 'number'
        ? { ...attributes, communities: [...attributes.communities, value] }
        : { ...attributes, largeCommunities: [...attributes.largeCommunities, value] };
    }
    case 'prependAsPath':
      return { ...attributes, asPath: prepended(attributes.asPath, operation.asNumbers) };
    case 'setPriority':
      return { ...attributes, priority: operation.value };
  }
}

/** RFC 4271 §5.1.2: into the leading sequence, or a new one when it is full or there is none. */
export function prepended(
  path: readonly AsPathSegment[],
  asNumbers: readonly number[],
): readonly AsPathSegment[] {
  const [first, ...rest] = path;
  if (first?.kind === 'AS_SEQUENCE' && first.asNumbers.length + asNumbers.length <= 255) {
    return [{ kind: 'AS_SEQUENCE', asNumbers: [...asNumbers, ...first.asNumbers] }, ...rest];
  }
  return asNumbers.length === 0 ? path : [{ kind: 'AS_SEQUENCE', asNumbers }, ...path];
}
