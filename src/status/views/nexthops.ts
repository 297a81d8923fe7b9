// SPDX-License-Identifier: Apache-2.0
/** `egret show nexthops`: next hops and hosts on links, as the forwarder knows them. */
import { integer, nullable, object, text } from '../../lib/json-schema.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { formatDuration, listText, orDash } from '../table.ts';
import { defineView } from '../view.ts';

const row = object({
  address: text('Its IPv4 address'),
  interface: text('By which it is reached'),
  networks: text('ExternalNetworks of the interface; empty: the main table'),
  mac: nullable(text('Its MAC address; null: not known')),
  state: text('reachable, resolving or failed'),
  ageMs: nullable(integer('How long it is in this state; null: longer than the forwarder runs')),
  bfd: nullable(text('State of its BFD session; null: there is none')),
});

export const nexthops = defineView({
  name: 'nexthops',
  help: 'Next hops and hosts on links, as the forwarder knows them.',
  row,
  columns: [
    { title: 'ADDRESS', text: (row) => row.address, widthMin: 15 },
    { title: 'INTERFACE', text: (row) => row.interface },
    { title: 'NETWORKS', text: (row) => row.networks || '-', isExtra: true },
    { title: 'MAC', text: (row) => orDash(row.mac), widthMin: 17 },
    { title: 'STATE', text: (row) => row.state },
    {
      title: 'AGE',
      text: (row) => (row.ageMs === null ? '-' : formatDuration(row.ageMs)),
      isNumber: true,
    },
    { title: 'BFD', text: (row) => orDash(row.bfd) },
  ],
  rows: ({ dataPlane, ports }) =>
    dataPlane
      .readNeighbors()
      .map(({ address, portSlot, state, mac, ageMs }) => {
        const port = ports.find(({ name }) => dataPlane.portSlot(name) === portSlot);
        const isKnown = mac.some((byte) => byte !== 0);
        return {
          address: formatIpv4(address),
          interface: port?.name ?? '?',
          networks: listText(port?.networks ?? []),
          mac: isKnown ? mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':') : null,
          state,
          ageMs: ageMs === undefined ? null : Math.round(ageMs),
          bfd: null,
        };
      })
      .sort((a, b) => (a.interface === b.interface ? 0 : a.interface < b.interface ? -1 : 1)),
});
