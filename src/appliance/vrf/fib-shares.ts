// SPDX-License-Identifier: Apache-2.0
/**
 * How the FIB's plies are shared, so that no neighbor of one network takes the room of another.
 *
 *   ┌ networks with limits.routes: what any prefixes of that number take ┐
 *   ├ every other network, and the main table: equal parts of half the rest ┤
 *   └ common: for those that need more than its share ┘
 */
import type { Limits } from '../../dataplane/arena.ts';
import type { Model } from '../../model/model.ts';

/**
 * Plies for this number of prefixes, whatever they are: in the worst case each is longer than /24 and
 * alone in its /24, and has a ply for its /16 and one for its /24 (native/fib/fib.h).
 */
export const pliesForAny = (routes: number): number => routes + Math.min(routes, 65_536);

/** Plies that networks ask for by name. */
export const pliesReserved = ({ networks }: Pick<Model, 'networks'>): number =>
  networks.reduce((sum, { routesReserved }) => sum + pliesForAny(routesReserved ?? 0), 0);

/** @returns plies of each table; undefined is the main one. Together at most limits.plies. */
export function fibShares(
  { networks }: Pick<Model, 'networks'>,
  { plies }: Pick<Limits, 'plies'>,
): Map<number | undefined, number> {
  const named = networks.filter(({ routesReserved }) => routesReserved !== undefined);
  const asked = pliesReserved({ networks });
  // An arena that was made for another configuration may hold less than is asked for now.
  const scale = Math.min(1, plies / Math.max(1, asked));
  const equal = Math.floor((plies - asked * scale) / 2 / (networks.length - named.length + 1));
  const shares = new Map<number | undefined, number>([[undefined, equal]]);
  for (const { routeTableIndex, routesReserved } of networks) {
    const own = Math.floor(pliesForAny(routesReserved ?? 0) * scale);
    shares.set(routeTableIndex, routesReserved === undefined ? equal : own);
  }
  return shares;
}
