// SPDX-License-Identifier: Apache-2.0
/** `egret ping`: echo requests through the data plane, one a second. */
import type { Answer as Text } from '../../ipc/protocol.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { exchange, exitNoAnswer, formatMs, notSentText, sleep, wayText } from './exchange.ts';
import { echoRequest, errorText } from './packet.ts';
import { parseTrip, sourceText, takesNoMore } from './source.ts';

const intervalMs = 1_000;
/** Longer than packets wait for ARP, so that its failure is seen. */
const timeoutMs = 2_000;
const ttl = 64;

export interface PingOptions {
  readonly count: number;
  /** Bytes behind the ICMP header. */
  readonly size: number;
  /** Not to be fragmented. */
  readonly isWhole: boolean;
}

/** @throws EgretError before the first line: USAGE, NOT_FOUND, TRIALS_BUSY, FORWARDER_FAILED */
export async function* ping(
  parts: LiveParts,
  words: readonly string[],
  { count, size, isWhole }: PingOptions,
): Text {
  const { destination, source, more } = parseTrip(parts, 'ping', words);
  takesNoMore('ping', more);
  const { clock, random, trials } = parts;
  const to = formatIpv4(destination);
  const id = Math.floor(random.next() * 0x1_0000);
  const run = trials.open();
  const rtts: number[] = [];
  let lastWay: string | undefined;
  try {
    yield `PING ${to} from ${sourceText(source)}: ${size} data bytes\n`;
    for (let sequence = 1; sequence <= count; sequence += 1) {
      const sentMs = clock.nowMs();
      const ends = { source: source.address, destination, ttl: ttl + source.ownHops };
      const packet = echoRequest(ends, id, sequence, size, isWhole);
      const { fate, answer, rttMs } = await exchange(
        run,
        source,
        packet,
        clock,
        timeoutMs,
        (found) => found.kind !== 'segment' && found.sequence === sequence,
      );
      const lost = notSentText(fate);
      const way = fate && !lost ? wayText(parts, fate) : undefined;
      if (way && way !== lastWay) yield `  ${way}\n`;
      lastWay = way ?? lastWay;
      if (lost !== undefined) yield `seq=${sequence} ${lost}\n`;
      else if (answer?.kind === 'echo reply') {
        rtts.push(rttMs);
        yield `${answer.bytes} bytes from ${formatIpv4(answer.from)}: seq=${sequence} ttl=${answer.ttl} time=${formatMs(rttMs)}\n`;
      } else if (answer?.kind === 'error') {
        yield `From ${formatIpv4(answer.from)}: seq=${sequence} ${errorText(answer)}\n`;
      } else yield `seq=${sequence} no answer\n`;
      if (sequence < count) await sleep(clock, sentMs + intervalMs - clock.nowMs());
    }
  } finally {
    run.close();
  }
  yield summary(to, count, rtts);
  return rtts.length > 0 ? 0 : exitNoAnswer;
}

function summary(to: string, sent: number, rtts: readonly number[]): string {
  const lost = Math.round(((sent - rtts.length) / sent) * 100);
  const mean = rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length;
  const [min, max] = [Math.min(...rtts), Math.max(...rtts)];
  const times =
    rtts.length > 0
      ? `rtt min/avg/max = ${[min, mean, max].map((ms) => ms.toFixed(3)).join('/')} ms\n`
      : '';
  return `--- ${to} ping statistics ---\n${sent} packets transmitted, ${rtts.length} received, ${lost}% packet loss\n${times}`;
}
