// SPDX-License-Identifier: Apache-2.0
/** One text for (namespace, name) of an EgressGateway: what clients, plans and the state file say. */
export const gatewayKey = (gateway: {
  readonly namespace: string;
  readonly name: string;
}): string => `${gateway.namespace}/${gateway.name}`;
