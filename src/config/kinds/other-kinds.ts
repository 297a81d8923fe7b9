// SPDX-License-Identifier: Apache-2.0
/**
 * Kinds that come with ours in a dump of a cluster: harmless ones, and those whose absence would
 * change what happens to packets.
 */

/** Accepted with a note. */
export const harmlessKinds: ReadonlySet<string> = new Set(
  `APIServer APIService BFDConfiguration BlockAffinity CSIDriver CSINode CalicoNodeStatus
  CertificateSigningRequest ClusterInformation ClusterRole ClusterRoleBinding ConfigMap
  ControllerRevision CronJob CustomResourceDefinition DaemonSet Deployment EndpointSlice Endpoints
  Event FlowSchema HorizontalPodAutoscaler IPAMBlock IPAMConfig IPAMConfiguration IPAMHandle
  Ingress IngressClass Installation Job KubeControllersConfiguration Lease LicenseKey LimitRange
  LogCollector LogStorage Manager Monitor MutatingWebhookConfiguration PersistentVolume
  PersistentVolumeClaim PodDisruptionBudget PodTemplate PriorityClass
  PriorityLevelConfiguration Profile ReplicaSet ReplicationController ResourceQuota Role RoleBinding
  RuntimeClass Service ServiceAccount StagedGlobalNetworkPolicy StagedKubernetesNetworkPolicy
  StagedNetworkPolicy StatefulSet StorageClass Tier TigeraStatus
  ValidatingWebhookConfiguration VolumeAttachment`.split(/\s+/),
);

/** Refused, with the reason. */
export const refusedKinds: ReadonlyMap<string, string> = new Map([
  ['GlobalNetworkPolicy', 'Egret does not enforce policies: what it forbids would pass'],
  ['NetworkPolicy', 'Egret does not enforce policies: what it forbids would pass'],
  ['AdminNetworkPolicy', 'Egret does not enforce policies: what it forbids would pass'],
  ['BaselineAdminNetworkPolicy', 'Egret does not enforce policies: what it forbids would pass'],
  ['HostEndpoint', 'Egret does not enforce policies: what it forbids would pass'],
  ['IPReservation', 'reserved addresses would be given to gateways'],
  ['Network', 'VRF Networks are not supported; use ExternalNetwork'],
]);
