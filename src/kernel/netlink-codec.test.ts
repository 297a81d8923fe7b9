// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attribute,
  attributeIpv4,
  attributeU8,
  attributeU32,
  decodeError,
  encodeMessage,
  forEachAttribute,
  forEachMessage,
  type MessageHeader,
} from './netlink-codec.ts';
import { takeDatagrams } from './rtnetlink.ts';

const header = (type: number, flags: number): MessageHeader => ({
  type,
  flags,
  sequence: 7,
  port: 0,
});

describe('attributes', () => {
  test('as linux/netlink.h lays them out', () => {
    expect(attributeU32(15, 1003).toString('hex')).toBe('08000f00eb030000');
    expect(attributeIpv4(5, 0xac10018c).toString('hex')).toBe('08000500ac10018c');
    expect(attributeU8(21, 231).toString('hex')).toBe('05001500e7000000');
  });

  test('written and read again are the same', () => {
    const list = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })),
    );
    fc.assert(
      fc.property(list, (attributes) => {
        const bytes = Buffer.concat(attributes.map(([type, value]) => attribute(type, value)));
        const read: [number, Uint8Array][] = [];
        forEachAttribute(bytes, 0, bytes.length, (type, start, end) =>
          read.push([type, new Uint8Array(bytes.subarray(start, end))]),
        );
        expect(read).toEqual(attributes);
      }),
    );
  });
});

describe('messages', () => {
  test('the header', () => {
    const bytes = encodeMessage(24, 0x505, 0x01020304, Uint8Array.of(1, 2, 3));
    expect(bytes.toString('hex')).toBe('13000000180005050403020100000000' + '01020300');
  });

  test('any bytes are walked without leaving them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
        const bytes = Buffer.from(raw);
        forEachMessage(bytes, 0, bytes.length, (head, start, end) => {
          expect(end).toBeLessThanOrEqual(bytes.length);
          expect(start).toBeLessThanOrEqual(end);
          decodeError(bytes, head, start, end);
          forEachAttribute(bytes, start, end, (_type, from, to) => {
            expect(to).toBeLessThanOrEqual(end);
            expect(from).toBeLessThanOrEqual(to);
          });
        });
      }),
    );
  });

  test('an error carries the kernel’s own words, with a capped and a whole request', () => {
    const words = attribute(1, Buffer.from('Nexthop has invalid gateway\0'));
    const errno = Buffer.alloc(4);
    errno.writeInt32LE(-101);
    const request = encodeMessage(24, 5, 7, new Uint8Array(20));
    const capped = Buffer.concat([errno, request.subarray(0, 16), words]);
    const whole = Buffer.concat([errno, request, words]);
    const fault = { errno: 101, reason: 'Nexthop has invalid gateway' };
    expect(decodeError(capped, header(2, 0x300), 0, capped.length)).toEqual(fault);
    expect(decodeError(whole, header(2, 0x200), 0, whole.length)).toEqual(fault);
    const done = Buffer.concat([errno, words]);
    expect(decodeError(done, header(3, 0x202), 0, done.length)).toEqual(fault);
    expect(decodeError(Buffer.alloc(4), header(2, 0), 0, 4).errno).toBe(0);
  });
});

test('datagrams are cut out of a stream wherever it is torn', () => {
  const part = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.constant(undefined));
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat(40)), (parts, cuts) => {
      const stream = Buffer.concat(
        parts.flatMap((bytes) => {
          const length = Buffer.alloc(4);
          length.writeUInt32LE(bytes?.length ?? 0);
          return bytes ? [length, bytes] : [length];
        }),
      );
      const read: (Uint8Array | undefined)[] = [];
      let rest: Buffer = Buffer.alloc(0);
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        const bytes = Buffer.concat([rest, stream.subarray(at, at + cut)]);
        at = Math.min(at + cut, stream.length);
        const taken = takeDatagrams(
          bytes,
          (chunk, from, to) => read.push(new Uint8Array(chunk.subarray(from, to))),
          () => read.push(undefined),
        );
        rest = bytes.subarray(taken);
      }
      expect(read).toEqual(parts);
    }),
  );
});
