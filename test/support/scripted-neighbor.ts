// SPDX-License-Identifier: Apache-2.0
/**
 * A neighbor that says what the test wants, byte for byte: speaker A of two-speakers.ts against a
 * script in the place of B.
 */
import type { Connection } from '../../src/bgp/connection/transport.ts';
import { noBytes } from '../../src/bgp/wire/bytes.ts';
import { encodeMessage, Framer, messageType } from '../../src/bgp/wire/header.ts';
import { encodeNlri } from '../../src/bgp/wire/nlri.ts';
import { decodeOpen, encodeOpen, type Open } from '../../src/bgp/wire/open.ts';
import { encodePathAttributes } from '../../src/bgp/wire/path-attribute.ts';
import { encodeUpdate } from '../../src/bgp/wire/update.ts';
import { parseIpv4Prefix } from '../../src/net/ipv4.ts';
import { noAttributes, type PathAttributes } from '../../src/rib/route.ts';
import { addressB, b, clock, ip, segment } from './two-speakers.ts';

export class Script {
  readonly received: { type: number; body: Uint8Array }[] = [];
  isClosed = false;
  #connection: Connection | undefined;

  constructor() {
    b.host.listen(
      { port: 179, interface: 'eth0', mark: undefined, ttl: { ttl: 64, minTtl: 0 } },
      (connection) => this.#take(connection),
    );
  }

  #take(connection: Connection): void {
    const framer = new Framer();
    this.#connection = connection;
    this.isClosed = false;
    connection.attach({
      received: (chunk) => {
        framer.push(chunk);
        for (;;) {
          const next = framer.next();
          if (!next.ok || !next.value) return;
          this.received.push({ type: next.value.type, body: next.value.body.slice() });
        }
      },
      closed: () => {
        this.isClosed = true;
      },
    });
  }

  raw(bytes: Uint8Array): void {
    this.#connection?.write(bytes);
    clock.pass(10);
  }

  say(type: number, body: Uint8Array = noBytes): void {
    this.raw(encodeMessage(type, body));
  }

  open(fields: Partial<Open> = {}): void {
    this.say(
      messageType.open,
      encodeOpen({
        as: 64512,
        holdTimeSeconds: 90,
        bgpId: ip('2.2.2.2'),
        capabilities: [],
        ...fields,
      }),
    );
  }

  establish(fields: Partial<Open> = {}): void {
    this.open(fields);
    this.say(messageType.keepalive);
  }

  /** [code, subcode] of the NOTIFICATIONs. */
  get notifications(): number[][] {
    return this.received
      .filter((each) => each.type === messageType.notification)
      .map(({ body }) => [body[0]!, body[1]!]);
  }

  opens(): Open[] {
    return this.received
      .filter((each) => each.type === messageType.open)
      .map(({ body }) => {
        const open = decodeOpen(body);
        if (!open.ok) throw new Error(open.fault.reason);
        return open.value;
      });
  }

  /** Reads no more; what it is sent stays where it is, as with a window of zero. */
  stopReading(): void {
    segment.windowBytes = 0;
    this.#connection?.pause();
  }

  readAgain(): void {
    this.#connection?.resume();
    clock.pass(5);
  }

  disconnect(): void {
    this.#connection?.destroy();
    clock.pass(5);
  }
}

/** Attributes that are sound from an internal neighbor. */
export const internal: PathAttributes = { ...noAttributes, nextHop: addressB, localPref: 100 };

/** The body of an UPDATE. */
export function announcement(attributes: PathAttributes, ...prefixes: string[]): Uint8Array {
  return encodeUpdate({
    attributes: encodePathAttributes(attributes, { isFourOctet: false }),
    nlri: encodeNlri(prefixes.map((each) => parseIpv4Prefix(each)!)),
  });
}
