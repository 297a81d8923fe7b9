// SPDX-License-Identifier: Apache-2.0
/**
 * The end of `make test`: reads the results in a folder, or in one file, and says what failed, with what was wanted and
 * what was found, and how many passed.
 *
 *   node test/support/summary.ts PATH [STATUS]     STATUS of what ran: lint and builds have no TAP
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describeResults, readTap } from './tap-results.ts';

const [path = 'build/results', status = '0'] = process.argv.slice(2);
const files = statSync(path).isDirectory()
  ? readdirSync(path)
      .filter((name) => name.endsWith('.tap'))
      .map((name) => join(path, name))
  : [path];
const all = files.map((file) => readTap(basename(file), readFileSync(file, 'utf8')));
const failures = all.flatMap((each) => each.failures);
if (status !== '0' && failures.length === 0) {
  failures.push({ path: ['make', 'a step that is no test failed: see above'], why: [] });
}
const passed = all.reduce((sum, each) => sum + each.passed, 0);
console.log(`\n${describeResults({ passed, failures })}`);
process.exitCode = failures.length > 0 ? 1 : 0;
