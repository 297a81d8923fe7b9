// SPDX-License-Identifier: Apache-2.0
/** Any bytes: decoders answer, and never throw or read outside. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4Unicast } from '../../src/bgp/wire/family.ts';
import { encodeMessage, Framer, messageType } from '../../src/bgp/wire/header.ts';
import { forEachPrefix } from '../../src/bgp/wire/nlri.ts';
import { decodeNotification, shutdownText } from '../../src/bgp/wire/notification.ts';
import { decodeOpen, encodeOpen } from '../../src/bgp/wire/open.ts';
import { encodePathAttributes } from '../../src/bgp/wire/path-attribute.ts';
import { decodeRouteRefresh } from '../../src/bgp/wire/route-refresh.ts';
import { decodeUpdate } from '../../src/bgp/wire/update.ts';

const numRuns = Number(process.env.FUZZ_RUNS ?? 3_000);

/** A sound message, with some bytes changed, cut or added. */
function damaged(sound: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(sound.length), fc.nat(255));
  return fc
    .tuple(fc.array(change, { maxLength: 6 }), fc.nat(sound.length), fc.uint8Array())
    .map(([changes, end, tail]) => {
      const bytes = sound.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return changes.length % 2 === 0 ? bytes : Uint8Array.from([...bytes.slice(0, end), ...tail]);
    });
}

const attributes = encodePathAttributes(
  {
    origin: 'EGP',
    asPath: [{ kind: 'AS_SEQUENCE', asNumbers: [65001, 65002] }],
    nextHop: 0x0a000001,
    med: 1,
    localPref: 2,
    isAtomicAggregate: true,
    aggregator: { as: 65001, address: 1 },
    communities: [1, 2],
    largeCommunities: [[1, 2, 3]],
    extendedCommunities: [1n],
    originatorId: 1,
    clusterList: [1],
    unknown: [{ flags: 0xc0, type: 99, value: Uint8Array.of(1) }],
  },
  { isFourOctet: true },
);
const update = Uint8Array.from([0, 2, 8, 10, 0, attributes.length, ...attributes, 24, 192, 0, 2]);
const open = encodeOpen({
  as: 64512,
  holdTimeSeconds: 90,
  bgpId: 1,
  capabilities: [
    { kind: 'fqdn', host: 'a', domain: 'b' },
    { kind: 'fourOctetAs', as: 1 },
    {
      kind: 'gracefulRestart',
      isRestarting: true,
      hasNotification: true,
      restartTimeSeconds: 1,
      families: [{ family: 257, isForwarding: true }],
    },
  ],
});

const random = fc.uint8Array({ maxLength: 500 });

describe('random and damaged bytes', () => {
  test('UPDATE: what is accepted can be walked to its end', () => {
    const families = fc.constantFrom([], [ipv4Unicast]);
    const options = fc.record({
      isFourOctet: fc.boolean(),
      isExternal: fc.boolean(),
      families,
      multiprotocolFamilies: families,
    });
    fc.assert(
      fc.property(fc.oneof(random, damaged(update)), options, (bytes, how) => {
        const decoded = decodeUpdate(bytes, how);
        if (!decoded.ok) {
          expect(decoded.fault.code).toBe(3);
          return;
        }
        const { withdrawn, nlri, mpReach, mpUnreach } = decoded.value;
        const multiprotocol = [mpReach, mpUnreach].flatMap((part) => (part ? [part.nlri] : []));
        for (const prefixes of [withdrawn, nlri, ...multiprotocol]) {
          forEachPrefix(prefixes, (address, length) => {
            expect(Number.isInteger(address) && address >= 0 && address <= 0xffffffff).toBe(true);
            expect(length).toBeLessThanOrEqual(32);
          });
        }
      }),
      { numRuns },
    );
  });

  test('OPEN, NOTIFICATION, ROUTE-REFRESH', () => {
    fc.assert(
      fc.property(fc.oneof(random, damaged(open)), (bytes) => {
        const decoded = decodeOpen(bytes);
        if (!decoded.ok) expect(decoded.fault.code).toBe(2);
        const notification = decodeNotification(bytes);
        if (notification.ok) shutdownText(notification.value);
        decodeRouteRefresh(bytes);
      }),
      { numRuns },
    );
  });

  test('the framer ends in a fault or waits for more, and holds no more than it was given', () => {
    const sound = encodeMessage(messageType.update, update);
    fc.assert(
      fc.property(fc.array(fc.oneof(random, damaged(sound), fc.constant(sound))), (chunks) => {
        const framer = new Framer();
        let given = 0;
        for (const chunk of chunks) {
          framer.push(chunk);
          given += chunk.length;
          for (;;) {
            const next = framer.next();
            if (!next.ok) {
              expect(next.fault.code).toBe(1);
              return;
            }
            if (next.value === undefined) break;
            given -= next.value.body.length + 19;
          }
          expect(framer.bufferedBytes).toBe(given);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
