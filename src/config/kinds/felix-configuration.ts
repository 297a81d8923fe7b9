// SPDX-License-Identifier: Apache-2.0
/**
 * FelixConfiguration: switches the features on, and names the routing tables that are in use.
 *
 * Calico's agent knows some two hundred fields; those that mean nothing on a box of its own are
 * listed by name, so that a misspelled one is still found.
 */

import type { Field } from '../schema/shape.ts';
import { ignored, list, mapping, optional, required, section } from '../schema/shape.ts';
import { anyText, choice, choiceAnyCase, duration, integer } from '../schema/shape-scalars.ts';
import { formatLocation } from '../yaml/located.ts';
import { calicoVersions, defineKind, refuseBoth } from './kind.ts';

const tableRange = mapping('routeTableRanges[]', {
  min: required(integer(1, 0xffff_ffff), 'First table'),
  max: required(integer(1, 0xffff_ffff), 'Last table'),
});

const agentFields = `allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads awsRequestTimeout
awsSecondaryIPRoutingRulePriority awsSecondaryIPSupport awsSrcDstCheck bpfAttachType
bpfCTLBLogFilter bpfConnectTimeLoadBalancing bpfConnectTimeLoadBalancingEnabled
bpfConntrackCleanupMode bpfConntrackLogLevel bpfConntrackMode bpfConntrackTimeouts
bpfDNSPolicyMode bpfDSROptoutCIDRs bpfDataIfacePattern bpfDisableGROForIfaces
bpfDisableUnprivileged bpfEnabled bpfEnforceRPF bpfExcludeCIDRsFromNAT bpfExportBufferSizeMB
bpfExtToServiceConnmark bpfExternalServiceMode bpfForceTrackPacketsFromIfaces
bpfHostConntrackBypass bpfHostNetworkedNATWithoutCTLB bpfIstioDSCP bpfIpv6Support
bpfJITHardening bpfKubeProxyHealthzPort bpfKubeProxyIptablesCleanupEnabled
bpfKubeProxyMinSyncPeriod bpfL3IfacePattern bpfLogFilters bpfLogLevel bpfMaglevMaxEndpointsPerService
bpfMaglevMaxServices bpfMapSizeConntrack bpfMapSizeConntrackCleanupQueue
bpfMapSizeConntrackScaling bpfMapSizeIPSets bpfMapSizeIfState bpfMapSizeNATAffinity
bpfMapSizeNATBackend bpfMapSizeNATFrontend bpfMapSizePerCpuConntrack bpfMapSizeRoute
bpfPSNATPorts bpfPolicyDebugEnabled bpfProfiling bpfRedirectToPeer captureDir captureMaxFiles
captureMaxSizeBytes captureRotationSeconds chainInsertMode cgroupV2Path dataplaneDriver
dataplaneWatchdogTimeout debugDisableLogDropping debugHost debugMemoryProfilePath debugPort
debugSimulateCalcGraphHangAfter debugSimulateDataplaneApplyDelay debugSimulateDataplaneHangAfter
defaultEndpointToHostAction deletedMetricsRetentionSecs deviceRouteProtocol deviceRouteSourceAddress
deviceRouteSourceAddressIPv6 disableConntrackInvalidCheck dnsCacheEpoch dnsCacheFile
dnsCacheSaveInterval dnsExtraTTL dnsLogsFileAggregationKind dnsLogsFileDirectory
dnsLogsFileEnabled dnsLogsFileIncludeLabels dnsLogsFileMaxFileSizeMB dnsLogsFileMaxFiles
dnsLogsFilePerNodeLimit dnsLogsFlushInterval dnsLogsLatency dnsPacketsNfqueueID
dnsPacketsNfqueueMaxHoldDuration dnsPacketsNfqueueSize dnsPolicyMode dnsPolicyNfqueueID
dnsPolicyNfqueueSize dnsTrustedServers dropActionOverride endpointReportingDelay
endpointReportingEnabled endpointStatusPathPrefix externalNodesList failsafeInboundHostPorts
failsafeOutboundHostPorts featureDetectOverride featureGates floatingIPs
flowLogsAggregationThresholdBytes flowLogsCollectProcessInfo flowLogsCollectProcessPath
flowLogsCollectTcpStats flowLogsCollectorDebugTrace flowLogsDestDomainsByClient
flowLogsDynamicAggregationEnabled flowLogsEnableHostEndpoint flowLogsEnableNetworkSets
flowLogsFileAggregationKindForAllowed flowLogsFileAggregationKindForDenied flowLogsFileDirectory
flowLogsFileEnabled flowLogsFileEnabledForAllowed flowLogsFileEnabledForDenied
flowLogsFileIncludeLabels flowLogsFileIncludePolicies flowLogsFileIncludeService
flowLogsFileMaxFileSizeMB flowLogsFileMaxFiles flowLogsFlushInterval flowLogsGoldmaneServer
flowLogsLocalReporter flowLogsMaxOriginalIPsIncluded flowLogsPolicyEvaluationMode goGCThreshold
goMaxProcs goMemoryLimitMB healthEnabled healthHost healthPort healthTimeoutOverrides
interfaceExclude interfacePrefix interfaceRefreshInterval ipForwarding ipipEnabled ipipMTU
ipsetsRefreshInterval iptablesBackend iptablesFilterAllowAction iptablesFilterDenyAction
iptablesLockFilePath iptablesLockProbeInterval iptablesLockTimeout iptablesMangleAllowAction
iptablesMarkMask iptablesNATOutgoingInterfaceFilter iptablesPostWriteCheckInterval
iptablesRefreshInterval ipv4ElevatedRoutePriority ipv4NormalRoutePriority
ipv6ElevatedRoutePriority ipv6NormalRoutePriority ipv6Support istioAmbientMode istioDSCPMark
kubeMasqueradeBit kubeNodePortRanges l7LogsFileAggregationDestinationInfo
l7LogsFileAggregationHTTPHeaderInfo l7LogsFileAggregationHTTPMethod
l7LogsFileAggregationNumURLPath l7LogsFileAggregationResponseCode l7LogsFileAggregationServiceInfo
l7LogsFileAggregationSourceInfo l7LogsFileAggregationTrimURL l7LogsFileAggregationURLCharLimit
l7LogsFileDirectory l7LogsFileEnabled l7LogsFileMaxFileSizeMB l7LogsFileMaxFiles
l7LogsFilePerNodeLimit l7LogsFlushInterval liveMigrationRouteConvergenceTime
localSubnetL2Reachability logActionRateLimit logActionRateLimitBurst logDebugFilenameRegex
logDropActionOverride logFilePath logPrefix logSeverityFile logSeverityScreen logSeveritySys
maxIpsetSize metadataAddr metadataPort mtuIfacePattern natOutgoingAddress natOutgoingExclusions
natPortRange netlinkTimeout nfNetlinkBufSize nftablesDNSPolicyMode nftablesFilterAllowAction
nftablesFilterDenyAction nftablesMangleAllowAction nftablesMarkMask nftablesMode
nftablesRefreshInterval openstackRegion policyActivityCollectorEnabled policySyncPathPrefix
programClusterRoutes prometheusGoMetricsEnabled prometheusMetricsCAFile prometheusMetricsCertFile
prometheusMetricsClientAuth prometheusMetricsEnabled prometheusMetricsHost
prometheusMetricsKeyFile prometheusMetricsPort prometheusProcessMetricsEnabled
prometheusReporterCAFile prometheusReporterCertFile prometheusReporterEnabled
prometheusReporterKeyFile prometheusReporterPort prometheusWireGuardMetricsEnabled
removeExternalRoutes reportingInterval reportingTTL requireMTUFile routeRefreshInterval
routeSource routeSyncDisabled serviceLoopPrevention sidecarAccelerationEnabled statsDumpFilePath
syslogReporterAddress syslogReporterEnabled syslogReporterNetwork tproxyMode tproxyPort
tproxyUpstreamConnMark usageReportingEnabled usageReportingInitialDelay usageReportingInterval
useInternalDataplaneDriver vxlanEnabled vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI
wafEventLogsFileDirectory wafEventLogsFileEnabled wafEventLogsFileMaxFileSizeMB
wafEventLogsFileMaxFiles wafEventLogsFlushInterval windowsDnsCacheFile windowsDnsExtraTTL
windowsFlowLogsFileDirectory windowsFlowLogsPositionFilePath windowsManageFirewallRules
windowsNetworkName windowsStatsDumpFilePath windowsDnsLogsFileDirectory wireguardEnabled
wireguardEnabledV6 wireguardHostEncryptionEnabled wireguardInterfaceName wireguardInterfaceNameV6
wireguardKeepAlive wireguardListeningPort wireguardListeningPortV6 wireguardMTU wireguardMTUV6
wireguardRoutingRulePriority wireguardThreadingEnabled workloadSourceSpoofing
xdpEnabled xdpRefreshInterval`.split(/\s+/);

