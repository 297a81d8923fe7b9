// SPDX-License-Identifier: Apache-2.0
/** Many Pods as a cluster writes them, attached to a network's gateway. */

export function pods(count: number, network: 'north' | 'south'): string {
  const pod = (i: number): string => `apiVersion: v1
kind: Pod
metadata:
  name: web-${i}
  namespace: team-${i % 40}
  labels: { app: web, tier: backend }
  annotations:
    egress.projectcalico.org/selector: "exit == '${network}'"
    egress.projectcalico.org/namespaceSelector: "projectcalico.org/name == 'edge'"
spec:
  nodeName: worker-${i % 50}
  containers: [{ name: web, image: "registry.example/web:1.2" }]
status:
  phase: Running
  podIPs: [{ ip: 10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255} }]
`;
  return Array.from({ length: count }, (_, i) => pod(i)).join('---\n');
}
