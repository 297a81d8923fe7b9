/**
 * How many of each thing the data plane has room for. The same numbers stand in native/abi.h; a test
 * compares them.
 */
export const modelLimits = {
  networks: 255,
  gatewayAddresses: 4096,
  gatewayNetworks: 8,
  interfaces: 64,
  /** Addresses that one policy rule may choose from. */
  ruleAddresses: 64,
} as const;
