// SPDX-License-Identifier: Apache-2.0
/**
 * How many of each thing the data plane has room for. The same numbers are in native/abi.h; a test
 * compares them.
 */
export const modelLimits = {
  networks: 255,
  gatewayAddresses: 4096,
  gatewayNetworks: 8,
  /** Names of interfaces while an arena exists; one slot is never given to any. */
  interfaces: 63,
  /** Addresses that one policy rule may choose from. */
  ruleAddresses: 64,
} as const;
