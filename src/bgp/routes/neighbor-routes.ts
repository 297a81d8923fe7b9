// SPDX-License-Identifier: Apache-2.0
/**
 * A neighbor's routes in both directions, over as many connections as it takes.
 *
 * In: UPDATEs to the adj-RIB-in, and as helper of a graceful restart (RFC 4724 §4.2) the routes of a
 * neighbor whose connection died without a NOTIFICATION, or with one that is no Hard Reset where both
 * know RFC 8538: they stay, as stale, until it is back and has sent End-of-RIB, or its time is up.
 * Out: our /32s, and End-of-RIB behind them. Both directions again on route refresh (RFC 2918, RFC
 * 7313).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../lib/clock.ts';
import { DeadlineTimer } from '../../lib/deadline-timer.ts';
import type { Log } from '../../lib/log.ts';
import type { FilterRule } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import type { RibInput } from '../../rib/route.ts';
import { keepsForwarding, type Negotiated } from '../connection/negotiate.ts';
import { hasSameLimit, isExternal, type SpeakerNeighbor } from '../neighbor.ts';
import type { SessionRecord } from '../session-record.ts';
import type { NeighborRow } from '../status.ts';
import { type Family, ipv4Unicast } from '../wire/family.ts';
import { messageType } from '../wire/header.ts';
import { type BgpFault, makeCease } from '../wire/notification.ts';
import { decodeRouteRefresh, encodeRouteRefresh, refreshSubtype } from '../wire/route-refresh.ts';
import { decodeUpdate, encodeEndOfRib, type Update } from '../wire/update.ts';
import { AdjRibOut } from './export.ts';
import { ImportedRoutes } from './import.ts';
import { PrefixLimit } from './prefix-limit.ts';
import { RefreshRequest } from './refresh-request.ts';

export interface SessionPolicy {
  readonly importRules: readonly FilterRule[];
  readonly exportRules: readonly FilterRule[];
}

export interface RoutesSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly rib: RibInput;
  readonly record: SessionRecord;
  changed(kind: 'endOfRib' | 'quiet' | 'pause'): void;
}

/** An established connection, as far as routes go. */
export interface RoutesConnection {
  readonly negotiated: Negotiated;
  readonly localAddress: Ipv4;
  send(type: number, body: Uint8Array): void;
}

/** RFC 4724 §4.2: how long a neighbor that is back may take to End-of-RIB. */
const endOfRibWaitMs = 360_000;
/** A neighbor that sends no End-of-RIB and has been silent this long has said everything. */
const quietMs = 2_000;
/** Of all neighbors together, which share what is equal; a full table's are a tenth of it. */
const attributeBytesMax = 1 << 30;

export class NeighborRoutes {
  readonly #around: RoutesSurroundings;
  readonly #staleTimer: DeadlineTimer;
  readonly #quietTimer: DeadlineTimer;
  readonly #limit: PrefixLimit;
  readonly #refresh: RefreshRequest;
  #neighbor: SpeakerNeighbor;
  #policy: SessionPolicy;
  #connection: RoutesConnection | undefined;
  #imported: ImportedRoutes | undefined;
  #exported: AdjRibOut | undefined;
  #exportAddresses: readonly Ipv4[] = [];
  #isDraining = false;
  #isStale = false;
  /** No restart of the neighbor, nor several in a row, keeps a stale route longer. */
  #staleUntilMs = 0;
  #isEndOfRibReceived = false;

