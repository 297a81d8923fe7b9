// SPDX-License-Identifier: Apache-2.0
/** IPPool: where gateway addresses come from. */
import { type Ipv4Prefix, prefixesOverlap } from '../../net/ipv4.ts';
import { ignored, list, mapping, optional, required } from '../schema/shape.ts';
import {
  boolean,
  choice,
  choiceAnyCase,
  exactCidr,
  integer,
  selector,
} from '../schema/shape-scalars.ts';
import { calicoVersions, defineKind } from './kind.ts';

const linkLocal = { address: 0xa9fe0000, length: 16 };

export const poolHint = 'Take unicast addresses that the networks route to this box.';

/** @returns why no gateway could have addresses of this prefix; undefined: it could */
export function poolProblem(text: string, prefix: Ipv4Prefix): string | undefined {
  if (prefixesOverlap(prefix, linkLocal)) {
    return `${text} overlaps the link-local addresses 169.254.0.0/16`;
  }
  const firstOctet = prefix.address >>> 24;
  const isUsable = firstOctet !== 0 && firstOctet !== 127 && firstOctet < 224;
  return isUsable ? undefined : `${text} holds no addresses that a gateway could have`;
}

export const ipPoolKind = defineKind({
  kind: 'IPPool',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'Addresses for gateways; the first and last of the prefix count too. Pools must not overlap.',
  fields: {
    spec: required(
      mapping('IPPool.spec', {
        cidr: required(exactCidr, 'The addresses'),
        blockSize: optional(
          integer(20, 128),
          'Prefix length of a block: 20 to 32 (26 when absent), IPv6 116 to 128 (122)',
        ),
        disabled: optional(boolean, 'A gateway may not name a disabled pool'),
        disableBGPExport: optional(boolean, 'Refused for the pool of a gateway'),
        natOutgoing: optional(boolean, 'Refused for the pool of a gateway'),
        allowedUses: optional(
          list(choice('Workload', 'Tunnel', 'LoadBalancer', 'HostSecondaryInterface')),
          'Must hold Workload for the pool of a gateway',
        ),
        nodeSelector: optional(selector(), 'Accepted; a gateway names its pools'),
        namespaceSelector: optional(selector(), 'Accepted; a gateway names its pools'),
        assignmentMode: optional(choice('Automatic', 'Manual'), 'Accepted; as nodeSelector'),
        ipipMode: optional(choiceAnyCase('Never', 'CrossSubnet', 'Always'), 'Accepted'),
        vxlanMode: optional(choiceAnyCase('Never', 'CrossSubnet', 'Always'), 'Accepted'),
        awsSubnetID: ignored('of a cloud'),
        ipip: ignored('of a cluster'),
        'nat-outgoing': ignored('an old name of natOutgoing'),
      }),
      'The pool',
    ),
  },
  check({ fields: { spec } }, report) {
    if (spec === undefined) return;
    for (const mode of [spec.ipipMode, spec.vxlanMode]) {
      if (mode && mode.value !== 'Never') {
        report.note(mode.at, `IPPool: ${mode.path} has no effect here (of the cluster)`);
      }
    }
    const isTwice = [spec.ipipMode, spec.vxlanMode].every((mode) => mode && mode.value !== 'Never');
    if (isTwice && spec.vxlanMode) {
      report.error(
        spec.vxlanMode,
        'may not be given together with spec.ipipMode',
        'Neither has an effect here.',
      );
    }
    const { cidr, blockSize } = spec;
    if (cidr === undefined) return;
    const { value } = cidr;
    const isV4 = value.family === 4;
    const problem = isV4 && poolProblem(value.text, value.prefix);
    if (problem) report.error(cidr, problem, poolHint);
    const [least, most, usual] = isV4 ? [20, 32, 26] : [116, 128, 122];
    if (blockSize && (blockSize.value < least || blockSize.value > most)) {
      report.error(
        blockSize,
        `must be ${least} to ${most}, not ${blockSize.value}`,
        `${most} is possible for every pool.`,
      );
      return;
    }
    if (spec.present.includes('blockSize') && blockSize === undefined) return;
    const length = isV4 ? value.prefix.length : value.length;
    const block = blockSize?.value ?? usual;
    if (block >= length) return;
    report.error(
      blockSize ?? cidr,
      `the pool ${value.text} is smaller than one block (/${block})`,
      `Give blockSize: ${most}.`,
    );
  },
});
