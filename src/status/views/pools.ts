// SPDX-License-Identifier: Apache-2.0
/** `egret show pools`: each egress address, and how many of its ports are in use. */
import { integer, object, text } from '../../lib/json-schema.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { isWhole } from '../table.ts';
import { defineView } from '../view.ts';

/** RFC 6056 §3.2: ports 1024 to 65535 of TCP and UDP, and every ICMP query id. */
const portsPerAddress = 2 * 64_512 + 65_536;

export const pools = defineView({
  name: 'pools',
  help: 'Each egress address, and how many of its ports are in use.',
  row: object({
    address: text('An address of a gateway'),
    gateway: text('NAMESPACE/NAME of the EgressGateway'),
    portsUsed: integer('TCP and UDP ports and ICMP query ids in use'),
    portsTotal: integer('What there is of them'),
    portsQuarantined: integer('Not given out again yet'),
    tcpUsed: integer('TCP ports in use'),
    udpUsed: integer('UDP ports in use'),
    icmpUsed: integer('ICMP query ids in use'),
  }),
  columns: [
    { title: 'ADDRESS', text: (row) => row.address, widthMin: isWhole },
    { title: 'GATEWAY', text: (row) => row.gateway, widthMin: 20 },
    { title: 'PORTS USED', text: (row) => String(row.portsUsed), isNumber: true },
    { title: 'TCP', text: (row) => String(row.tcpUsed), isNumber: true, isExtra: true },
    { title: 'UDP', text: (row) => String(row.udpUsed), isNumber: true, isExtra: true },
    { title: 'ICMP', text: (row) => String(row.icmpUsed), isNumber: true, isExtra: true },
    { title: 'QUARANTINED', text: (row) => String(row.portsQuarantined), isNumber: true },
    { title: 'PORTS TOTAL', text: (row) => String(row.portsTotal), isNumber: true },
  ],
  rows: ({ assignment, dataPlane }) =>
    [...assignment].flatMap(([gateway, addresses]) =>
      addresses.map((address) => {
        const use = dataPlane.readPool(address);
        const tcpUsed = use?.tcpUsed ?? 0;
        const udpUsed = use?.udpUsed ?? 0;
        const icmpUsed = use?.icmpUsed ?? 0;
        return {
          address: formatIpv4(address),
          gateway,
          portsUsed: tcpUsed + udpUsed + icmpUsed,
          portsTotal: portsPerAddress,
          portsQuarantined: use?.quarantined ?? 0,
          tcpUsed,
          udpUsed,
          icmpUsed,
        };
      }),
    ),
});