  constructor(around: RoutesSurroundings, neighbor: SpeakerNeighbor, policy: SessionPolicy) {
    this.#around = around;
    this.#neighbor = neighbor;
    this.#policy = policy;
    this.#limit = new PrefixLimit(around.log);
    const hasRoutes = () => (this.#imported?.receivedCount ?? 0) > 0;
    this.#refresh = new RefreshRequest(around.clock, around.log, hasRoutes);
    this.#staleTimer = new DeadlineTimer(around.clock, () => this.#staleExpired());
    this.#quietTimer = new DeadlineTimer(around.clock, () =>
      around.changed(this.#sendsEndOfRib ? 'pause' : 'quiet'),
    );
  }

  get policy(): SessionPolicy {
    return this.#policy;
  }

  up(connection: RoutesConnection): void {
    this.#connection = connection;
    this.#isEndOfRibReceived = false;
    this.#limit.reset();
    this.#resumeImport(connection);
    this.#startExport(connection);
    this.#quietTimer.start(quietMs);
  }

  /** @param isGraceful - the neighbor's routes stay, as stale */
  down(isGraceful: boolean): void {
    const { gracefulRestart: restart, isNotificationGraceful } = this.#connection?.negotiated ?? {};
    this.#connection = undefined;
    this.#exported = undefined;
    this.#quietTimer.stop();
    this.#refresh.settle();
    if (!isGraceful || !this.#imported || !restart) {
      this.drop();
      return;
    }
    // What was stale already is not kept for a second restart (RFC 4724 §4.2), or by RFC 8538 §4.1
    // only as long as it would have been.
    const restartTimeMs = restart.restartTimeSeconds * 1000;
    const isKept = this.#isStale && isNotificationGraceful;
    if (this.#isStale && !isKept) this.#imported.sweepStale();
    if (!isKept) this.#staleUntilMs = this.#around.clock.nowMs() + restartTimeMs + endOfRibWaitMs;
    this.#imported.markStale();
    this.#isStale = true;
    this.#startStaleTimer(restartTimeMs);
  }

  #startStaleTimer(delayMs: number): void {
    const leftMs = this.#staleUntilMs - this.#around.clock.nowMs();
    this.#staleTimer.start(Math.max(0, Math.min(delayMs, leftMs)));
  }

  /** The neighbor's routes go. */
  drop(): void {
    this.#imported?.close();
    this.#imported = undefined;
    this.#isStale = false;
    this.#staleTimer.stop();
  }

  /** Nothing happens any more; the routes are left to the end of the process. */
  abandon(): void {
    this.#connection = undefined;
    this.#exported = undefined;
    this.#staleTimer.stop();
    this.#quietTimer.stop();
    this.#refresh.settle();
  }

  setExports(addresses: readonly Ipv4[]): void {
    this.#exportAddresses = addresses;
    if (this.#exported) this.#sendUpdates(this.#exported.setAddresses(addresses));
  }

  /** What is announced from now on is a last resort for the neighbor, also in a new session. */
  drain(): void {
    this.#isDraining = true;
    if (this.#exported) this.#sendUpdates(this.#exported.drain());
  }

  /** @returns false when the neighbor cannot be asked to repeat what new rules may judge otherwise */
  setPolicy(neighbor: SpeakerNeighbor, policy: SessionPolicy): boolean {
    const isLimitSame = hasSameLimit(this.#neighbor, neighbor);
    if (!isLimitSame) this.#limit.reset();
    const isImportSame =
      isDeepStrictEqual(this.#policy.importRules, policy.importRules) &&
      this.#neighbor.allowedLocalAsCount === neighbor.allowedLocalAsCount &&
      this.#neighbor.isFirstAsEnforced === neighbor.isFirstAsEnforced &&
      isLimitSame &&
      (isDeepStrictEqual(this.#neighbor.interfaces, neighbor.interfaces) ||
        policy.importRules.every((rule) => rule.interface === undefined));
    this.#neighbor = neighbor;
    this.#policy = policy;
    this.#imported?.setPolicy(neighbor, policy.importRules);
    if (this.#exported) this.#sendUpdates(this.#exported.setRules(policy.exportRules));
    if (!this.#connection || isImportSame) return true;
    const { negotiated } = this.#connection;
    if (!negotiated.hasRouteRefresh) return false;
    this.#askAgain(negotiated);
    return true;
  }

  /** Announces all again, and asks for all (RFC 2918). @returns false when it is not up, or has no route refresh */
  refresh(): boolean {
    const negotiated = this.#connection?.negotiated;
    if (!negotiated?.hasRouteRefresh) return false;
    this.#repeatExports(ipv4Unicast, negotiated);
    this.#askAgain(negotiated);
    return true;
  }

  #askAgain({ hasEnhancedRouteRefresh }: Negotiated): void {
    this.#sendRefresh(refreshSubtype.request, ipv4Unicast);
    this.#refresh.sent(hasEnhancedRouteRefresh);
  }

  /** @returns the NOTIFICATION to send, when the UPDATE ends the session */
  updateReceived(body: Uint8Array): BgpFault | undefined {
    if (!this.#connection || !this.#imported) return undefined;
    const { record, log } = this.#around;
    const { negotiated } = this.#connection;
    const update = decodeUpdate(body, {
      ...negotiated,
      isExternal: isExternal(this.#neighbor),
    });
    if (!update.ok) {
      record.attributeFault('session-reset');
      return update.fault;
    }
    for (const { outcome, reason } of update.value.faults) {
      if (record.attributeFault(outcome)) log.warn({ outcome, reason }, 'BGP attribute fault');
    }
    this.#imported.receive(update.value);
    if (isAnnouncing(update.value)) this.#refresh.announced();
    const excess = this.#excess(this.#imported, update.value);
    if (excess) return excess;
    if (!this.#isEndOfRibReceived) this.#quietTimer.start(quietMs);
    if (update.value.isEndOfRib) this.#endOfRib();
    return undefined;
  }

  routeRefreshReceived(body: Uint8Array): BgpFault | undefined {
    const decoded = decodeRouteRefresh(body);
    const negotiated = this.#connection?.negotiated;
    // RFC 7313 §5: the error exists only where enhanced route refresh was agreed on.
    if (!decoded.ok) return negotiated?.hasEnhancedRouteRefresh ? decoded.fault : undefined;
    const { family, subtype } = decoded.value;
    if (!negotiated?.families.includes(family)) return undefined;
    if (subtype === refreshSubtype.begin) this.#refresh.settle();
    if (subtype === refreshSubtype.request) this.#repeatExports(family, negotiated);
    if (negotiated.hasEnhancedRouteRefresh) this.#repeated(subtype, negotiated);
    return undefined;
  }

  /**
   * RFC 7313 §4: what the neighbor does not repeat between BoRR and EoRR is removed. Before the End-of-RIB
   * that it owes us, neither counts: what is stale then is so by its restart.
   */
  #repeated(subtype: number, negotiated: Negotiated): void {
    if (negotiated.gracefulRestart && !this.#isEndOfRibReceived) return;
    if (subtype === refreshSubtype.begin) this.#imported?.markStale();
    if (subtype === refreshSubtype.end) this.#imported?.sweepStale();
  }

  /** Its part of a row. */
  snapshot(): Pick<
    NeighborRow,
    | 'received'
    | 'accepted'
    | 'announced'
    | 'lastRefusal'
    | 'droppedCount'
    | 'warning'
    | 'isEndOfRibReceived'
    | 'isStale'
    | 'staleRemainingMs'
  > {
    const received = this.#imported?.receivedCount ?? 0;
    const droppedCount = this.#imported?.droppedCount ?? 0;
    return {
      received,
      droppedCount,
      warning: this.#warning(received, droppedCount),
      accepted: this.#imported?.acceptedCount ?? 0,
      announced: this.#exported?.announcedCount ?? 0,
      lastRefusal: this.#imported?.lastRefusal,
      isEndOfRibReceived: this.#isEndOfRibReceived,
      isStale: this.#isStale,
      staleRemainingMs: this.#staleTimer.remainingMs,
    };
  }

  #warning(received: number, dropped: number): string | undefined {
    const limit = this.#limit.warning(this.#neighbor, received, dropped);
    const texts = [limit, this.#refresh.warning].filter((each) => each !== undefined);
    return texts.length > 0 ? texts.join('; ') : undefined;
  }

  /**
   * RFC 4724 §2: a neighbor with the capability sends it. One that restarts itself waits for ours first,
   * and is not waited for (§4.1).
   */
  get #sendsEndOfRib(): boolean {
    const restart = this.#connection?.negotiated.gracefulRestart;
    return restart !== undefined && !restart.isRestarting;
  }

  /** RFC 4486 §4: what ends the session of a neighbor that announces without end. */
  #excess(imported: ImportedRoutes, update: Update): BgpFault | undefined {
    const { receivedCount, droppedCount } = imported;
    const excess = this.#limit.check(this.#neighbor, receivedCount, droppedCount);
    if (excess) return excess;
    if (isAnnouncing(update) && this.#around.rib.attributes.weightBytes > attributeBytesMax) {
      return makeCease('outOfResources', 'no room for more path attributes');
    }
    return undefined;
  }

  /** RFC 4724 §4.2: what is stale stays only if the neighbor has kept forwarding. */
  #resumeImport({ negotiated, localAddress }: RoutesConnection): void {
    const { remoteId, isFourOctet, gracefulRestart } = negotiated;
    const session = { remoteId, isFourOctet, localAddress };
    const kept = this.#imported;
    if (kept?.remoteId === remoteId && keepsForwarding(gracefulRestart, ipv4Unicast)) {
      kept.resume(session);
      this.#startStaleTimer(endOfRibWaitMs);
      return;
    }
    this.drop();
    const { rib } = this.#around;
    this.#imported = new ImportedRoutes(rib, this.#neighbor, this.#policy.importRules, session);
  }

  /** Our routes, and then End-of-RIB for those who wait for it. */
  #startExport({ negotiated, localAddress: nextHop }: RoutesConnection): void {
    const { isFourOctet, families, gracefulRestart } = negotiated;
    if (families.includes(ipv4Unicast)) {
      const { localAs, med } = this.#neighbor;
      this.#exported = new AdjRibOut(
        { isExternal: isExternal(this.#neighbor), isFourOctet, localAs, nextHop, med },
        this.#policy.exportRules,
      );
      if (this.#isDraining) this.#exported.drain();
      this.#sendUpdates(this.#exported.setAddresses(this.#exportAddresses));
    }
    if (gracefulRestart && this.#exported) this.#sendUpdates([encodeEndOfRib()]);
  }

  #endOfRib(): void {
    if (this.#isStale) this.#sweepStale();
    if (this.#isEndOfRibReceived) return;
    this.#isEndOfRibReceived = true;
    this.#quietTimer.stop();
    this.#around.record.note('End-of-RIB received');
    this.#around.changed('endOfRib');
  }

  #staleExpired(): void {
    if (this.#connection) this.#sweepStale();
    else this.drop();
    this.#around.record.note('stale routes removed');
  }

  #sweepStale(): void {
    this.#isStale = false;
    this.#staleTimer.stop();
    this.#imported?.sweepStale();
  }

  #repeatExports(family: Family, negotiated: Negotiated): void {
    if (negotiated.hasEnhancedRouteRefresh) this.#sendRefresh(refreshSubtype.begin, family);
    if (family === ipv4Unicast && this.#exported) this.#sendUpdates(this.#exported.repeat());
    if (negotiated.hasEnhancedRouteRefresh) this.#sendRefresh(refreshSubtype.end, family);
  }

  #sendRefresh(subtype: number, family: Family): void {
    this.#connection?.send(messageType.routeRefresh, encodeRouteRefresh({ family, subtype }));
  }

  #sendUpdates(bodies: readonly Uint8Array[]): void {
    for (const body of bodies) this.#connection?.send(messageType.update, body);
  }
}

function isAnnouncing({ nlri, mpReach }: Update): boolean {
  return nlri.length > 0 || mpReach !== undefined;
}
