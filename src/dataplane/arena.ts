// SPDX-License-Identifier: Apache-2.0
/**
 * The DataPlane over the arena that egretd shares with the forwarder.
 *
 * One ArenaDataPlane lives as long as its egretd, over an arena that is new or that the previous instance
 * left (open-arena.ts). It begins a new generation; one that forwards already continues meanwhile.
 */
import type { EgressPlan } from '../egress/plan.ts';
import type { FibProgress } from '../fib/target.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { NextHop } from '../rib/route.ts';
import * as abi from './abi.gen.ts';
import type { DataPlane, Decision, LinkNeighbor, NatSession, PoolUse } from './dataplane.ts';
import * as native from './native.ts';
import { encodePlan } from './plan-codec.ts';
import { RecordReader, RecordWriter } from './record.ts';

/** How large the arena is made (struct egret_limits). */
export type Limits = Record<keyof typeof abi.limits, number>;

/** No interface's name: those past the limit share its slot, which never has a port. Packets drop there. */
const noPort = '-';

const mainTable = 254;

export class ArenaDataPlane implements DataPlane {
  readonly hasPreviousGeneration: boolean;
  readonly isInherited: boolean;
  readonly limits: Limits;
  readonly bytes: number;
  readonly #arena: native.Handle;
  readonly #ports: BigUint64Array;
  readonly #drops: BigUint64Array;
  readonly #worker: BigUint64Array;
  readonly #slots = {
    port: (name: string) => this.portSlot(name),
    network: (routeTableIndex: number) => this.networkSlot(routeTableIndex),
    address: (address: Ipv4) => this.addressSlot(address),
  };
  readonly #addressSlots = new Map<Ipv4, number>();
  readonly #networkSlots = new Map<number, number>();
  readonly #portSlots = new Map<string, number>();
  readonly #noPortSlot: number;

  /** @param isInherited - the previous instance's sessions are in it */
  constructor(arena: native.Handle, limits: Limits, isInherited: boolean) {
    this.#arena = arena;
    this.limits = limits;
    this.isInherited = isInherited;
    this.bytes = arenaBytes(limits);
    this.hasPreviousGeneration = native.hasGeneration(arena);
    native.beginGeneration(arena);
    // Before any other, so that there is room for it.
    this.#noPortSlot = native.portSlot(arena, noPort);
    this.#ports = native.portCounterView(arena, abi.portCounters.length);
    this.#drops = native.dropCounterView(arena, abi.drops.length);
    this.#worker = native.workerCounterView(arena, abi.workerCounters.length);
  }

  close(): void {
    native.arenaClose(this.#arena);
  }

  // -- FibTarget ----------------------------------------------------------------------------------

  networkSlot(routeTableIndex: number | undefined): number {
    return remembered(this.#networkSlots, routeTableIndex ?? mainTable, (index) =>
      native.networkSlot(this.#arena, index),
    );
  }

  setGroup(group: number, members: readonly NextHop[]): void {
    const paths = members.slice(0, abi.GROUP_PATHS_MAX);
    const out = new RecordWriter(paths.length * abi.adjacencyBytes);
    for (const path of paths) {
      out.record(abi.adjacency, abi.adjacencyBytes, {
        next_hop: path.address,
        port: this.portSlot(path.interface),
      });
    }
    native.setGroup(this.#arena, group, out.finish(), paths.length);
  }

  apply(networkSlot: number, deltas: Uint32Array, count: number): FibProgress {
    const applied = native.applyDeltas(this.#arena, networkSlot, deltas, count);
    return { applied, isFull: applied < count && native.isFibFull(this.#arena) };
  }

  clear(networkSlot: number): void {
    native.clearNetwork(this.#arena, networkSlot);
  }

  /** Gives each table its share of the plies; those that are not named have none. */
  sharePlies(shares: ReadonlyMap<number | undefined, number>): void {
    // What a removed network had is free before others take more.
    for (const [index, slot] of this.#networkSlots) {
      if (!shares.has(index === mainTable ? undefined : index)) {
        native.reservePlies(this.#arena, slot, 0);
      }
    }
    for (const [index, plies] of shares) {
      native.reservePlies(this.#arena, this.networkSlot(index), plies);
    }
  }

  reclaim(): boolean {
    return native.reclaim(this.#arena);
  }

  /** Gives back free memory of this process; what stands in the arena stays there. */
  trimMemory(): void {
    native.trimMemory(this.#arena);
  }

  // -- Plan and slots -----------------------------------------------------------------------------

  publishPlan(plan: EgressPlan): number | undefined {
    const ports = plan.ports.filter(({ name }) => this.hasPortSlot(name));
    try {
      return native.publishPlan(this.#arena, encodePlan({ ...plan, ports }, this.#slots));
    } catch (error) {
      if (native.nativeStatusOf(error) !== 'NATIVE_TIMEOUT') throw error;
      return undefined;
    }
  }

  planAcknowledged(): number {
    return native.planAcknowledged(this.#arena);
  }

  commitGeneration(): void {
    native.commitGeneration(this.#arena);
  }

  portSlot(interfaceName: string): number {
    return remembered(this.#portSlots, interfaceName, (name) => {
      try {
        return native.portSlot(this.#arena, name);
      } catch (error) {
        if (native.nativeStatusOf(error) !== 'NATIVE_NO_SPACE') throw error;
        return this.#noPortSlot;
      }
    });
  }

  /** Whether an interface has a slot of its own, and so may be a port. */
  hasPortSlot(interfaceName: string): boolean {
    return this.portSlot(interfaceName) !== this.#noPortSlot;
  }

  addressSlot(address: Ipv4): number {
    return remembered(this.#addressSlots, address, (a) => native.addressSlot(this.#arena, a));
  }

  /** Gives slots back whose address no plan names and no binding uses. */
  releaseAddresses(kept: ReadonlySet<Ipv4>): void {
    for (const address of this.#addressSlots.keys()) {
      if (!kept.has(address) && native.releaseAddressSlot(this.#arena, address)) {
        this.#addressSlots.delete(address);
      }
    }
  }

  // -- Reading ------------------------------------------------------------------------------------

  portCounter(slot: number, counter: abi.PortCounter): number {
    return Number(this.#ports[slot * abi.portCounters.length + abi.portCounters.indexOf(counter)]);
  }

  dropCounter(slot: number, drop: abi.Drop): number {
    return Number(this.#drops[slot * abi.drops.length + abi.drops.indexOf(drop)]);
  }

  workerCounter(counter: abi.WorkerCounter): number {
    return Number(this.#worker[abi.workerCounters.indexOf(counter)]);
  }

  forwarderHeartbeatNs(): bigint {
    return native.forwarderHeartbeatNs(this.#arena);
  }

  readSessions(
    cursor: number,
    rowsMax: number,
  ): { rows: NatSession[]; cursor: number; isLast: boolean } {
    const bytes = new Uint8Array(rowsMax * abi.sessionRowBytes);
    const read = native.readSessions(this.#arena, cursor, bytes, rowsMax);
    const row = new RecordReader(abi.sessionRow, abi.sessionRowBytes, bytes);
    const rows = Array.from(
      { length: read.count },
      (_, i): NatSession => ({
        protocol: row.get(i, 'protocol'),
        inside: { address: row.get(i, 'inside_addr'), port: row.get(i, 'inside_port') },
        outside: { address: row.get(i, 'outside_addr'), port: row.get(i, 'outside_port') },
        remote: { address: row.get(i, 'remote_addr'), port: row.get(i, 'remote_port') },
        network: row.get(i, 'network'),
        state: abi.sessionStates[row.get(i, 'state')] ?? 'active',
        idleMs: row.get(i, 'idle_ns') / 1e6,
      }),
    );
    return { rows, cursor: read.cursor, isLast: read.cursor >= this.limits.sessions };
  }

  readPool(address: Ipv4): PoolUse | undefined {
    const bytes = new Uint8Array(abi.poolRowBytes);
    if (!native.readPool(this.#arena, this.addressSlot(address), bytes)) return undefined;
    const row = new RecordReader(abi.poolRow, abi.poolRowBytes, bytes);
    return {
      tcpUsed: row.get(0, 'tcp_used'),
      udpUsed: row.get(0, 'udp_used'),
      icmpUsed: row.get(0, 'icmp_used'),
      quarantined: row.get(0, 'quarantined'),
    };
  }

  why(client: Ipv4, destination: Ipv4): Decision {
    const bytes = new Uint8Array(abi.decisionBytes);
    native.why(this.#arena, client, destination, bytes);
    const row = new RecordReader(abi.decision, abi.decisionBytes, bytes);
    return {
      client: present(row.get(0, 'client'), abi.NONE),
      rule: present(row.get(0, 'rule'), abi.NONE),
      outsideAddress: present(row.get(0, 'outside_addr'), 0),
      network: row.get(0, 'network'),
      group: row.get(0, 'group'),
      nextHop: present(row.get(0, 'next_hop'), 0),
      portSlot: present(row.get(0, 'port'), abi.NONE),
      drop: abi.drops[row.get(0, 'drop')],
    };
  }

  readNeighbors(): LinkNeighbor[] {
    const rowsMax = 256;
    const found: LinkNeighbor[] = [];
    for (let cursor = 0; cursor < this.limits.neighbors; ) {
      const bytes = new Uint8Array(rowsMax * abi.neighborRowBytes);
      const read = native.readNeighbors(this.#arena, cursor, bytes, rowsMax);
      const row = new RecordReader(abi.neighborRow, abi.neighborRowBytes, bytes);
      for (let i = 0; i < read.count; i += 1) {
        found.push({
          address: row.get(i, 'address'),
          portSlot: row.get(i, 'port'),
          state: neighborStates[row.get(i, 'state')] ?? 'resolving',
          mac: Array.from({ length: 6 }, (_, at) => row.get(i, 'mac', at)),
          ageMs: present(row.get(i, 'since_ns') / 1e6, 0),
        });
      }
      cursor = read.cursor;
    }
    return found;
  }

  fibUsage(): { pliesUsed: number; pliesMax: number } {
    return native.fibUsage(this.#arena);
  }
}

/** enum neighbor_state of native/neighbor/neighbor.h. */
const neighborStates = [undefined, 'resolving', 'reachable', 'failed'] as const;

const present = (value: number, absent: number): number | undefined =>
  value === absent ? undefined : value;

function remembered<Key>(known: Map<Key, number>, key: Key, assign: (key: Key) => number): number {
  let slot = known.get(key);
  if (slot === undefined) {
    slot = assign(key);
    known.set(key, slot);
  }
  return slot;
}

/** What an arena of these limits takes. */
export const arenaBytes = (limits: Limits): number => native.arenaBytes(encodeLimits(limits));

export function encodeLimits(limits: Limits): Uint8Array {
  const out = new RecordWriter(abi.limitsBytes);
  out.record(abi.limits, abi.limitsBytes, limits);
  return out.finish();
}

export function decodeLimits(bytes: Uint8Array): Limits {
  const row = new RecordReader(abi.limits, abi.limitsBytes, bytes);
  const names = Object.keys(abi.limits) as (keyof Limits)[];
  return Object.fromEntries(names.map((name) => [name, row.get(0, name)])) as Limits;
}
