// SPDX-License-Identifier: Apache-2.0
/** HTTP over real sockets on loopback; echo requests need root and are native/test/probe_test.c's. */
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { probeSockets } from '../appliance/host/native-sockets.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import { makeProbeTransport } from './sockets.ts';

const loopback = 0x7f00_0001;
const way = { interface: undefined, mark: undefined };
const transport = makeProbeTransport(probeSockets, systemClock, systemRandom);
const servers: net.Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    if (server instanceof http.Server) server.closeAllConnections();
  }
});

async function listening(server: net.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function get(url: string): Promise<string> {
  return new Promise((resolve) => {
    transport.get(new URL(url), loopback, way, {
      answered: () => resolve('answered'),
      failed: resolve,
    });
  });
}

test.each([
  [200, 'answered'],
  [204, 'answered'],
  [302, 'answered'],
  [404, 'HTTP status 404'],
  [503, 'HTTP status 503'],
])('status %i: %s', async (status, outcome) => {
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {});
    // A body without end is not waited for.
    if (status === 204) response.end();
    else response.write('x'.repeat(100_000));
  });
  const port = await listening(server);
  expect(await get(`http://name.example:${port}/health?q=1`)).toBe(outcome);
  expect(requests).toEqual([`GET /health?q=1 name.example:${port}`]);
});

test('what is not HTTP, and an end before the answer, are failures', async () => {
  const garbage = await listening(net.createServer((socket) => socket.end('220 mail\r\n\r\n')));
  expect(await get(`http://a.example:${garbage}/`)).toMatch(/^HPE_/);
  const mute = await listening(net.createServer((socket) => socket.end()));
  expect(await get(`http://a.example:${mute}/`)).toBe('ECONNRESET');
  const plain = await listening(http.createServer((_, response) => response.end()));
  expect(await get(`https://a.example:${plain}/`)).toMatch(/SSL|EPROTO|ECONN/);
});

test('endless headers are cut off', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(1000)}\r\n`.repeat(100)}`);
  });
  expect(await get(`http://a.example:${await listening(server)}/`)).toBe('HPE_HEADER_OVERFLOW');
});

test('a port without a listener', async () => {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  expect(await get(`http://a.example:${port}/`)).toBe('connection refused');
});

test('what is cancelled tells nothing more, and its connection is closed', async () => {
  let said = '';
  const closed = new Promise<void>((resolve) => {
    const server = http.createServer((request) => {
      request.socket.on('close', () => resolve());
      attempt.cancel();
    });
    void listening(server).then((port) => {
      attempt = transport.get(new URL(`http://a.example:${port}/`), loopback, way, {
        answered: () => {
          said = 'answered';
        },
        failed: (reason) => {
          said = reason;
        },
      });
    });
  });
  let attempt = { cancel: () => {} };
  await closed;
  expect(said).toBe('');
});

test('an address is its own name; a name is asked for once at a time', async () => {
  const found: (number | undefined)[] = [];
  transport.resolve('192.0.2.1', (address) => found.push(address));
  expect(found).toEqual([0xc000_0201]);
  const both = ['localhost', 'localhost'].map(
    (name) => new Promise((resolve) => transport.resolve(name, resolve)),
  );
  expect(await Promise.all(both)).toEqual([loopback, loopback]);
});
