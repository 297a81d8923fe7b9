// SPDX-License-Identifier: Apache-2.0
/** `egret show networks`: each ExternalNetwork, and whether packets can leave by it. */
import { boolean, integer, list, object, text } from '../../lib/json-schema.ts';
import { listText, yesNo } from '../table.ts';
import { defineView } from '../view.ts';

export const networks = defineView({
  name: 'networks',
  help: 'Each ExternalNetwork, and whether packets can leave by it.',
  row: object({
    name: text('metadata.name of the ExternalNetwork'),
    table: integer("Its table in the kernel's numbering"),
    ready: boolean('Packets can leave by it'),
    reason: text('Why it is ready or not'),
    routes: integer('Prefixes learned from neighbors and static routes that are forwarded'),
    refused: integer('Prefixes that are not, since the FIB has no room for them'),
    mirrored: integer("Routes of it in the kernel's table"),
    interfaces: list(text(), 'Ports that belong to it'),
  }),
  columns: [
    { title: 'NAME', text: (row) => row.name, widthMin: 20 },
    { title: 'TABLE', text: (row) => String(row.table), isNumber: true },
    { title: 'READY', text: (row) => yesNo(row.ready) },
    { title: 'ROUTES', text: (row) => String(row.routes), isNumber: true },
    { title: 'MIRRORED', text: (row) => String(row.mirrored), isNumber: true, isExtra: true },
    { title: 'INTERFACES', text: (row) => listText(row.interfaces) },
    { title: 'REASON', text: (row) => row.reason, widthMin: 24 },
  ],
  rows: (parts) =>
    parts.model.networks.map((network) => {
      const readiness = parts.networkReadiness.get(network.name);
      return {
        name: network.name,
        table: network.routeTableIndex,
        ready: readiness?.isReady ?? false,
        reason: readiness?.reason ?? 'starting',
        routes: Math.max(
          0,
          (parts.ribs.get(network.name)?.learnedCount ?? 0) - parts.routesRefused(network),
        ),
        refused: parts.routesRefused(network),
        mirrored: parts.mirroredCount(network),
        interfaces: parts.ports
          .filter((port) => port.networks.includes(network.name))
          .map((port) => port.name),
      };
    }),
});
