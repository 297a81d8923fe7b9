// SPDX-License-Identifier: Apache-2.0
/** What an operator tries from the box: ping, traceroute and tcp-check through the data plane, and what clears. */
import { test } from 'tap';
import { clientAddress, openScene, router, server, source } from './scene.ts';

test('ping, traceroute and tcp-check meet what a packet meets', async (t) => {
  const scene = await openScene(t, {
    clients: { ada: { network: 'north' }, bob: { network: 'south' } },
  });
  const { egret, figure } = scene;
  const say = (...words: string[]) => egret.ask(words, { statuses: 'any', timeoutMs: 60_000 });
  const ada = clientAddress(0);

  await t.test('a client: its policy, its egress address, its network', async (t) => {
    const { stdout, status, stderr } = await say('ping', server, 'from', ada, '--count', '2');
    t.equal(status, 0, stderr);
    t.match(stdout, `leaves as ${source.north} by wan0 to ${router}, network north`);
    t.match(stdout, /64 bytes from 198\.51\.100\.10: seq=2 ttl=\d+ time=\d/);
    t.match(stdout, '2 packets transmitted, 2 received, 0% packet loss');
    const byName = await say('ping', server, 'from', 'edge/bob', '--count', '1');
    t.match(byName.stdout, `leaves as ${source.south} by wan1`, byName.stderr);
    t.equal(byName.status, 0);
  });

  await t.test('a gateway and a network: their own addresses and routes', async (t) => {
    const gateway = await say('ping', server, 'from', 'edge/exit-south', '--count', '2');
    t.equal(gateway.status, 0, gateway.stdout + gateway.stderr);
    t.match(gateway.stdout, `leaves as ${source.south} by wan1 to ${router}, network south`);
    const network = await say('ping', router, 'from', 'network', 'south', '--count', '1');
    t.equal(network.status, 0, network.stdout + network.stderr);
    t.match(network.stdout, 'leaves as 100.64.9.1 by wan1');
  });

  await t.test('what drops says why, and the exit status is 5', async (t) => {
    const lost = await say('ping', '203.0.113.9', 'from', ada, '--count', '1');
    t.equal(lost.status, 5);
    t.match(lost.stdout, 'seq=1 dropped: no_route');
    const unknown = await say('ping', server, 'from', '10.99.0.1', '--count', '1');
    t.match(unknown.stdout, 'dropped: not_a_client');
    t.equal((await say('ping', server, 'from', 'nothing')).status, 3);
    t.equal((await say('ping', server)).status, 1);
    const own = await say('ping', '100.64.9.1', 'from', ada, '--count', '1');
    t.match(own.stdout, "the address is the box's own");
    t.equal(own.status, 5);
  });

  await t.test('traceroute: the box, the router, the server', async (t) => {
    const { stdout, status, stderr } = await say('traceroute', server, 'from', ada);
    t.equal(status, 0, stdout + stderr);
    t.match(
      stdout,
      new RegExp(`^ 1  10\\.20\\.30\\.1 .*\\n 2  ${router} .*\\n 3  ${server} `, 'm'),
    );
    const gateway = await say('traceroute', server, 'from', 'edge/exit-north');
    t.match(gateway.stdout, new RegExp(`^ 1  ${router} .*\\n 2  ${server} `, 'm'), gateway.stderr);
  });

  await t.test('tcp-check: open, refused, no answer', async (t) => {
    const open = await say('tcp-check', server, '80', 'from', ada);
    t.match(open.stdout, 'open: answered after', open.stderr);
    t.equal(open.status, 0);
    const refused = await say('tcp-check', server, '81', 'from', ada);
    t.match(refused.stdout, 'closed: refused after', refused.stderr);
    t.equal(refused.status, 5);
    t.equal((await say('tcp-check', server, '80', 'from', 'network', 'north')).status, 0);
    t.equal((await say('tcp-check', server, '0', 'from', ada)).status, 1);
  });

  await t.test('the client itself sees nothing of it, and its own ping works', async (t) => {
    const { stdout } = await figure.clients.ada.host.run(['ping', '-c1', '-W5', server]);
    t.match(stdout, '1 received');
  });
});
