// SPDX-License-Identifier: Apache-2.0
/**
 * FelixConfiguration and BGPConfiguration → Features, tables that are taken, BGP settings. A
 * `node.NAME` of this box overrides `default` field by field.
 */
import type { BgpSettings, Features } from '../../model/model.ts';
import { applianceKind } from '../kinds/appliance.ts';
import { bgpConfigurationKind } from '../kinds/bgp-configuration.ts';
import { felixConfigurationKind, felixDefaults } from '../kinds/felix-configuration.ts';
import type { Kind, Resource } from '../kinds/kind.ts';
import type { Fields } from '../schema/shape.ts';
import type { Place, Report } from '../yaml/located.ts';
import type { Box } from './box.ts';
import type { Catalog } from './catalog.ts';

const asNumberDefault = 64512;
const restartDeferralDefaultMs = 120_000;

export interface ResolvedFeatures {
  readonly features: Features;
  /** Where externalNetworkSupport is said, or should be; broken: an error says so already. */
  readonly networkSupportAt: Place | 'broken' | undefined;
  readonly reservedTables: readonly { readonly min: number; readonly max: number }[];
}

export function resolveFeatures(catalog: Catalog, box: Box, report: Report): ResolvedFeatures {
  const layers = layersOf(catalog, felixConfigurationKind, box).map(({ fields }) => fields.spec);
  const first = <T>(pick: (spec: (typeof layers)[number]) => T | undefined): T | undefined => {
    for (const spec of layers) {
      const value = pick(spec);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const egressIp = first((spec) => spec.egressIPSupport);
  if (egressIp === undefined && !layers.some((spec) => spec.present.includes('egressIPSupport'))) {
    report.note(
      layers[0]?.at,
      'FelixConfiguration egressIPSupport is not set: EnabledPerNamespaceOrPerPod is taken',
    );
  }
  if (egressIp?.value === 'Disabled') {
    report.note(egressIp.at, 'egressIPSupport is Disabled: gateways are switched off');
  }
  const networkSupport = first((spec) => spec.externalNetworkSupport);
  const isBroken =
    layers.some((spec) => spec.present.includes('externalNetworkSupport')) ||
    (layers.length === 0 && catalog.isNamed(felixConfigurationKind, 'default'));
  const written = first(({ routeTableRanges, routeTableRange }) => {
    const ranges = routeTableRanges?.value ?? (routeTableRange ? [routeTableRange] : []);
    return ranges.length > 0 ? ranges : undefined;
  });
  return {
    features: {
      hasExternalNetworks: networkSupport?.value === 'Enabled',
      egressIpSupport: egressIp?.value ?? 'EnabledPerNamespaceOrPerPod',
      egressIpRulePriority:
        first((spec) => spec.egressIPRoutingRulePriority)?.value ??
        felixDefaults.egressIpRulePriority,
      externalNetworkRulePriority:
        first((spec) => spec.externalNetworkRoutingRulePriority)?.value ??
        felixDefaults.externalNetworkRulePriority,
    },
    networkSupportAt: networkSupport ?? (isBroken ? 'broken' : layers[0]),
    reservedTables: written
      ? written.flatMap(({ min, max }) => (min && max ? [{ min: min.value, max: max.value }] : []))
      : felixDefaults.reservedTables,
  };
}

export function resolveBgpSettings(catalog: Catalog, box: Box): BgpSettings {
  const layers = layersOf(catalog, bgpConfigurationKind, box).map(({ fields }) => fields.spec);
  const port = layers.find((spec) => spec.listenPort)?.listenPort;
  const general = catalog.find(bgpConfigurationKind, 'default')?.fields.spec.asNumber;
  const appliance = catalog.of(applianceKind)[0]?.fields.spec;
  return {
    localAs: box.asNumber ?? general?.value ?? asNumberDefault,
    routerId: box.routerId,
    listenPort: port?.value ?? 179,
    nodeAddress: box.address,
    restartDeferralMs: appliance?.bgp.restartDeferral.value ?? restartDeferralDefaultMs,
  };
}

/** Those of this box first, then the general one. */
function layersOf<F extends Fields>(
  catalog: Catalog,
  kind: Kind<F>,
  box: Box,
): readonly Resource<F>[] {
  const own = catalog
    .of(kind)
    .filter(({ name }) => name.startsWith('node.') && box.isNamed(name.slice('node.'.length)));
  const general = catalog.find(kind, 'default');
  return general ? [...own, general] : own;
}
