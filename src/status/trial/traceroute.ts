// SPDX-License-Identifier: Apache-2.0
/** `egret traceroute`: echo requests with a growing TTL, through the data plane. */
import type { Answer as Text } from '../../ipc/protocol.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { type Exchange, exchange, exitNoAnswer, formatMs, notSentText } from './exchange.ts';
import { echoRequest, errorText } from './packet.ts';
import { parseTrip, sourceText, takesNoMore } from './source.ts';

const timeoutMs = 1_000;
const queriesPerHop = 3;
/** So many hops in a row that do not answer are enough. */
const silentHopsMax = 8;
const dataBytes = 32;

/**
 * @param hopsMax - the largest TTL
 * @throws EgretError before the first line: USAGE, NOT_FOUND, TRIALS_BUSY, FORWARDER_FAILED
 */
export async function* traceroute(
  parts: LiveParts,
  words: readonly string[],
  hopsMax: number,
): Text {
  const { destination, source, more } = parseTrip(parts, 'traceroute', words);
  takesNoMore('traceroute', more);
  const { clock, random, trials } = parts;
  const id = Math.floor(random.next() * 0x1_0000);
  const run = trials.open();
  let silent = 0;
  let sequence = 0;
  try {
    yield `traceroute to ${formatIpv4(destination)} from ${sourceText(source)}, ${hopsMax} hops max\n`;
    for (let hop = 1; hop <= hopsMax; hop += 1) {
      const found: Exchange[] = [];
      // One after the other: routers limit how many errors they send.
      for (let query = 0; query < queriesPerHop; query += 1) {
        sequence += 1;
        const mine = sequence;
        const ends = { source: source.address, destination, ttl: hop + source.ownHops };
        const packet = echoRequest(ends, id, mine, dataBytes);
        found.push(
          await exchange(
            run,
            source,
            packet,
            clock,
            timeoutMs,
            (answer) => answer.kind !== 'segment' && answer.sequence === mine,
          ),
        );
        // A hop that is silent once is most often silent always.
        if (!found.at(-1)!.answer) break;
      }
      const last = found.at(-1)!;
      yield `${`${hop}`.padStart(2)}  ${hopText(found)}\n`;
      const lost = last.fate?.drop === 'ttl_exceeded' ? undefined : notSentText(last.fate);
      if (lost !== undefined) {
        yield `    ${lost}\n`;
        return exitNoAnswer;
      }
      if (last.answer?.kind === 'echo reply') return 0;
      if (last.answer?.kind === 'error' && last.answer.type !== 11) return exitNoAnswer;
      silent = last.answer ? 0 : silent + 1;
      if (silent === silentHopsMax) {
        yield `    no answer from ${silent} hops in a row\n`;
        return exitNoAnswer;
      }
    }
  } finally {
    run.close();
  }
  return exitNoAnswer;
}

/** Address and times; another address of the same hop is named, too. */
function hopText(found: readonly Exchange[]): string {
  let shown: number | undefined;
  const texts = found.map(({ answer, rttMs, fate }) => {
    if (!answer) return fate?.drop ? '' : '*';
    const address = answer.from === shown ? '' : `${formatIpv4(answer.from)}  `;
    shown = answer.from;
    const isExpected = answer.kind !== 'error' || answer.type === 11;
    return `${address}${formatMs(rttMs)}${isExpected ? '' : ` ${errorText(answer as never)}`}`;
  });
  return texts.filter(Boolean).join('  ');
}
