// SPDX-License-Identifier: Apache-2.0
/** `egret show interfaces`: each port and management interface, with what the kernel says of it. */
import {
  boolean,
  integer,
  type JsonValue,
  list,
  nullable,
  object,
  text,
} from '../../lib/json-schema.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { listText, yesNo } from '../table.ts';
import { defineView } from '../view.ts';

const row = object({
  name: text('Of the interface'),
  role: text('Clients, Networks, Any or Management'),
  driver: text('What takes its packets; none: the kernel alone'),
  reason: text('Why it is a port, and what is wrong with it'),
  up: boolean('It exists and is up'),
  mtu: integer('In bytes; 0: it does not exist'),
  networks: list(text(), 'ExternalNetworks that it carries'),
  addresses: list(text(), "The box's own addresses on it, ADDRESS/LENGTH"),
  rpFilter: nullable(integer('Source validation as the kernel applies it: 0, 1 or 2')),
});

export const interfaces = defineView({
  name: 'interfaces',
  help: 'Each port and management interface, with what the kernel says of it.',
  row,
  columns: [
    { title: 'NAME', text: (row) => row.name, widthMin: 15 },
    { title: 'ROLE', text: (row) => row.role },
    { title: 'DRIVER', text: (row) => row.driver, isExtra: true },
    { title: 'UP', text: (row) => yesNo(row.up) },
    { title: 'MTU BYTES', text: (row) => String(row.mtu), isNumber: true, isExtra: true },
    {
      title: 'RP_FILTER',
      text: (row) => String(row.rpFilter ?? '-'),
      isNumber: true,
      isExtra: true,
    },
    { title: 'NETWORKS', text: (row) => listText(row.networks) },
    { title: 'ADDRESSES', text: (row) => listText(row.addresses), widthMin: 18 },
    { title: 'REASON', text: (row) => row.reason, widthMin: 24 },
  ],
  rows,
});

function rows(parts: LiveParts): JsonValue<typeof row>[] {
  const { model, links, ports, rpFilter, forwarderTrouble } = parts;
  const managed = model.appliance.interfaces
    .filter(({ role }) => role === 'Management')
    .map(({ name, role }) => ({
      ...{ name, role, networks: [], reason: 'never a port', fault: undefined },
    }));
  return [...ports, ...managed].map((port) => {
    const link = links.find((candidate) => candidate.name === port.name);
    const isPort = port.role !== 'Management' && port.fault === undefined;
    const troubles = [
      link ? [] : 'it does not exist',
      port.fault === undefined ? [] : `not a port: ${port.fault}`,
      (isPort && forwarderTrouble) || [],
    ].flat();
    return {
      name: port.name,
      role: port.role,
      driver: isPort ? 'packet' : 'none',
      reason: [port.reason, ...troubles].join('; '),
      up: link?.isUp ?? false,
      mtu: link?.mtu ?? 0,
      networks: port.networks,
      addresses: (link?.addresses ?? []).map((own) => `${formatIpv4(own.address)}/${own.length}`),
      rpFilter: rpFilter(port.name),
    };
  });
}
