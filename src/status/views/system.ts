// SPDX-License-Identifier: Apache-2.0
/** `egret show system`: the box: versions, slot, uptime, load, memory, disk, temperature, clock, failed units. */
import { object, text } from '../../lib/json-schema.ts';
import { defineView } from '../view.ts';

const row = object({ name: text('What'), value: text('What it is now') });

export const system = defineView({
  name: 'system',
  help: 'The box: versions, slot, uptime, CPU, memory, disk, temperature, NTP state and failed units.',
  row,
  columns: [
    { title: 'NAME', text: (row) => row.name },
    { title: 'VALUE', text: (row) => row.value, widthMin: 40 },
  ],
  async *rows({ facts }) {
    yield await facts();
  },
});
