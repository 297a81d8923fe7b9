// SPDX-License-Identifier: Apache-2.0
/** `egret schema`: JSON Schemas of the configuration, for editors. */
import { didYouMean } from '../../lib/nearest.ts';
import { type Command, usage } from '../command.ts';

export const schema: Command = {
  name: 'schema',
  usage: ['schema [KIND]'],
  help: 'Print the JSON Schema of a configuration, or of one kind, for editors.',
  options: [],
  takesJson: false,
  shell: 'status',
  words: [],
  run: async ({ words: [kind, more], io }) => {
    if (more !== undefined) throw usage(`schema takes no ${more}`);
    const { configSchema, kindNames, schemaOf } = await import('../../config/schema-json.ts');
    const found = kind === undefined ? configSchema() : schemaOf(kind);
    if (!found) throw usage(`there is no kind ${kind}${didYouMean(kind!, kindNames)}`);
    io.out.write(`${JSON.stringify(found, null, 2)}\n`);
    return 0;
  },
};
