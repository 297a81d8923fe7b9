// SPDX-License-Identifier: Apache-2.0
/**
 * What may be sent to a terminal: no control character but tab and line feed, and none that turns the
 * direction of writing. Each other one is shown as JSON writes it, \u001b, so that JSON stays JSON.
 *
 * Names in a configuration, words of a request, comments of keys and lines of the log may hold them.
 */

import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Controls (C0, DEL, C1), marks and overrides of direction, line and paragraph separators. */
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text of several lines. A carriage return before a line feed is left out. */
export function printable(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(unprintable, (found) => (found === '\n' || found === '\t' ? found : escaped(found)));
}

/** What is to stay in its line and column, e.g. a policy named by a selector of several lines: blanks. */
export const onOneLine = (text: string): string => text.replace(unprintable, ' ');

const escaped = (found: string): string =>
  `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A stream to write to instead of `target`, which it leaves open. An error of the target is one of it. */
export function printableStream(target: Writable): Writable {
  const decoder = new StringDecoder('utf8');
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(chunk);
      target.write(printable(text), done);
    },
  });
  stream.on('error', () => {}); // The target's own error is the one that counts.
  return stream;
}
