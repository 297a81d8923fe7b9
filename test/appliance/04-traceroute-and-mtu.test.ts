// SPDX-License-Identifier: Apache-2.0
/**
 * The gateway as a router among routers: traceroute shows its arrival interface, and path-MTU
 * discovery works both ways, wherever the narrow link is.
 */
import { test } from 'tap';
import { pathMtuBack, ping, traceroute, transferPort } from '../lab/traffic.ts';
import { clientGateway, openScene, router, server } from './scene.ts';

test('traceroute and path MTU', async (t) => {
  const scene = await openScene(t, {
    clients: {
      alpha: { network: 'north' },
      beta: { network: 'south' },
      narrow: { network: 'north', mtu: 1300 },
    },
    // North is narrow behind its router, south at the gateway itself.
    mtu: { north: { lan: 1400 }, south: { uplink: 1360 } },
  });
  const { alpha, beta, narrow } = scene.figure.clients;
  const { north } = scene.figure.networks;

  await t.test('traceroute shows every hop', async (t) => {
    for (const protocol of ['udp', 'icmp', 'tcp'] as const) {
      const hops = await traceroute(alpha.host, server, protocol);
      t.strictSame(hops, [clientGateway(0), router, server], protocol);
    }
  });

  await t.test('UDP finds the path MTU from a client', async (t) => {
    const udp = { remote: server, port: 7, bytes: 1500 };
    const [behind, here] = await Promise.all([
      alpha.agent.call('discoverPathMtu', udp),
      beta.agent.call('discoverPathMtu', udp),
    ]);
    t.match(behind, { mtu: 1400, isAnswered: true }, "behind the network's router");
    t.match(here, { mtu: 1360, isAnswered: true }, 'at the gateway');
  });

  await t.test('UDP finds the path MTU from a server', async (t) => {
    const udp = { remote: server, port: 6000, bytes: 1500 };
    const found = await pathMtuBack(north.serverAgent, narrow.agent, udp);
    t.match(found, { mtu: 1300, isAnswered: true });
  });

  await t.test('ping with DF gets an error from the gateway', async (t) => {
    const { errors } = await ping(beta.host, server, 1, ['-M', 'do', '-s', '1400']);
    // The path MTU is known by now, or comes with the error: either way nothing was fragmented.
    t.match(errors.join() || 'message too long', /1360|too long/);
    const fits = await ping(beta.host, server, 2, ['-M', 'do', '-s', '1332']);
    t.match(fits, { sent: 2, received: 2 });
  });

  await t.test('a datagram without DF is cut and put together', async (t) => {
    const report = await ping(beta.host, server, 2, ['-M', 'dont', '-s', '4000']);
    t.match(report, { sent: 2, received: 2 });
  });

  await t.test('TCP passes every narrow link, both ways', async (t) => {
    for (const [name, { agent }] of Object.entries({ alpha, beta, narrow })) {
      for (const direction of ['up', 'down'] as const) {
        const order = { direction, bytes: 2 << 20, bytesPerSecond: 0 };
        const report = await agent.call('transfer', {
          remote: server,
          port: transferPort,
          ...order,
        });
        t.match(report, { isIntact: true, bytes: 2 << 20 }, `${name} ${direction}`);
      }
    }
  });
});
