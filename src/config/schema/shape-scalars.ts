// SPDX-License-Identifier: Apache-2.0
/** Shapes of single values: texts, numbers, addresses, durations, selectors. */

import { nearestName } from '../../lib/nearest.ts';
import { parseAsn } from '../../net/asn.ts';
import { type Community, parseCommunity } from '../../net/community.ts';
import { formatDurationMs, parseDurationMs } from '../../net/duration.ts';
import {
  formatIpv4Prefix,
  type Ipv4,
  type Ipv4Prefix,
  parseIpv4,
  parseIpv4Prefix,
} from '../../net/ipv4.ts';
import { isIpv6, parseIpv6Length } from '../../net/ipv6.ts';
import type { Located, Report, ScalarValue, Value } from '../yaml/located.ts';
import { describeValue, quote } from '../yaml/located.ts';
import { parseSelector, type Selector } from './selector.ts';
import type { Shape } from './shape.ts';

/** What a scalar's check answers: the value, or what is wrong with it. */
type Judged<Out> = { readonly value: Out } | { readonly problem: string; readonly hint?: string };

function scalar<Out>(
  says: string,
  judge: (value: ScalarValue, report: Report, path: string) => Judged<Out>,
): Shape<Located<Out>> {
  return {
    says,
    fields: undefined,
    item: undefined,
    read(value, path, report) {
      const place = { at: value.at, path };
      const judged =
        value.kind === 'scalar' ? judge(value, report, path) : { problem: mustBe(says, value) };
      if ('value' in judged) return { ...place, value: judged.value };
      report.error(place, judged.problem, judged.hint);
      return undefined;
    },
  };
}

function mustBe(says: string, value: Value): string {
  return `must be ${says}, not ${describeValue(value)}`;
}

/** A shape over texts only: for a number or boolean the hint is to quote it. */
function textual<Out>(says: string, judge: (text: string) => Judged<Out>): Shape<Located<Out>> {
  const shape = scalar(says, (value) => {
    if (typeof value.value === 'string') return judge(value.value);
    const hint = value.value === null ? undefined : `Quote it: "${value.text}".`;
    return { problem: mustBe(says, value), ...(hint === undefined ? {} : { hint }) };
  });
  return { ...shape, isEmptyAbsent: true };
}

export function text(
  limits: { readonly max?: number; readonly pattern?: RegExp; readonly says?: string } = {},
): Shape<Located<string>> {
  const { max, pattern, says = 'text' } = limits;
  return textual(says, (value) => {
    if (value === '') return { problem: `must be ${says}, not empty` };
    if (max !== undefined && value.length > max) {
      return { problem: `has ${value.length} characters; at most ${max} are allowed` };
    }
    if (pattern && !pattern.test(value)) return { problem: `must be ${says}, not ${quote(value)}` };
    return { value };
  });
}

/** Any text, the empty one too. */
export const anyText: Shape<Located<string>> = textual('text', (value) => ({ value }));

/** A DNS subdomain of lower-case letters (RFC 1123 §2.1). */
export const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Of a resource: lower-case letters, digits, `-` and `.`. */
export const resourceName = text({
  max: 253,
  pattern: subdomain,
  says: 'a resource name (lower-case letters, digits, - and .)',
});

/** Of a Linux interface. */
export const interfaceName = text({
  pattern: /^(?!\.{1,2}$)[^\s/:%*]{1,15}$/,
  says: 'an interface name (1 to 15 characters)',
});

export function integer(min: number, max: number): Shape<Located<number>> {
  const says = max >= 0x7fff_ffff ? `an integer from ${min}` : `an integer, ${min} to ${max}`;
  return scalar(says, (value) => {
    if (
      typeof value.value !== 'number' ||
      !/^[-+]?(\d+|0x[\da-fA-F]+|0o[0-7]+)$/.test(value.text)
    ) {
      const isQuoted = typeof value.value === 'string' && /^\d+$/.test(value.value);
      return {
        problem: mustBe(says, value),
        ...(isQuoted ? { hint: `Without quotes: ${value.value}.` } : {}),
      };
    }
    if (hasLeadingZero(value)) return ambiguous(value);
    if (value.value < min || value.value > max) {
      return { problem: `must be ${min} to ${max}, not ${value.text}` };
    }
    return { value: value.value };
  });
}

/** A plain number such as 0500: decimal in YAML 1.2, octal (320) in the YAML 1.1 of kubectl. */
function hasLeadingZero({ value, text }: ScalarValue): boolean {
  return typeof value === 'number' && /^[-+]?0\d/.test(text);
}

function ambiguous({ text }: ScalarValue): { readonly problem: string; readonly hint: string } {
  const decimal = text.replace(/^([-+]?)0+(?=\d)/, '$1');
  return {
    problem: `${text} begins with 0, which some read as octal`,
    hint: `Write ${decimal}, if it is decimal.`,
  };
}

