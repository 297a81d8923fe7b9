// SPDX-License-Identifier: Apache-2.0
/**
 * Documents → the Model of this box, or everything that is wrong with them.
 *
 *   documents ─▶ catalog ─┬▶ box ─▶ features ─▶ networks ─▶ neighbors, filters
 *   (documents.ts)        └▶ gateways and pools ─▶ policies ─▶ clients
 *
 * Each step reports and continues, so that all errors come at once; what depends on a broken document
 * is not reported again. What depends on the kernel is checked in host.ts.
 */
import type { Model } from '../../model/model.ts';
import type { Parsed } from '../yaml/documents.ts';
import type { LocatedError, Report } from '../yaml/located.ts';
import { sortErrors } from '../yaml/located.ts';
import { resolveBox } from './box.ts';
import { readCatalog } from './catalog.ts';
import { resolveClients } from './clients.ts';
import { resolveBgpSettings, resolveFeatures } from './features.ts';
import { resolveGateways } from './gateways.ts';
import { resolveFilters, resolveNeighbors } from './neighbors.ts';
import { resolveAppliance, resolveNetworks } from './networks.ts';

export type Resolution =
  | { readonly kind: 'model'; readonly model: Model }
  | { readonly kind: 'errors'; readonly errors: readonly LocatedError[] };

/** @param report - where documents.ts reports, too; its notes go into the model */
export function resolveDocuments(documents: Iterable<Parsed>, report: Report): Resolution {
  const catalog = readCatalog(documents, report);
  const box = resolveBox(catalog, report);
  const resolvedFeatures = resolveFeatures(catalog, box, report);
  const { features } = resolvedFeatures;
  const bgp = resolveBgpSettings(catalog, box);
  const networks = resolveNetworks(catalog, resolvedFeatures, report);
  const neighbors = resolveNeighbors(catalog, box, bgp, report);
  const gateways = resolveGateways(catalog, box, report);
  const { clients, policies } = resolveClients(catalog, features, gateways, report);
  const appliance = resolveAppliance(catalog, report);
  if (report.errors.length > 0) return { kind: 'errors', errors: sortErrors(report.errors) };
  const areGatewaysOff = features.egressIpSupport === 'Disabled';
  return {
    kind: 'model',
    model: {
      features,
      bgp,
      networks,
      neighbors: neighbors.neighbors,
      filters: resolveFilters(catalog),
      gateways: areGatewaysOff ? [] : gateways.gateways,
      policies,
      clients,
      appliance,
      notes: report.notes,
      elsewhere: [...neighbors.elsewhere, ...gateways.elsewhere],
    },
  };
}
