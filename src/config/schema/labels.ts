// SPDX-License-Identifier: Apache-2.0
/**
 * Labels as Kubernetes takes them: `[PREFIX/]NAME: VALUE`.
 *
 * NAME and VALUE have at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both
 * ends; VALUE may be empty; PREFIX is a DNS subdomain. What a cluster would refuse selects nothing
 * there, so it is refused here too.
 */
import type { Report } from '../yaml/located.ts';
import { quote } from '../yaml/located.ts';
import { type LocatedText, type Shape, type TextMap, texts } from './shape.ts';
import { subdomain } from './shape-scalars.ts';

const partBytesMax = 63;
const prefixBytesMax = 253;
const part = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const partHint = 'Letters, digits, -, _ and ., with a letter or digit at both ends.';

const lengthHint = 'What is longer belongs into an annotation.';

const plain = texts('labels');

export const labels: Shape<TextMap> = {
  ...plain,
  read(value, path, report) {
    const read = plain.read(value, path, report);
    for (const [key, text] of read?.entries ?? []) checkLabel(key, text, report);
    return read;
  },
};

function checkLabel(key: string, text: LocatedText, report: Report): void {
  const { value, keyAt, path } = text;
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && (!subdomain.test(prefix) || prefix.length > prefixBytesMax)) {
    const hint = 'Before the slash stands a DNS name: example.com/role.';
    report.error({ at: keyAt, path }, `${quote(key)} is no label name`, hint);
  } else if (!part.test(name)) {
    report.error({ at: keyAt, path }, `${quote(key)} is no label name`, partHint);
  } else if (name.length > partBytesMax) {
    const problem = `the label name has ${name.length} characters; at most ${partBytesMax} are allowed`;
    report.error({ at: keyAt, path }, problem, lengthHint);
  }
  if (value === '') return;
  if (value.length > partBytesMax) {
    const problem = `has ${value.length} characters; at most ${partBytesMax} are allowed`;
    report.error(text, problem, lengthHint);
  } else if (!part.test(value)) {
    report.error(text, `must be a label value, not ${quote(value)}`, partHint);
  }
}
