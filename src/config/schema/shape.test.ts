// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { parseFile, unreadable } from '../yaml/documents.ts';
import { formatErrors, makeReport } from '../yaml/located.ts';
import { list, mapping, missingAt, optional, required } from './shape.ts';
import {
  asNumber,
  boolean,
  choice,
  duration,
  integer,
  ipv4,
  net,
  resourceName,
  selector,
  text,
} from './shape-scalars.ts';

const shape = mapping('thing', {
  name: required(resourceName, 'Its name'),
  text: optional(text(), 'A text'),
  choice: optional(choice('One', 'Two'), 'A choice'),
  address: optional(ipv4, 'An address'),
  net: optional(net, 'A net'),
  selector: optional(selector(), 'A selector'),
  wait: optional(duration(0, 1000), 'A time'),
  texts: optional(list(text()), 'Texts'),
  count: optional(integer(0, 1000), 'A number'),
  as: optional(asNumber, 'An AS'),
  flag: optional(boolean, 'A flag'),
});

function read(yaml: string) {
  const report = makeReport();
  const [document] = parseFile('t.yaml', Buffer.from(yaml), report);
  if (document === undefined || document === unreadable) throw new Error('no document');
  const value = shape.read(document.root, '', report);
  if (value === undefined) throw new Error('no mapping');
  return { value, errors: formatErrors(report.errors) };
}

it('an optional text that is empty is absent, as Go has it', () => {
  const { value, errors } = read(
    'name: a\ntext: ""\nchoice: ""\naddress: ""\nnet: ""\nselector: ""\n',
  );
  expect(errors).toBe('');
  expect([...value.present]).toEqual(['name']);
  expect(value).not.toHaveProperty('text');
});

it('what is required, an item, or no text may not be empty', () => {
  expect(read('name: a..b').errors).toMatch(/^t\.yaml:1:7: name: must be a resource name/);
  expect(read('name: ""').errors).toMatch(/^t\.yaml:1:7: name: must be a resource name/);
  expect(read('name: a\nwait: ""').errors).toMatch(/^t\.yaml:2:7: wait: must be a duration/);
  expect(read('name: a\ntexts: [""]').errors).toMatch(/^t\.yaml:2:9: texts\[0\]: must be text/);
});

it('a missing field is where it stands empty', () => {
  const { value } = read('name: a\ntext: ""\nnet:\n');
  expect(missingAt(value, 'text').at).toMatchObject({ line: 2, column: 7 });
  expect(missingAt(value, 'net').at).toMatchObject({ line: 3, column: 1 });
  expect(missingAt(value, 'choice').at).toMatchObject({ line: 1, column: 1 });
});

it("a field's meaning is the hint when there is no better one", () => {
  const { errors } = read('name: a\ntext: [1]\nchoice: Onne\nwait: 2s');
  expect(errors).toMatch(/text: must be text, not a list\n {2}hint: A text\.\n/);
  expect(errors).toMatch(/choice: .*\n {2}hint: Did you mean One\?\n/);
  expect(errors).toMatch(/wait: .*\n {2}hint: A time\.\n/);
});

it('a number that some read as octal is refused', () => {
  const { errors } = read('name: a\ncount: 0500\nas: 064512\n');
  expect(errors).toMatch(/^t\.yaml:2:8: count: 0500 begins with 0.*\n {2}hint: Write 500, if/);
  expect(errors).toMatch(/^t\.yaml:3:5: as: 064512 begins with 0.*\n {2}hint: Write 64512, if/m);
  const { value } = read('name: a\ncount: 0\nas: 0.64512\n');
  expect([value.count?.value, value.as?.value]).toEqual([0, 64512]);
  expect(read('name: a\nas: "064512"\n').value.as?.value).toBe(64512);
});

it.each([
  ['yes', 'true'],
  ['"true"', 'true'],
  ['Off', 'false'],
])('%s is no boolean, and the hint has the one that is meant', (written, meant) => {
  const { errors } = read(`name: a\nflag: ${written}`);
  expect(errors).toContain(`hint: Write ${meant}, without quotes.`);
});
