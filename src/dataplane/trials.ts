// SPDX-License-Identifier: Apache-2.0
/**
 * Packets that egretd sends through the forwarder's pipeline, and what comes back
 * (native/pipeline/trial.h): the stream to the forwarder that runs, and the runs that use it.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import {
  type Drop,
  drops,
  TRIAL_ANSWER,
  TRIAL_BYTES,
  TRIAL_CLIENT,
  TRIAL_FATE,
  TRIAL_GATEWAY,
  TRIAL_NETWORK,
  trial,
  trialBytes,
} from './abi.gen.ts';
import * as calls from './forwarder-calls.ts';
import { RecordReader, RecordWriter } from './record.ts';
import { streamOf } from './stream.ts';

/** Whose packet it is: it is decided on as theirs are. */
export type TrialKind = 'client' | 'gateway' | 'network';

const kinds = { client: TRIAL_CLIENT, gateway: TRIAL_GATEWAY, network: TRIAL_NETWORK } as const;

export interface TrialPacket {
  readonly kind: TrialKind;
  /** Slot of the network whose routes it takes, with kind network. */
  readonly network: number;
  /** Slot of the port by which it enters; the forwarder knows a client's. */
  readonly port: number;
  /** IPv4, header without options. */
  readonly packet: Uint8Array;
}

export type TrialMessage =
  | {
      readonly kind: 'fate';
      readonly timeNs: bigint;
      /** Why it did not leave; undefined: it left, or the destination is the box. */
      readonly drop: Drop | undefined;
      readonly isLocal: boolean;
      /** Its source when it left. */
      readonly outside: Ipv4;
      readonly nextHop: Ipv4;
      readonly network: number;
      readonly port: number;
    }
  | { readonly kind: 'answer'; readonly timeNs: bigint; readonly packet: Uint8Array };

/** One ping, traceroute or check. */
export interface TrialRun {
  send(packet: TrialPacket): void;
  /** The next message; undefined: none came within the time. */
  next(timeoutMs: number): Promise<TrialMessage | undefined>;
  close(): void;
}

/** The forwarder tells the answers of 16 runs apart. */
const runsMax = 8;

export class Trials {
  readonly #clock: Clock;
  readonly #runs = new Map<number, Run>();
  #socket: Socket | undefined;
  #number = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Opens the stream to a forwarder. @param fd - the connection to it. @throws NATIVE_FAILED */
  attach(fd: number): void {
    this.#socket?.destroy();
    this.#rest = Buffer.alloc(0);
    const stream = calls.forwarderOpenTrials(fd);
    const socket = streamOf(stream, true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    // It alone keeps no process running.
    socket.unref();
    this.#socket = socket;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** @throws TRIALS_BUSY, FORWARDER_FAILED */
  open(): TrialRun {
    if (this.#runs.size >= runsMax) throw new EgretError('TRIALS_BUSY', { count: runsMax });
    if (!this.#socket) throw new EgretError('FORWARDER_FAILED', { reason: 'none runs' });
    this.#number = (this.#number % 0xffff_ffff) + 1;
    const number = this.#number;
    const run = new Run(
      this.#clock,
      (packet) => this.#send(number, packet),
      () => void this.#runs.delete(number),
    );
    this.#runs.set(number, run);
    return run;
  }

  #send(number: number, { kind, network, port, packet }: TrialPacket): void {
    const head = new RecordWriter(trialBytes);
    const row = { number, kind: kinds[kind], bytes: packet.byteLength, network, port };
    head.record(trial, trialBytes, row);
    const message = Buffer.alloc(TRIAL_BYTES);
    message.set(head.finish());
    message.set(packet, trialBytes);
    this.#socket?.write(message);
  }

  #received(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= TRIAL_BYTES) {
      const message = this.#rest.subarray(0, TRIAL_BYTES);
      this.#rest = this.#rest.subarray(TRIAL_BYTES);
      const head = new RecordReader(trial, trialBytes, message);
      this.#runs.get(head.get(0, 'number'))?.received(decode(head, message));
    }
  }
}

function decode(head: RecordReader<typeof trial>, message: Buffer): TrialMessage | undefined {
  const timeNs = BigInt(head.get(0, 'time_ns'));
  if (head.get(0, 'kind') === TRIAL_ANSWER) {
    const end = trialBytes + head.get(0, 'bytes');
    return { kind: 'answer', timeNs, packet: message.subarray(trialBytes, end) };
  }
  if (head.get(0, 'kind') !== TRIAL_FATE) return undefined;
  return {
    kind: 'fate',
    timeNs,
    drop: drops[head.get(0, 'drop')],
    isLocal: head.get(0, 'is_local') === 1,
    outside: head.get(0, 'outside_addr'),
    nextHop: head.get(0, 'next_hop'),
    network: head.get(0, 'network'),
    port: head.get(0, 'port'),
  };
}

class Run implements TrialRun {
  readonly #clock: Clock;
  readonly #waiting: TrialMessage[] = [];
  #wake: (() => void) | undefined;
  readonly send: TrialRun['send'];
  readonly close: TrialRun['close'];

  constructor(clock: Clock, send: TrialRun['send'], close: TrialRun['close']) {
    this.#clock = clock;
    this.send = send;
    this.close = close;
  }

  received(message: TrialMessage | undefined): void {
    if (message) this.#waiting.push(message);
    this.#wake?.();
  }

  next(timeoutMs: number): Promise<TrialMessage | undefined> {
    const first = this.#waiting.shift();
    if (first) return Promise.resolve(first);
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const finish = (): void => {
        timer?.clear();
        this.#wake = undefined;
        resolve(this.#waiting.shift());
      };
      this.#wake = finish;
      timer = this.#clock.after(Math.max(0, timeoutMs), finish);
    });
  }
}
