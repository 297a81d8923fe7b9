// SPDX-License-Identifier: Apache-2.0
/**
 * A scan from a client and from a network finds no open port but BGP's, and that only from a
 * configured neighbor. Services answer on the Management interface, to the prefixes that are allowed.
 * Real services listen on all addresses of the box meanwhile, IPv4 and IPv6.
 *
 *   client ── cli0 ┌─────────┐ wan0 ── router, and 100.64.9.78, which is no neighbor
 *                  │ gateway │
 *                  └─────────┘ mg0 ── admin 10.99.0.2 (allowed), 10.99.1.2 (not)
 */
import { test } from 'tap';
import type { Host } from '../lab/namespace.ts';
import { scanPorts, startServices } from '../lab/port-scan.ts';
import { ping, traceroute } from '../lab/traffic.ts';
import { clientGateway, gatewayUplink, openScene, router, server, source } from './scene.ts';

const bgpPort = 179;
const sshPort = 22;
const metricsPort = 9473;
const services = [sshPort, 53, 80, 443, 5355, 8080, metricsPort, 40_000];
/** Every port that means something, and those on which something listens. */
const scanned = [...Array(1024).keys()].slice(1).concat(services.filter((port) => port > 1023));
const nothing = { tcp: [], udp: [] };

test('ports of the forwarder have no open port but BGP', async (t) => {
  let admin: Host | undefined;
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    appliance: {
      interfaces: [{ name: 'mg0', role: 'Management', allowFrom: ['10.99.0.0/24', 'fd99::/64'] }],
      metrics: { listen: `0.0.0.0:${metricsPort}` },
    },
    before: async (figure) => {
      const { gateway } = figure;
      await startServices(gateway, services);
      // A host that has a namespace already.
      admin = figure.networks.south.server;
      await admin.ip('link add mg1 type veth peer name mg0');
      await admin.run(['ip', 'link', 'set', 'mg0', 'netns', gateway.namespace]);
      await admin.ip(
        'address add 10.99.0.2/24 dev mg1',
        'address add 10.99.1.2/24 dev mg1',
        'address add fd99::2/64 dev mg1 nodad',
        'link set mg1 up',
      );
      await gateway.ip(
        'address add 10.99.0.1/24 dev mg0',
        'address add 10.99.1.1/24 dev mg0',
        'address add fd99::1/64 dev mg0 nodad',
        'link set mg0 up',
        'address add fe80::1/64 dev cli0 nodad',
        'address add fe80::1/64 dev wan0 nodad',
      );
      await figure.clients.alpha.host.ip('address add fe80::2/64 dev eth0 nodad');
      await figure.networks.north.router.ip(
        'address add fe80::2/64 dev up0 nodad',
        'address add 100.64.9.78/24 dev up0',
      );
    },
  });
  const { alpha, beta } = scene.figure.clients;
  const northRouter = scene.figure.networks.north.router;
  const { gateway } = scene.figure;

  await t.test('the services are there', async (t) => {
    const found = await scanPorts(gateway, '127.0.0.1', services);
    t.strictSame(found, { tcp: services, udp: services });
  });

  await t.test('a client finds nothing, at any address of the box', async (t) => {
    const remotes = [clientGateway(0), gatewayUplink, '10.99.0.1', 'fe80::1%eth0'];
    for (const [i, found] of (
      await Promise.all(remotes.map((remote) => scanPorts(alpha.host, remote, scanned)))
    ).entries()) {
      t.strictSame(found, nothing, remotes[i] ?? '');
    }
  });

  await t.test('a network finds BGP, from its neighbor alone', async (t) => {
    const [asNeighbor, asOther, byLinkLocal] = await Promise.all([
      scanPorts(northRouter, gatewayUplink, scanned, router),
      scanPorts(northRouter, gatewayUplink, scanned, '100.64.9.78'),
      scanPorts(northRouter, 'fe80::1%up0', scanned),
    ]);
    t.strictSame(asNeighbor, { tcp: [bgpPort], udp: [] });
    t.strictSame(asOther, nothing);
    t.strictSame(byLinkLocal, nothing);
  });

  await t.test('the management plane answers at SSH and metrics, to whom it may', async (t) => {
    const [allowed, allowedV6, refused] = await Promise.all([
      scanPorts(admin!, '10.99.0.1', services, '10.99.0.2'),
      scanPorts(admin!, 'fd99::1', services, 'fd99::2'),
      scanPorts(admin!, '10.99.1.1', services, '10.99.1.2'),
    ]);
    t.strictSame(allowed, { tcp: [sshPort, metricsPort], udp: [] });
    t.strictSame(allowedV6, { tcp: [sshPort, metricsPort], udp: [] });
    t.strictSame(refused, nothing);
  });

  await t.test('the box answers ping and traceroute, and forwards', async (t) => {
    t.match(await ping(alpha.host, clientGateway(0)), { sent: 3, received: 3 });
    t.match(await ping(northRouter, gatewayUplink), { sent: 3, received: 3 });
    t.match(await ping(admin!, '10.99.1.1'), { sent: 3, received: 3 });
    t.strictSame(await traceroute(alpha.host, clientGateway(0)), [clientGateway(0)]);
    const [tcp, udp] = await Promise.all([
      alpha.agent.ask('tcp', server),
      beta.agent.ask('udp', server),
    ]);
    t.match(tcp, { network: 'north', address: source.north });
    t.match(udp, { network: 'south', address: source.south });
  });
});