export const boolean: Shape<Located<boolean>> = scalar('true or false', (value) => {
  if (typeof value.value === 'boolean') return { value: value.value };
  const word = typeof value.value === 'string' ? value.value.toLowerCase() : '';
  const meant = ['true', 'yes', 'on', 'y'].includes(word)
    ? true
    : ['false', 'no', 'off', 'n'].includes(word)
      ? false
      : undefined;
  return {
    problem: mustBe('true or false', value),
    ...(meant === undefined ? {} : { hint: `Write ${meant}, without quotes.` }),
  };
});

export function choice<const Names extends readonly string[]>(
  ...names: Names
): Shape<Located<Names[number]>> {
  return oneOf(names, (text) => names.find((name) => name === text));
}

/** Upper and lower case are one. */
export function choiceAnyCase<const Names extends readonly string[]>(
  ...names: Names
): Shape<Located<Names[number]>> {
  return oneOf(names, (text) => names.find((name) => name.toLowerCase() === text.toLowerCase()));
}

function oneOf<Name extends string>(
  names: readonly Name[],
  find: (text: string) => Name | undefined,
): Shape<Located<Name>> {
  const says = names.join(', ').replace(/, ([^,]*)$/, ' or $1');
  const shape = scalar(says, (value): Judged<Name> => {
    const found = typeof value.value === 'string' ? find(value.value) : undefined;
    if (found !== undefined) return { value: found };
    const near = typeof value.value === 'string' ? nearestName(value.value, names) : undefined;
    return {
      problem: mustBe(says, value),
      ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
    };
  });
  return { ...shape, choices: names, isEmptyAbsent: true };
}

/** Milliseconds, from `90s`, `5m`, `2h4m`, `500ms`. */
export function duration(minMs: number, maxMs: number): Shape<Located<number>> {
  const range = `${formatDurationMs(minMs)} to ${formatDurationMs(maxMs)}`;
  return scalar(`a duration, ${range}`, (value) => {
    const durationMs = parseDurationMs(value.text);
    if (durationMs === undefined) {
      const isNumber = typeof value.value === 'number';
      return {
        problem: mustBe('a duration such as 90s or 2h4m', value),
        hint: isNumber ? `Give the unit: ${value.text}s.` : 'Units: ms, s, m, h.',
      };
    }
    if (durationMs < minMs || durationMs > maxMs) {
      return { problem: `must be ${range}, not ${value.text}` };
    }
    return { value: durationMs };
  });
}

/** From the source text: `1.10` is AS 65546, not the number 1.1. */
export const asNumber: Shape<Located<number>> = scalar('an AS number (64512 or 1.10)', (value) => {
  if (hasLeadingZero(value) && !value.text.includes('.')) return ambiguous(value);
  const isText = typeof value.value === 'string' || typeof value.value === 'number';
  const asn = isText ? parseAsn(value.text) : undefined;
  if (asn === undefined) return { problem: mustBe('an AS number (64512 or 1.10)', value) };
  if (asn === 0) return { problem: 'AS 0 is reserved (RFC 7607)' };
  return { value: asn };
});

export const ipv4: Shape<Located<Ipv4>> = textual('an IPv4 address', (value) => {
  const address = parseIpv4(value);
  if (address !== undefined) return { value: address };
  return {
    problem: `must be an IPv4 address, not ${quote(value)}`,
    ...(isIpv6(value) ? { hint: 'IPv6 is not supported here.' } : {}),
  };
});

/** An address of either family; IPv6 is kept as text. */
export type AnyAddress =
  | { readonly family: 4; readonly address: Ipv4 }
  | { readonly family: 6; readonly text: string };

export const anyAddress: Shape<Located<AnyAddress>> = textual(
  'an IP address',
  (value): Judged<AnyAddress> => {
    const address = parseIpv4(value);
    if (address !== undefined) return { value: { family: 4, address } };
    if (isIpv6(value)) return { value: { family: 6, text: value } };
    return { problem: `must be an IP address, not ${quote(value)}` };
  },
);

export interface CidrV4 {
  readonly family: 4;
  readonly text: string;
  readonly prefix: Ipv4Prefix;
}
export interface CidrV6 {
  readonly family: 6;
  readonly text: string;
  readonly length: number;
}
export type Cidr = CidrV4 | CidrV6;

/** An IPv4 prefix with its host bits zero. */
export const prefix: Shape<Located<CidrV4>> = textual('an IPv4 prefix', (value) => {
  const judged = judgeCidr(value, 'refuse');
  if (!('value' in judged) || judged.value.family === 4) return judged as Judged<CidrV4>;
  return {
    problem: `must be an IPv4 prefix, not ${quote(value)}`,
    hint: 'IPv6 is not supported here.',
  };
});

/** A prefix of either family with its host bits zero. */
export const exactCidr: Shape<Located<Cidr>> = textual('a prefix', (value) =>
  judgeCidr(value, 'refuse'),
);

/** A prefix of either family; host bits are cleared, as Calico does, with a note. */
export const cidr: Shape<Located<Cidr>> = lenientCidr('a prefix', false);

