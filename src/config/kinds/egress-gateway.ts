// SPDX-License-Identifier: Apache-2.0
/** EgressGateway: addresses out of pools, and the networks that they lead to. */

import { parseIpv4 } from '../../net/ipv4.ts';
import { labels } from '../schema/labels.ts';
import { defaulted, ignored, list, mapping, optional, required } from '../schema/shape.ts';
import { choice, integer, ipv4, text } from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';
import { defineKind } from './kind.ts';

const int32Max = 0x7fff_ffff;
const pod = 'of the Pods of a cluster';

const probe = (intervalDefault: number, timeoutDefault: number) => ({
  intervalSeconds: defaulted(integer(0, int32Max), intervalDefault, 'Seconds between probes'),
  timeoutSeconds: defaulted(
    integer(0, int32Max),
    timeoutDefault,
    'Seconds without an answer until a target counts as failed',
  ),
});

const template = mapping('template', {
  metadata: optional(
    mapping('template.metadata', {
      labels: optional(
        labels,
        "What clients' selectors look at; {projectcalico.org/egw: NAME} when empty",
      ),
      annotations: ignored(pod, 'silent'),
    }),
    'Labels',
  ),
  spec: optional(
    mapping('template.spec', {
      nodeSelector: optional(labels, 'Only boxes with a Node that has all these labels'),
      terminationGracePeriodSeconds: defaulted(
        integer(0, int32Max),
        30,
        'How long a removed gateway still forwards',
      ),
      affinity: ignored(pod),
      topologySpreadConstraints: ignored(pod),
      tolerations: ignored(pod),
      priorityClassName: ignored(pod),
      containers: ignored(pod),
      initContainers: ignored(pod),
    }),
    'Where it lives',
  ),
});

export const egressGatewayKind = defineKind({
  kind: 'EgressGateway',
  apiVersions: ['operator.tigera.io/v1'],
  isNamespaced: true,
  says: 'replicas addresses out of ipPools; what they send is looked up in externalNetworks.',
  fields: {
    spec: required(
      mapping('EgressGateway.spec', {
        replicas: defaulted(integer(0, int32Max), 1, 'How many addresses'),
        ipPools: required(
          list(
            mapping('ipPools[]', {
              name: optional(text({ max: 253 }), 'Name of an IPPool'),
              cidr: optional(text(), 'Its cidr, to the letter; a pool without IPPool is created'),
            }),
          ),
          'Where the addresses come from',
        ),
        externalNetworks: optional(
          list(text({ max: 253 })),
          'ExternalNetworks; the main table when absent',
        ),
        logSeverity: defaulted(
          choice('Fatal', 'Error', 'Warn', 'Info', 'Debug', 'Trace'),
          'Info',
          'Accepted; Appliance log.level decides',
        ),
        egressGatewayFailureDetection: optional(
          mapping('egressGatewayFailureDetection', {
            healthTimeoutDataStoreSeconds: defaulted(
              integer(1, int32Max),
              90,
              'Accepted; without egretd, neighbors keep its routes for BGPPeer.spec.maxRestartTime',
            ),
            icmpProbe: optional(
              mapping('icmpProbe', {
                ips: required(list(ipv4, { min: 1 }), 'Targets; one must answer'),
                ...probe(5, 15),
              }),
              'Pings',
            ),
            httpProbe: optional(
              mapping('httpProbe', {
                urls: required(
                  list(
                    text({ pattern: /^https?:\/\/[^\s/]+/, says: 'an http:// or https:// URL' }),
                    {
                      min: 1,
                    },
                  ),
                  'Targets; one must answer',
                ),
                ...probe(10, 30),
              }),
              'HTTP requests',
            ),
          }),
          'When the gateway is not ready; at least one probe',
        ),
        template: optional(template, 'Labels, and which box'),
        aws: optional(
          mapping('aws', {
            nativeIP: defaulted(choice('Enabled', 'Disabled'), 'Disabled', 'Accepted'),
            elasticIPs: optional(list(text()), 'Accepted; needs nativeIP Enabled'),
          }),
          'Accepted; of a cloud',
        ),
      }),
      'The gateway',
    ),
  },
  check({ fields: { spec } }, report) {
    if (spec === undefined) return;
    if (spec.ipPools && spec.ipPools.value.length === 0) {
      report.error(
        spec.ipPools,
        'at least one IPPool must be specified',
        'For example ipPools: [{ cidr: 10.50.0.2/31 }].',
      );
    }
    for (const pool of spec.ipPools?.value ?? []) {
      if (pool.present.includes('name') || pool.present.includes('cidr')) continue;
      report.error(
        pool,
        'needs name or cidr',
        'Name an IPPool, or give a cidr: its pool is created.',
      );
    }
    const detection = spec.egressGatewayFailureDetection;
    if (
      detection &&
      !detection.present.includes('icmpProbe') &&
      !detection.present.includes('httpProbe')
    ) {
      report.error(
        detection,
        'either ICMP or HTTP probe must be configured',
        'Give icmpProbe.ips or httpProbe.urls, or leave it out.',
      );
    }
    if (detection?.present.includes('healthTimeoutDataStoreSeconds')) {
      const text = 'without egretd, maxRestartTime of its BGPPeers counts';
      const { at } = detection.healthTimeoutDataStoreSeconds;
      report.note(at, `EgressGateway: healthTimeoutDataStoreSeconds has no effect: ${text}`);
    }
    if (detection?.icmpProbe) checkProbe(detection.icmpProbe, report);
    if (detection?.httpProbe) {
      checkProbe(detection.httpProbe, report);
      for (const url of detection.httpProbe.urls?.value ?? []) checkUrl(url, report);
    }
    const { aws } = spec;
    if (aws?.elasticIPs && aws.elasticIPs.value.length > 0 && aws.nativeIP.value === 'Disabled') {
      report.error(
        aws.elasticIPs,
        'NativeIP must be enabled when elastic IPs are used',
        'Neither has an effect here.',
      );
    }
    if (aws) report.note(aws.at, 'EgressGateway: spec.aws has no effect here (of a cloud)');
  },
});

function checkProbe(
  one: { readonly intervalSeconds: Located<number>; readonly timeoutSeconds: Located<number> },
  report: Report,
): void {
  if (one.timeoutSeconds.value >= one.intervalSeconds.value) return;
  report.error(
    one.timeoutSeconds,
    `the timeout, ${one.timeoutSeconds.value}, must not be less than the interval, ${one.intervalSeconds.value}`,
    'Give a longer timeoutSeconds, or a shorter intervalSeconds.',
  );
}

function checkUrl(url: Located<string>, report: Report): void {
  const host = URL.parse(url.value)?.hostname;
  if (host === undefined)
    report.error(url, `"${url.value}" is not a URL`, 'For example http://192.0.2.10:8080/health.');
  else if (host.startsWith('['))
    report.error(url, 'probes are IPv4 only', 'Give an IPv4 address, or a name that has one.');
  else if (parseIpv4(host) === undefined) {
    report.note(
      url.at,
      `EgressGateway: ${host} is resolved by the main table, whatever the network`,
    );
  }
}