const ignoredAgentFields: Record<string, Field<undefined>> = Object.fromEntries(
  agentFields.map((name) => [name, ignored('of the agent on cluster nodes')]),
);

export const felixConfigurationKind = defineKind({
  kind: 'FelixConfiguration',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'Switches features on. `default` is for every box, `node.NAME` overrides it on one.',
  fields: {
    spec: section(
      mapping('FelixConfiguration.spec', {
        ...ignoredAgentFields,
        externalNetworkSupport: optional(
          choiceAnyCase('Disabled', 'Enabled'),
          'Must be Enabled for ExternalNetworks to work; Disabled when absent',
        ),
        externalNetworkRoutingRulePriority: optional(
          integer(1, 32765),
          'Priority of the ip rules of networks; 102 when absent',
        ),
        egressIPSupport: optional(
          choice('Disabled', 'EnabledPerNamespace', 'EnabledPerNamespaceOrPerPod'),
          'Whose annotations count; EnabledPerNamespaceOrPerPod when absent, with a note',
        ),
        egressIPRoutingRulePriority: optional(
          integer(1, 32765),
          'Accepted; clients have no ip rules here',
        ),
        egressIPVXLANPort: optional(
          integer(1, 65535),
          'Accepted; clients reach this box by routing',
        ),
        egressIPVXLANVNI: optional(integer(1, 16777215), 'Accepted; as egressIPVXLANPort'),
        egressIPHostIfacePattern: optional(anyText, 'Accepted; rp_filter is set by egretd itself'),
        egressGatewayPollInterval: optional(
          duration(1, 86_400_000),
          'Accepted; gateways are on this box and are not polled',
        ),
        egressGatewayPollFailureCount: optional(
          integer(1, 0x7fff_ffff),
          'Accepted; as egressGatewayPollInterval',
        ),
        routeTableRanges: optional(
          list(tableRange),
          'Tables that a network may not use; 1 to 250 when absent',
        ),
        routeTableRange: optional(tableRange, 'Deprecated form of routeTableRanges, up to 250'),
      }),
      'The settings',
    ),
  },
  check({ fields: { spec }, name, nameAt }, report) {
    if (name !== 'default' && !name.startsWith('node.')) {
      report.error(
        nameAt,
        `a FelixConfiguration is named default or node.NAME, not ${name}`,
        'Any other name would have no effect.',
      );
    }
    refuseBoth(spec.routeTableRanges, spec.routeTableRange, report);
    const ranges = [...(spec.routeTableRanges?.value ?? [])];
    if (spec.routeTableRange !== undefined) ranges.push(spec.routeTableRange);
    let tableCount = 0;
    for (const { min, max } of ranges) {
      if (min === undefined || max === undefined) continue;
      if (max.value < min.value) {
        report.error(
          max,
          `must not be less than min (${min.value}, ${formatLocation(min.at)})`,
          'The range ends with max.',
        );
        continue;
      }
      tableCount += max.value - min.value + 1;
    }
    if (spec.routeTableRanges && tableCount > 65535) {
      report.error(
        spec.routeTableRanges,
        `has ${tableCount} tables; at most 65535 are allowed`,
        'Name only tables that something uses.',
      );
    }
    const last = spec.routeTableRange?.max;
    if (last && last.value > 250)
      report.error(last, `must be at most 250, not ${last.value}`, 'routeTableRanges takes more.');
  },
});

/** For what no FelixConfiguration says: a node's own may say it, so absence is no value. */
export const felixDefaults = {
  externalNetworkRulePriority: 102,
  egressIpRulePriority: 100,
  reservedTables: [{ min: 1, max: 250 }],
} as const;
