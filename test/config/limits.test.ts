// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import * as abi from '../../src/dataplane/abi.gen.ts';
import { modelLimits } from '../../src/model/limits.ts';

it('the limits of a configuration are those of the data plane', () => {
  expect(modelLimits).toEqual({
    // Slot 0 is the main table.
    networks: abi.NETWORK_MAX - 1,
    gatewayAddresses: abi.ADDRESS_MAX,
    gatewayNetworks: abi.ADDRESS_NETWORKS_MAX,
    interfaces: abi.PORT_MAX - 1,
    ruleAddresses: abi.RULE_ADDRESSES_MAX,
  });
});
