// SPDX-License-Identifier: Apache-2.0
/**
 * From a neighbor's UPDATEs to its adj-RIB-in: what is sound, free of loops and accepted by policy
 * (RFC 4271 §9, §9.1.2).
 *
 * Refused for the whole UPDATE, as if withdrawn: what RFC 7606 treats so; our AS in AS_PATH more often
 * than allowed (§9.1.2); a first AS that is not the external neighbor's (§6.3), unless accepted by
 * configuration; a next hop that is no host's address or our own (§6.3); our own ORIGINATOR_ID, or
 * our identifier in CLUSTER_LIST (RFC 4456 §8). Refused one by one: prefixes of multicast, loopback and 0/8 (§6.3), by the filters, and
 * those above a limit that drops.
 *
 * Prefixes are IPv4's: UPDATEs bring no others here (bgp/wire/update.ts).
 */
import type { FilterRule } from '../../model/model.ts';
import { formatIpv4, type Ipv4, prefixHolds } from '../../net/ipv4.ts';
import { PrefixSet } from '../../rib/prefix-set.ts';
import type { AdjRibIn, AttributesId, PathAttributes, RibInput } from '../../rib/route.ts';
import { isExternal, type SpeakerNeighbor } from '../neighbor.ts';
import { ByteWriter, u32 } from '../wire/bytes.ts';
import { forEachPrefix } from '../wire/nlri.ts';
import { encodePathAttributes } from '../wire/path-attribute.ts';
import type { Update } from '../wire/update.ts';
import { applyOperations, matchingRule, type PolicyContext } from './policy.ts';

export interface ImportSession {
  readonly remoteId: Ipv4;
  readonly isFourOctet: boolean;
  /** Our address of the TCP session. */
  readonly localAddress: Ipv4;
}

/** First byte of an interned key: how the rest is to be read. */
const keyKind = { twoOctet: 0, fourOctet: 1, external: 2, canonical: 4 } as const;

const martians = [
  { address: 0, length: 8 },
  { address: 0x7f000000, length: 8 },
  { address: 0xe0000000, length: 4 },
];

export class ImportedRoutes {
  readonly #rib: RibInput;
  readonly #routes: AdjRibIn;
  #neighbor: SpeakerNeighbor;
  #rules: readonly FilterRule[];
  #session: ImportSession;
  #context: PolicyContext;
  /** IPv4 prefixes announced but not accepted. */
  readonly #rejected: PrefixSet;
  /** Why the last UPDATE was refused as a whole, for status. */
  lastRefusal: string | undefined;
  /** Announcements that were refused because the neighbor is at its limit. */
  droppedCount = 0;

