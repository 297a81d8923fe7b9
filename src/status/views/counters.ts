// SPDX-License-Identifier: Apache-2.0
/** `egret show counters`: of each port, of the forwarder and of egretd (docs/counters.md). */
import { drops, portCounters, workerCounters } from '../../dataplane/abi.gen.ts';
import { integer, type JsonValue, nullable, object, text } from '../../lib/json-schema.ts';
import type { LiveParts } from '../parts.ts';
import { orDash } from '../table.ts';
import { defineView } from '../view.ts';

const row = object({
  name: text('Of the counter; drops are dropped.NAME'),
  interface: nullable(text('Of a port; null: of the forwarder or of egretd')),
  network: nullable(text('ExternalNetwork of the interface, when it has exactly one')),
  value: integer('Packets, bytes, or as the page of counters says'),
});

type Row = JsonValue<typeof row>;

export const counters = defineView({
  name: 'counters',
  help: 'Counters of each port, of the forwarder and of egretd. Text leaves out those that are zero.',
  row,
  columns: [
    { title: 'INTERFACE', text: (row) => orDash(row.interface), widthMin: 15 },
    { title: 'NETWORK', text: (row) => orDash(row.network) },
    { title: 'NAME', text: (row) => row.name, widthMin: 30 },
    { title: 'VALUE', text: (row) => String(row.value), isNumber: true },
  ],
  isLeftOut: (row) => row.value === 0,
  rows: (parts) => [...ofPorts(parts), ...ofBox(parts)],
});

function ofPorts({ dataPlane, ports }: LiveParts): Row[] {
  return ports.flatMap((port) => {
    const slot = dataPlane.portSlot(port.name);
    const network = port.networks.length === 1 ? port.networks[0]! : null;
    const rowOf = (name: string, value: number): Row => ({
      name,
      interface: port.name,
      network,
      value,
    });
    return [
      ...portCounters.map((name) => rowOf(name, dataPlane.portCounter(slot, name))),
      ...drops
        .filter((name) => name !== undefined)
        .map((name) => rowOf(`dropped.${name}`, dataPlane.dropCounter(slot, name))),
    ];
  });
}

function ofBox({ dataPlane, daemonCounters }: LiveParts): Row[] {
  const rowOf = (name: string, value: number): Row => ({
    name,
    interface: null,
    network: null,
    value,
  });
  return [
    ...workerCounters.map((name) => rowOf(name, dataPlane.workerCounter(name))),
    ...Object.entries(daemonCounters()).map(([name, value]) => rowOf(name, value)),
  ];
}
