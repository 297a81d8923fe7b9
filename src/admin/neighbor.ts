// SPDX-License-Identifier: Apache-2.0
/** `egret neighbor X down | up`: keeps a neighbor down until up is said, also over a restart of egretd. */
import { EgretError } from '../lib/errors.ts';
import type { AdminCommand } from './command.ts';
import { neighborNamed } from './neighbor-named.ts';
import type { AdminParts } from './parts.ts';

export const neighbor: AdminCommand<AdminParts> = {
  name: 'neighbor',
  async *run({ words, options }, { live, operations }) {
    const action = words.at(-1);
    if (action !== 'down' && action !== 'up') {
      throw new EgretError('USAGE', { what: 'neighbor X takes `down` or `up`' });
    }
    const { key, shown } = neighborNamed(live, 'neighbor', words.slice(0, -1));
    operations.setNeighborDown(key, action === 'down' ? (options['--message'] ?? '') : undefined);
    yield `neighbor ${shown} is ${action === 'down' ? 'kept down' : 'no longer kept down'}\n`;
    return 0;
  },
};
