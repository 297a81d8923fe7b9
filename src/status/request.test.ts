// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseRequest } from './request.ts';

test.each([
  [
    '{"command":"show","view":"route","isJson":true,"width":null,"words":["network","red","10.0.0.0/8"]}',
    {
      command: 'show',
      view: 'route',
      isJson: true,
      width: null,
      words: ['network', 'red', '10.0.0.0/8'],
    },
  ],
  [
    '{"command":"show","view":"pools"}',
    { command: 'show', view: 'pools', isJson: false, width: null, words: [] },
  ],
  [
    '{"command":"why","client":"10.0.0.1","destination":"10.0.0.2"}',
    { command: 'why', client: '10.0.0.1', destination: '10.0.0.2', isJson: false, width: null },
  ],
])('%s', (line, request) => {
  expect(parseRequest(line)).toEqual(request);
});

test.each([
  ['', 'not JSON'],
  ['null', 'request must be an object, not null'],
  ['{}', "request's command"],
  ['{"command":"stop"}', "request's command"],
  ['{"command":"show","view":"__proto__"}', "request's view"],
  ['{"command":"show","view":"route","isJson":1}', "request's isJson"],
  ['{"command":"show","view":"route","words":["table",500]}', "request's words[1]"],
  ['{"command":"why","client":"10.0.0.1"}', "request's destination"],
])('%s is refused: %s', (line, what) => {
  expect(() => parseRequest(line)).toThrow(what);
});
