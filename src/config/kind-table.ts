// SPDX-License-Identifier: Apache-2.0
/** All kinds that Egret works with, in the order of docs/resources.md. */
import { applianceKind } from './kinds/appliance.ts';
import { bgpConfigurationKind } from './kinds/bgp-configuration.ts';
import { bgpFilterKind } from './kinds/bgp-filter.ts';
import { bgpPeerKind } from './kinds/bgp-peer.ts';
import { globalNetworkSetKind, namespaceKind, networkSetKind, podKind } from './kinds/clients.ts';
import { egressGatewayKind } from './kinds/egress-gateway.ts';
import { egressGatewayPolicyKind } from './kinds/egress-gateway-policy.ts';
import { externalNetworkKind } from './kinds/external-network.ts';
import { felixConfigurationKind } from './kinds/felix-configuration.ts';
import { ipPoolKind } from './kinds/ip-pool.ts';
import type { Kind } from './kinds/kind.ts';
import { nodeKind } from './kinds/node.ts';
import { secretKind } from './kinds/secret.ts';
import type { Fields } from './schema/shape.ts';

export const kinds: readonly Kind<Fields>[] = [
  felixConfigurationKind,
  externalNetworkKind,
  bgpConfigurationKind,
  bgpPeerKind,
  bgpFilterKind,
  nodeKind,
  ipPoolKind,
  secretKind,
  egressGatewayKind,
  egressGatewayPolicyKind,
  namespaceKind,
  podKind,
  networkSetKind,
  globalNetworkSetKind,
  applianceKind,
] as readonly Kind<Fields>[];
