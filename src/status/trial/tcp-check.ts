// SPDX-License-Identifier: Apache-2.0
/** `egret tcp-check`: whether a TCP port answers a SYN that is sent through the data plane. */
import type { Answer as Text } from '../../ipc/protocol.ts';
import { EgretError } from '../../lib/errors.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { exchange, exitNoAnswer, formatMs, notSentText, wayText } from './exchange.ts';
import { errorText, tcpFlags, tcpSegment } from './packet.ts';
import { parseTrip, sourceText, takesNoMore } from './source.ts';

/** RFC 6298 §2: a SYN is sent again after a second. */
const timeoutMs = 1_000;
const attempts = 3;
const ttl = 64;
/** Above those that hosts take for connections of their own (RFC 6335 §6, and Linux's 32768 to 60999). */
const firstPort = 61_000;

/** @throws EgretError before the first line: USAGE, NOT_FOUND, TRIALS_BUSY, FORWARDER_FAILED */
export async function* tcpCheck(parts: LiveParts, words: readonly string[]): Text {
  const { destination, source, more } = parseTrip(parts, 'tcp-check', words);
  const [portText = '', ...rest] = more;
  takesNoMore('tcp-check', rest);
  const { clock, random, trials } = parts;
  const destinationPort = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (destinationPort < 1 || destinationPort > 65_535) {
    throw new EgretError('USAGE', {
      what: `tcp-check takes a port from 1 to 65535, not ${portText || 'none'}`,
    });
  }
  const sourcePort = firstPort + Math.floor(random.next() * (65_536 - firstPort));
  const sequence = Math.floor(random.next() * 0x1_0000_0000);
  const ends = { source: source.address, destination, ttl: ttl + source.ownHops };
  const to = `${formatIpv4(destination)} port ${destinationPort}`;
  const run = trials.open();
  let hasWay = false;
  try {
    yield `${to} from ${sourceText(source)}\n`;
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const segment = { sourcePort, destinationPort, sequence, flags: tcpFlags.syn };
      const { fate, answer, rttMs } = await exchange(
        run,
        source,
        tcpSegment(ends, segment),
        clock,
        timeoutMs,
        ({ kind }) => kind !== 'echo reply',
      );
      const lost = notSentText(fate);
      if (lost !== undefined) {
        yield `${lost}\n`;
        return exitNoAnswer;
      }
      if (fate && !hasWay) yield `  ${wayText(parts, fate)}\n`;
      hasWay = true;
      if (answer?.kind === 'error') {
        yield `${errorText(answer)}, says ${formatIpv4(answer.from)}\n`;
        return exitNoAnswer;
      }
      if (answer?.kind === 'segment' && answer.flags & tcpFlags.rst) {
        yield `closed: refused after ${formatMs(rttMs)}\n`;
        return exitNoAnswer;
      }
      if (answer?.kind === 'segment' && answer.flags & tcpFlags.syn) {
        // The box's own kernel knows of no such connection and resets it itself.
        if (source.kind !== 'network') {
          const reset = { ...segment, sequence: answer.acknowledgment, flags: tcpFlags.rst };
          const { kind, network, port } = source;
          run.send({ kind, network, port, packet: tcpSegment(ends, reset) });
        }
        yield `open: answered after ${formatMs(rttMs)}\n`;
        return 0;
      }
    }
    yield `no answer to ${attempts} attempts\n`;
    return exitNoAnswer;
  } finally {
    run.close();
  }
}