  constructor(
    rib: RibInput,
    neighbor: SpeakerNeighbor,
    rules: readonly FilterRule[],
    session: ImportSession,
  ) {
    this.#rib = rib;
    this.#rejected = new PrefixSet(rib.seed);
    this.#neighbor = neighbor;
    this.#rules = rules;
    this.#session = session;
    this.#context = contextOf(neighbor);
    this.#routes = rib.openSource({
      kind: 'bgp',
      name: formatIpv4(neighbor.address),
      bgp: {
        isExternal: isExternal(neighbor),
        remoteAs: neighbor.remoteAs,
        localAs: neighbor.localAs,
        remoteId: session.remoteId,
        remoteAddress: neighbor.address,
      },
    });
  }

  get remoteId(): Ipv4 {
    return this.#session.remoteId;
  }

  get acceptedCount(): number {
    return this.#routes.routeCount;
  }

  get receivedCount(): number {
    return this.#routes.routeCount + this.#rejected.count;
  }

  /** What has been announced stays as it is until it is announced again. */
  setPolicy(neighbor: SpeakerNeighbor, rules: readonly FilterRule[]): void {
    if (this.#neighbor.maximumPrefixes !== neighbor.maximumPrefixes) this.droppedCount = 0;
    this.#neighbor = neighbor;
    this.#rules = rules;
    this.#context = contextOf(neighbor);
  }

  /** The neighbor is back (RFC 4724 §4.2): the routes stay, the session is new. */
  resume(session: ImportSession): void {
    this.#session = session;
    this.droppedCount = 0;
  }

  receive(update: Update): void {
    forEachPrefix(update.withdrawn, (address, length) => this.#withdraw(address, length));
    const { mpReach, mpUnreach, attributes, attributeKey } = update;
    if (mpUnreach) {
      forEachPrefix(mpUnreach.nlri, (address, length) => this.#withdraw(address, length));
    }
    const refuse = (of: PathAttributes) =>
      update.isTreatedAsWithdraw ? 'RFC 7606' : this.#refusal(of);
    if (update.nlri.length > 0) {
      this.#announceAll(update.nlri, attributes, attributeKey, refuse(attributes));
    }
    if (mpReach) {
      // Its next hop counts, whatever NEXT_HOP says (RFC 4760 §3).
      const own = { ...attributes, nextHop: u32(mpReach.nextHop, 0) };
      this.#announceAll(mpReach.nlri, own, undefined, refuse(own));
    }
  }

  /** Routes stay, as stale, until they are repeated (RFC 4724 §4.2, RFC 7313 §4). */
  markStale(): void {
    this.#routes.markStale();
    this.#rejected.clear();
  }

  sweepStale(): void {
    this.#routes.sweepStale();
  }

  close(): void {
    this.#routes.close();
    this.#rejected.clear();
  }

  #withdraw(address: Ipv4, length: number): void {
    this.#rejected.delete(address, length);
    this.#routes.withdraw(address, length);
  }

  #reject(address: Ipv4, length: number): void {
    this.#routes.withdraw(address, length);
    this.#rejected.add(address, length);
    this.#dropExcess(address, length);
  }

  /**
   * Of a neighbor that is over its limit: removes the route that was just taken, be it new or, after the
   * limit was lowered, known. Nothing of it is kept, or the limit would not bound memory.
   */
  #dropExcess(address: Ipv4, length: number): void {
    const { maximumPrefixes, maximumPrefixesAction } = this.#neighbor;
    if (maximumPrefixesAction === 'Idle' || this.receivedCount <= maximumPrefixes) return;
    this.#withdraw(address, length);
    this.droppedCount += 1;
  }

  /** @param key - see Update */
  #announceAll(
    nlri: Uint8Array,
    attributes: PathAttributes,
    key: Uint8Array | undefined,
    refusal: string | undefined,
  ): void {
    if (refusal !== undefined) {
      this.lastRefusal = refusal;
      forEachPrefix(nlri, (address, length) => this.#reject(address, length));
      return;
    }
    const plain = key ? this.#internRaw(attributes, key) : this.#internCanonical(attributes);
    const changed = new Map<FilterRule, AttributesId>();
    forEachPrefix(nlri, (address, length) => {
      if (isMartian(address, length)) {
        this.#reject(address, length);
        return;
      }
      let id = plain;
      if (this.#rules.length > 0) {
        const rule = matchingRule(this.#rules, address, length, attributes, this.#context);
        if (rule?.action === 'Reject') {
          this.#reject(address, length);
          return;
        }
        if (rule && rule.operations.length > 0) {
          id =
            changed.get(rule) ??
            this.#internCanonical(applyOperations(attributes, rule.operations));
          changed.set(rule, id);
        }
      }
      this.#rejected.delete(address, length);
      this.#routes.announce(address, length, id);
      this.#dropExcess(address, length);
    });
  }

  /** @returns why nothing of this UPDATE may be used, or undefined */
  #refusal(attributes: PathAttributes): string | undefined {
    const { localAs, remoteAs, routerId, allowedLocalAsCount, isFirstAsEnforced } = this.#neighbor;
    const { asPath, originatorId, clusterList, nextHop } = attributes;
    if (this.#context.isExternal && isFirstAsEnforced) {
      const first = asPath[0];
      if (first?.kind !== 'AS_SEQUENCE' || first.asNumbers[0] !== remoteAs) {
        return `AS_PATH does not begin with ${remoteAs}`;
      }
    }
    let ownCount = 0;
    for (const { asNumbers } of asPath) {
      for (const as of asNumbers) if (as === localAs) ownCount += 1;
    }
    if (ownCount > allowedLocalAsCount) return `AS_PATH holds our AS ${ownCount} times`;
    if (originatorId === routerId) return 'ORIGINATOR_ID is ours';
    if (clusterList.includes(routerId)) return 'CLUSTER_LIST holds our identifier';
    if (nextHop === undefined) return undefined;
    if (!isHostAddress(nextHop)) return `next hop ${formatIpv4(nextHop)} is no host`;
    if (nextHop === this.#session.localAddress) return 'the next hop is our own address';
    return undefined;
  }

  #internRaw(attributes: PathAttributes, bytes: Uint8Array): AttributesId {
    const width = this.#session.isFourOctet ? keyKind.fourOctet : keyKind.twoOctet;
    const side = this.#context.isExternal ? keyKind.external : 0;
    const key = new Uint8Array(1 + bytes.length);
    key[0] = width | side;
    key.set(bytes, 1);
    return this.#rib.attributes.intern(key, () => attributes);
  }

  #internCanonical(attributes: PathAttributes): AttributesId {
    const bytes = encodePathAttributes(attributes, { isFourOctet: true });
    const priority = attributes.priority ?? 0;
    const key = new ByteWriter().u8(keyKind.canonical).u32(priority).bytes(bytes).done();
    return this.#rib.attributes.intern(key, () => attributes);
  }
}

function contextOf(neighbor: SpeakerNeighbor): PolicyContext {
  return {
    isExternal: isExternal(neighbor),
    interfaces: neighbor.interfaces,
    isRemote: true,
  };
}

/** Neither 0/8, nor loopback, nor class D or E. */
function isHostAddress(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

function isMartian(address: Ipv4, length: number): boolean {
  return martians.some((martian) => prefixHolds(martian, address, length));
}
