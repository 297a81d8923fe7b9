import { expect, test } from 'vitest';
import { parseRequest } from './request.ts';

test.each([
  [
    '{"command":"show","view":"route","isJson":true,"route":{"network":null,"prefix":"10.0.0.0/8"}}',
    {
      command: 'show',
      view: 'route',
      isJson: true,
      route: { network: null, isTable: false, prefix: '10.0.0.0/8' },
    },
  ],
  ['{"command":"show","view":"pools"}', { command: 'show', view: 'pools', isJson: false }],
  [
    '{"command":"why","client":"10.0.0.1","destination":"10.0.0.2"}',
    { command: 'why', client: '10.0.0.1', destination: '10.0.0.2', isJson: false },
  ],
])('%s', (line, request) => {
  expect(parseRequest(line)).toEqual(request);
});

test.each([
  ['', 'not JSON'],
  ['null', 'Object'],
  ['{}', "request's command"],
  ['{"command":"stop"}', "request's command"],
  ['{"command":"show","view":"__proto__"}', "request's view"],
  ['{"command":"show","view":"route","isJson":1}', "request's isJson"],
  ['{"command":"show","view":"route","route":{"table":"500"}}', "request's route.table"],
  ['{"command":"why","client":"10.0.0.1"}', "request's destination"],
])('%s is refused: %s', (line, what) => {
  expect(() => parseRequest(line)).toThrow(what);
});
