// SPDX-License-Identifier: Apache-2.0
/** EgressGatewayPolicy: which destination is reached by which gateway. */

import { list, mapping, optional, required } from '../schema/shape.ts';
import { anyText, choice, cidr, integer, selector } from '../schema/shape-scalars.ts';
import { formatLocation } from '../yaml/located.ts';
import { calicoVersions, defineKind } from './kind.ts';

export const egressGatewayPolicyKind = defineKind({
  kind: 'EgressGatewayPolicy',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'Destination to gateway; the longest prefix wins. A rule without gateway leaves by the main table.',
  fields: {
    spec: required(
      mapping('EgressGatewayPolicy.spec', {
        rules: required(
          list(
            mapping('rules[]', {
              destination: optional(
                mapping('destination', { cidr: optional(cidr, 'Prefix; 0.0.0.0/0 when absent') }),
                'Where to',
              ),
              description: optional(anyText, 'For people'),
              gateway: optional(
                mapping('gateway', {
                  selector: required(selector(), 'Labels of gateways; not empty'),
                  namespaceSelector: required(selector(), 'Labels of their namespaces; not empty'),
                  maxNextHops: optional(
                    integer(0, 0x7fff_ffff),
                    'A client uses at most so many addresses; 0: all',
                  ),
                }),
                'Which gateways; without it the packet leaves by the main table, untranslated',
              ),
              gatewayPreference: optional(
                choice('None', 'PreferNodeLocal'),
                'Accepted; every gateway here is local',
              ),
            }),
          ),
          'The rules; their order means nothing',
        ),
      }),
      'The policy',
    ),
  },
  check({ fields: { spec } }, report) {
    const { rules } = spec ?? {};
    if (rules === undefined) return;
    const names = rules.value.some(
      ({ present }) => present.includes('gateway') || present.includes('destination'),
    );
    if (!names) {
      report.error(
        rules,
        'no rule names a gateway or a destination: the policy would do nothing',
        'Give at least one rule a gateway or a destination.',
      );
      return;
    }
    const destinations = new Map<string, string>();
    for (const rule of rules.value) {
      const { gateway, destination } = rule;
      for (const one of [gateway?.selector, gateway?.namespaceSelector]) {
        if (one && one.value.text.trim() === '') {
          report.error(one, 'the selector is empty', 'all() selects everything.');
        }
      }
      if (destination?.present.includes('cidr') && destination.cidr === undefined) continue;
      const written = destination?.cidr;
      const key = written?.value.text ?? '0.0.0.0/0';
      const place = written ?? destination ?? rule;
      const first = destinations.get(key);
      if (first !== undefined) {
        report.error(
          { at: place.at, path: written?.path ?? `${rule.path}.destination` },
          `a second rule for ${key}, first at ${first}`,
          'Each destination may stand once.',
        );
      } else {
        destinations.set(key, formatLocation(place.at));
      }
    }
  },
});
