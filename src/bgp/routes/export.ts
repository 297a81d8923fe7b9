// SPDX-License-Identifier: Apache-2.0
/**
 * What we announce to one neighbor (adj-RIB-out, RFC 4271 §3.2): a /32 for each ready gateway
 * address of its network, and never anything else.
 *
 * ORIGIN IGP, next hop self. To iBGP: an empty AS_PATH and LOCAL_PREF 100; to eBGP: our AS and no
 * LOCAL_PREF (§5.1.2, §5.1.5). A MED only where it is configured. Routes learned from neighbors are never passed on, so that
 * NO_EXPORT and NO_ADVERTISE (RFC 1997) are obeyed by construction.
 */
import type { FilterRule } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import { noAttributes, type PathAttributes } from '../../rib/route.ts';
import { headerBytes, messageBytesMax } from '../wire/header.ts';
import { encodeNlri } from '../wire/nlri.ts';
import { encodePathAttributes } from '../wire/path-attribute.ts';
import { encodeUpdate } from '../wire/update.ts';
import { applyOperations, matchingRule, type PolicyContext, prepended } from './policy.ts';

export interface ExportSession {
  readonly isExternal: boolean;
  readonly isFourOctet: boolean;
  readonly localAs: number;
  /** Our address of the TCP session. */
  readonly nextHop: Ipv4;
  /** undefined: no MULTI_EXIT_DISC. */
  readonly med: number | undefined;
}

const localPrefSelf = 100;
/** RFC 8326 §5: GRACEFUL_SHUTDOWN. */
const gracefulShutdown = 0xffff_0000;
/** A /32 takes 5 bytes; two length fields of 2 bytes are in every UPDATE. */
const hostRouteBytes = 5;
const updateBytesMax = messageBytesMax - headerBytes - 4;

export class AdjRibOut {
  readonly #session: ExportSession;
  #rules: readonly FilterRule[];
  /** Announced addresses with the attributes they were announced with, as text. */
  readonly #announced = new Map<Ipv4, string>();
  #wanted: readonly Ipv4[] = [];
  #isDraining = false;

  constructor(session: ExportSession, rules: readonly FilterRule[]) {
    this.#session = session;
    this.#rules = rules;
  }

  get announcedCount(): number {
    return this.#announced.size;
  }

  /** @returns bodies of the UPDATEs that lead from what was announced to these addresses */
  setAddresses(addresses: readonly Ipv4[]): Uint8Array[] {
    this.#wanted = addresses;
    return this.#difference();
  }

  /** @returns bodies of the UPDATEs that the new rules make necessary */
  setRules(rules: readonly FilterRule[]): Uint8Array[] {
    this.#rules = rules;
    return this.#difference();
  }

  /**
   * The neighbor is to take other ways while ours still works (RFC 8326 §4.1).
   *
   * @returns bodies of UPDATEs with everything again, as a last resort
   */
  drain(): Uint8Array[] {
    this.#isDraining = true;
    return this.#difference();
  }

  /** @returns bodies of UPDATEs with everything again (RFC 2918 §4) */
  repeat(): Uint8Array[] {
    this.#announced.clear();
    return this.#difference();
  }

  #difference(): Uint8Array[] {
    const next = new Map<Ipv4, { key: string; attributes: Uint8Array }>();
    for (const address of this.#wanted) {
      const attributes = this.#attributesFor(address);
      if (attributes)
        next.set(address, { key: Buffer.from(attributes).toString('hex'), attributes });
    }
    const gone = [...this.#announced.keys()].filter((address) => !next.has(address));
    const groups = new Map<string, { attributes: Uint8Array; addresses: Ipv4[] }>();
    for (const [address, { key, attributes }] of next) {
      if (this.#announced.get(address) === key) continue;
      const group = groups.get(key) ?? { attributes, addresses: [] };
      group.addresses.push(address);
      groups.set(key, group);
      this.#announced.set(address, key);
    }
    for (const address of gone) this.#announced.delete(address);
    const updates: Uint8Array[] = [];
    for (const withdrawn of chunks(gone, updateBytesMax)) updates.push(encodeUpdate({ withdrawn }));
    for (const { attributes, addresses } of groups.values()) {
      for (const nlri of chunks(addresses, updateBytesMax - attributes.length)) {
        updates.push(encodeUpdate({ attributes, nlri }));
      }
    }
    return updates;
  }

  /** @returns undefined when a filter rejects it */
  #attributesFor(address: Ipv4): Uint8Array | undefined {
    const { isExternal, localAs, nextHop, isFourOctet, med } = this.#session;
    const own: PathAttributes = { ...noAttributes, nextHop, med };
    const context: PolicyContext = { isExternal, interfaces: [], isRemote: false };
    const rule = matchingRule(this.#rules, address, 32, own, context);
    if (rule?.action === 'Reject') return undefined;
    const { asPath, ...rest } = applyOperations(own, rule?.operations ?? []);
    const attributes: PathAttributes = {
      ...rest,
      asPath: isExternal ? prepended(asPath, [localAs]) : asPath,
      localPref: isExternal ? undefined : this.#isDraining ? 0 : localPrefSelf,
      communities: this.#isDraining ? [...rest.communities, gracefulShutdown] : rest.communities,
    };
    return encodePathAttributes(attributes, { isFourOctet });
  }
}

/** /32s as NLRI fields that fit. */
function* chunks(addresses: readonly Ipv4[], bytesMax: number): Generator<Uint8Array> {
  const count = Math.floor(bytesMax / hostRouteBytes);
  for (let at = 0; at < addresses.length; at += count) {
    const part = addresses.slice(at, at + count);
    yield encodeNlri(part.map((address) => ({ address, length: 32 })));
  }
}
