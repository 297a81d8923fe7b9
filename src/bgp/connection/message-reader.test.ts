// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { MemoryHost, Segment } from '../../../test/support/memory-transport.ts';
import { ip } from '../../../test/support/two-speakers.ts';
import { encodeMessage, headerBytes, messageBytesMax, messageType } from '../wire/header.ts';
import { MessageReader } from './message-reader.ts';
import type { Connection } from './transport.ts';

/** Both ends of a connection. */
function connect(clock: ManualClock): [near: Connection, far: Connection] {
  const segment = new Segment();
  const [near, far] = [new MemoryHost(clock), new MemoryHost(clock)];
  near.join(segment, 'eth0', ip('172.16.1.1'));
  far.join(segment, 'eth0', ip('172.16.1.2'));
  const ends: Connection[] = [];
  const options = { interface: 'eth0', mark: undefined, ttl: { ttl: 64, minTtl: 0 } };
  near.listen({ ...options, port: 179 }, (connection) => ends.unshift(connection));
  const remote = { remoteAddress: ip('172.16.1.1'), remotePort: 179, localAddress: undefined };
  far.connect(
    { ...options, ...remote, md5Key: undefined },
    { connected: (connection) => ends.push(connection), failed: () => {} },
  );
  clock.pass(10);
  return [ends[0]!, ends[1]!];
}

test('pauses the connection while much lies unread, and takes the rest after it', () => {
  const clock = new ManualClock();
  const [near, far] = connect(clock);
  const reader = new MessageReader(near, clock);
  let chunkCount = 0;
  near.attach({
    received: (chunk) => {
      chunkCount += 1;
      reader.push(chunk);
    },
    closed: () => {},
  });
  const message = encodeMessage(messageType.update, new Uint8Array(messageBytesMax - headerBytes));
  const sixteen = Buffer.concat(Array.from({ length: 16 }, () => message));
  for (let count = 0; count < 12; count += 1) far.write(sixteen);
  clock.pass(10);
  expect(chunkCount).toBe(5);

  const take = () => {
    let messageCount = 0;
    for (let next = reader.next(); next.ok && next.value; next = reader.next()) messageCount += 1;
    clock.pass(10);
    return messageCount;
  };
  expect(reader.hasUnread).toBe(true);
  expect(take()).toBe(5 * 16);
  expect(chunkCount).toBe(10);
  expect(take()).toBe(5 * 16);
  expect(take()).toBe(2 * 16);
  expect([take(), reader.hasUnread]).toEqual([0, false]);
});
