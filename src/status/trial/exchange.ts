// SPDX-License-Identifier: Apache-2.0
/** What the three tools share: a packet and what became of it, in words. */
import { type Drop, dropMeanings } from '../../dataplane/abi.gen.ts';
import type { TrialMessage, TrialRun } from '../../dataplane/trials.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { type Answer, parseAnswer } from './packet.ts';
import type { Source } from './source.ts';

export type Fate = Extract<TrialMessage, { kind: 'fate' }>;

/** Exit status when nothing answers. */
export const exitNoAnswer = 5;

export interface Exchange {
  readonly fate: Fate | undefined;
  /** The first that is wanted; undefined: none came in time. */
  readonly answer: Answer | undefined;
  readonly rttMs: number;
}

/**
 * Sends one packet and waits for what answers it, or for its drop.
 *
 * @param isWanted - whether an answer is this packet's
 */
export async function exchange(
  run: TrialRun,
  source: Source,
  packet: Uint8Array,
  clock: Clock,
  timeoutMs: number,
  isWanted: (answer: Answer) => boolean,
): Promise<Exchange> {
  const { kind, network, port } = source;
  const deadlineMs = clock.nowMs() + timeoutMs;
  run.send({ kind, network, port, packet });
  let fate: Fate | undefined;
  let answer: Answer | undefined;
  let answeredNs = 0n;
  for (;;) {
    if (fate && (answer || fate.drop || fate.isLocal)) break;
    const message = await run.next(deadlineMs - clock.nowMs());
    if (!message) break;
    if (message.kind === 'fate') fate = message;
    else if (!answer) {
      const parsed = parseAnswer(message.packet);
      if (parsed && isWanted(parsed)) {
        answer = parsed;
        answeredNs = message.timeNs;
      }
    }
  }
  const rttMs = fate && answer ? Number(answeredNs - fate.timeNs) / 1e6 : 0;
  return { fate, answer, rttMs };
}

export const sleep = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.after(Math.max(0, ms), resolve));

export const formatMs = (ms: number): string => `${ms.toFixed(ms < 10 ? 3 : 1)} ms`;

/** Why a packet did not leave; undefined: it did. */
export function notSentText(fate: Fate | undefined): string | undefined {
  if (!fate) return 'the forwarder does not say what became of it';
  if (fate.isLocal) return "the address is the box's own: the kernel answers for it";
  return fate.drop ? dropText(fate.drop) : undefined;
}

const dropText = (drop: Drop): string => `dropped: ${drop} (${dropMeanings[drop]})`;

/** `leaves as 10.50.0.2 by eth1 to 172.16.1.140, network red`. */
export function wayText(parts: LiveParts, fate: Fate): string {
  const port = parts.ports.find(({ name }) => parts.dataPlane.portSlot(name) === fate.port);
  const network = parts.model.networks.find(
    ({ routeTableIndex }) => parts.dataPlane.networkSlot(routeTableIndex) === fate.network,
  );
  const by = port?.name ?? 'an interface that is no port';
  const where = network ? `network ${network.name}` : 'main table';
  return `leaves as ${formatIpv4(fate.outside)} by ${by} to ${formatIpv4(fate.nextHop)}, ${where}`;
}
