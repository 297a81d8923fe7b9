// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Model } from '../model/model.ts';
import { parseIpv4, parseIpv4Prefix } from '../net/ipv4.ts';
import { checkAgainstHost, type HostInterface } from './host.ts';
import { resolveDocuments } from './resolve/resolve.ts';
import { parseFile } from './yaml/documents.ts';
import { makeReport } from './yaml/located.ts';

function modelOf(more: string): Model {
  const text = `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: red }
spec: { routeTableIndex: 500 }
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: red }
spec: { peerIP: 172.16.1.140, asNumber: 64512, externalNetwork: red }
---
${more}`;
  const report = makeReport();
  const documents = parseFile('test.yaml', Buffer.from(text), report);
  const resolution = resolveDocuments(documents, report);
  if (resolution.kind === 'errors') throw new Error(resolution.errors[0]?.message);
  return resolution.model;
}

function link(name: string, ...addresses: string[]): HostInterface {
  return {
    name,
    isUp: true,
    addresses: addresses.map((text) => ({
      address: parseIpv4(text.replace(/\/.*/, '')) ?? 0,
      length: parseIpv4Prefix(text)?.length ?? 32,
    })),
  };
}

const appliance = (spec: string) =>
  `apiVersion: egret.dev/v1\nkind: Appliance\nmetadata: { name: gw1 }\nspec: ${spec}\n`;

function problems(model: Model, ...interfaces: HostInterface[]): string[] {
  return checkAgainstHost(model, interfaces, []).map(({ message }) => message);
}

describe('neighbors against the kernel', () => {
  it('one link is enough', () => {
    expect(
      problems(modelOf(''), link('ens5', '172.16.1.1/24'), link('ens6', '10.1.0.1/24')),
    ).toEqual([]);
  });

  it('no link is an error at the peerIP', () => {
    const [error] = checkAgainstHost(modelOf(''), [link('ens5', '172.16.2.1/24')], []);
    expect(error?.at).toEqual({ file: 'test.yaml', line: 14, column: 17 });
    expect(error?.message).toContain('no interface of network red has 172.16.1.140 on its link');
  });

  it('two links need networks[].interfaces', () => {
    const two = [link('ens5', '172.16.1.1/24'), link('ens6', '172.16.1.1/24')];
    expect(problems(modelOf(''), ...two)[0]).toContain('on the link of ens5 and ens6');
    const named = modelOf(appliance('{ networks: [{ name: red, interfaces: [ens6] }] }'));
    expect(problems(named, ...two)).toEqual([]);
  });

  it('a named interface that is not there is waited for', () => {
    const named = modelOf(appliance('{ networks: [{ name: red, interfaces: [ens6] }] }'));
    expect(problems(named, link('ens5', '172.16.2.1/24'))).toEqual([]);
  });

  it('a static route of the network leads there, the main table does not', () => {
    const routed = modelOf(
      appliance(
        '{ networks: [{ name: red, staticRoutes: [{ destination: 172.16.0.0/16, nextHop: 10.9.0.2 }] }] }',
      ),
    );
    expect(problems(routed, link('ens5', '10.9.0.1/24'))).toEqual([]);
    expect(problems(routed, link('ens5', '10.8.0.1/24'))[0]).toContain('10.9.0.2');
    const main = { destination: { address: 0, length: 0 }, interface: 'ens5' };
    expect(checkAgainstHost(modelOf(''), [link('ens5', '10.9.0.1/24')], [main])).toHaveLength(1);
  });

  it('management interfaces and lo lead to no network', () => {
    const managed = modelOf(appliance('{ interfaces: [{ name: ens3, role: Management }] }'));
    expect(
      problems(managed, link('ens3', '172.16.1.1/24'), link('lo', '172.16.1.2/24')),
    ).toHaveLength(1);
  });
});
