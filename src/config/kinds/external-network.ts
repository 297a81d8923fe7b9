// SPDX-License-Identifier: Apache-2.0
/** ExternalNetwork: a VRF, by the index of its routing table. */
import { mapping, required } from '../schema/shape.ts';
import { integer } from '../schema/shape-scalars.ts';
import { calicoVersions, defineKind } from './kind.ts';

export const externalNetworkKind = defineKind({
  kind: 'ExternalNetwork',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'A network of its own, with a routing table of its own. IPv4 only.',
  fields: {
    spec: required(
      mapping('ExternalNetwork.spec', {
        routeTableIndex: required(
          integer(1, 0x7fff_ffff),
          'Table; unique, not 253 to 255, outside FelixConfiguration routeTableRanges',
        ),
      }),
      'The network',
    ),
  },
  check({ fields }, report) {
    const index = fields.spec?.routeTableIndex;
    if (index && index.value >= 253 && index.value <= 255) {
      report.error(
        index,
        `${index.value} is a table of the kernel (253 default, 254 main, 255 local)`,
        'Choose another index, for example 500.',
      );
    }
  },
});