/** As cidr; a bare address is a prefix of full length. */
export const net: Shape<Located<Cidr>> = lenientCidr('a prefix or an address', true);

/**
 * An address, as a prefix of full length. Of a Pod's status: Kubernetes writes no length there;
 * Calico's own annotations do.
 */
export const host: Shape<Located<Cidr>> = textual('an IP address', (value): Judged<Cidr> => {
  const address = parseIpv4(value);
  if (address !== undefined) {
    return { value: { family: 4, text: `${value}/32`, prefix: { address, length: 32 } } };
  }
  if (isIpv6(value)) return { value: { family: 6, text: `${value}/128`, length: 128 } };
  const [bare = ''] = value.split('/');
  const isWithLength = bare !== value && (parseIpv4(bare) !== undefined || isIpv6(bare));
  return {
    problem: `must be an IP address, not ${quote(value)}`,
    ...(isWithLength ? { hint: `Without a length: ${bare}.` } : {}),
  };
});

/** An address of an interface, with the length of its prefix. */
export const interfaceAddress: Shape<Located<string>> = textual(
  'an address and its prefix length',
  (value): Judged<string> => {
    const v4 = parseIpv4Prefix(value);
    if (v4 ? v4.length > 0 : (parseIpv6Length(value) ?? 0) > 0) {
      const bare = parseIpv4(value.split('/')[0] ?? '');
      if (bare === undefined || isHostAddress(bare)) return { value };
      return { problem: `${value} is no address of one host` };
    }
    const isBare = parseIpv4(value) !== undefined;
    return {
      problem: `must be an address and its prefix length, not ${quote(value)}`,
      ...(isBare ? { hint: `With the length of its prefix: ${value}/24.` } : {}),
    };
  },
);

/** Neither of this network, loopback, multicast nor reserved (RFC 6890). */
function isHostAddress(address: Ipv4): boolean {
  const first = address >>> 24;
  return first > 0 && first < 224 && first !== 127;
}

function lenientCidr(says: string, isAddressAllowed: boolean): Shape<Located<Cidr>> {
  const shape = scalar(says, (value, report, path): Judged<Cidr> => {
    if (typeof value.value !== 'string') return { problem: mustBe(says, value) };
    const full = isIpv6(value.value) ? '/128' : '/32';
    const isBare = isAddressAllowed && !value.value.includes('/');
    const judged = judgeCidr(isBare ? value.value + full : value.value, 'clear');
    if ('problem' in judged)
      return { ...judged, problem: `must be ${says}, not ${quote(value.value)}` };
    if (judged.value.family === 4 && formatIpv4Prefix(judged.value.prefix) !== judged.value.text) {
      const cleared = formatIpv4Prefix(judged.value.prefix);
      report.note(value.at, `${path}: ${value.value} is read as ${cleared}`);
      return { value: { ...judged.value, text: cleared } };
    }
    return judged;
  });
  return { ...shape, isEmptyAbsent: true };
}

function judgeCidr(value: string, hostBits: 'refuse' | 'clear'): Judged<Cidr> {
  const v4 = parseIpv4Prefix(value);
  if (v4) {
    const { isExact, ...prefixV4 } = v4;
    if (!isExact && hostBits === 'refuse') {
      return {
        problem: `${value} has host bits set`,
        hint: `The prefix is ${formatIpv4Prefix(prefixV4)}.`,
      };
    }
    return { value: { family: 4, text: value, prefix: prefixV4 } };
  }
  const length = parseIpv6Length(value);
  if (length !== undefined) return { value: { family: 6, text: value, length } };
  const isAddress = parseIpv4(value) !== undefined;
  return {
    problem: `must be a prefix such as 192.0.2.0/24, not ${quote(value)}`,
    ...(isAddress ? { hint: `For the one address write ${value}/32.` } : {}),
  };
}

export const community: Shape<Located<Community>> = scalar(
  'a community (aa:nn or aa:nn:mm)',
  (value) => {
    const parsed = typeof value.value === 'string' ? parseCommunity(value.value) : undefined;
    return parsed === undefined
      ? { problem: mustBe('a community (aa:nn or aa:nn:mm)', value) }
      : { value: parsed };
  },
);

/** A selector with its text. The message counts characters of the selector from 1. */
export interface SelectorText {
  readonly text: string;
  readonly selector: Selector;
}

export function selector(max = Number.POSITIVE_INFINITY): Shape<Located<SelectorText>> {
  return textual('a selector', (value) => judgeSelector(value, max));
}

export function judgeSelector(value: string, max = Number.POSITIVE_INFINITY): Judged<SelectorText> {
  if (value.length > max) {
    return { problem: `has ${value.length} characters; at most ${max} are allowed` };
  }
  const parsed = parseSelector(value);
  if (parsed.ok) return { value: { text: value, selector: parsed.value } };
  const { offset, message } = parsed.fault;
  return {
    problem: `${message} at character ${offset + 1} of the selector ${quote(value)}`,
    hint: "For example: egress == 'red' && has(site).",
  };
}
