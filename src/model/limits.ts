/**
 * How many of each thing the data plane has room for. The same numbers stand in native/abi.h; a test
 * compares them.
 */
export const modelLimits = {
  networks: 255,
  gatewayAddresses: 4096,
  gatewayNetworks: 8,
  /** Names of interfaces over an arena's life; one slot is nobody's. */
  interfaces: 63,
  /** Addresses that one policy rule may choose from. */
  ruleAddresses: 64,
} as const;
