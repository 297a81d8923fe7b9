// SPDX-License-Identifier: Apache-2.0
/** The views of `egret show`, in the order of help. */
import type { View } from './view.ts';
import { clients } from './views/clients.ts';
import { counters } from './views/counters.ts';
import { gateways } from './views/gateways.ts';
import { interfaces } from './views/interfaces.ts';
import { neighbors } from './views/neighbors.ts';
import { networks } from './views/networks.ts';
import { nexthops } from './views/nexthops.ts';
import { pools } from './views/pools.ts';
import { route } from './views/route.ts';
import { sessions } from './views/sessions.ts';
import { system } from './views/system.ts';

export const views: readonly View[] = [
  networks,
  gateways,
  clients,
  neighbors,
  nexthops,
  route,
  sessions,
  pools,
  interfaces,
  counters,
  system,
];

export const viewNames: readonly string[] = views.map(({ name }) => name);

export function viewNamed(name: string): View | undefined {
  return views.find((view) => view.name === name);
}
