// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { describeResults, readTap } from './tap-results.ts';

const nested = `TAP version 14
# Subtest: test/a.test.ts
    # Subtest: outer
        # Subtest: inner
            ok 1 - fine
            not ok 2 - the count
              ---
              at:
                fileName: test/a.test.ts
                lineNumber: 9
              diff: |
                -1000
                +999
              ...
            1..2
        not ok 1 - inner # time=3ms
        # egretd's log: build/results/outer.log
        # Subtest: hangs
        not ok 2 - hangs # time=9ms
          ---
          expired: TAP
          ...
        1..2
    not ok 1 - outer # time=12ms
    1..1
not ok 1 - test/a.test.ts # time=13ms
ok 2 - test/b.test.ts > one > two # time=1.00ms
1..2
`;

test('assertions count, and a subtest that fails by itself', () => {
  const { passed, failures } = readTap('system.tap', nested);
  expect(passed).toBe(2);
  expect(failures.map(({ path }) => path.join(' > '))).toEqual([
    'test/a.test.ts > outer > inner > the count',
    'test/a.test.ts > outer > hangs',
  ]);
  expect(failures[0]?.why).toEqual([
    'at test/a.test.ts:9',
    'diff: |',
    '  -1000',
    '  +999',
    "egretd's log: build/results/outer.log",
  ]);
  expect(failures[1]?.why).toEqual(['expired: TAP']);
});

test('a C test: the comment after a failure says where', () => {
  const text = 'ok 1 - fine\nnot ok 2 - three\n# native/test/x_test.c:7: n == 3 is false\n1..2\n';
  const { passed, failures } = readTap('x_test.tap', text);
  expect({ passed, failures }).toEqual({
    passed: 1,
    failures: [{ path: ['x_test.tap', 'three'], why: ['native/test/x_test.c:7: n == 3 is false'] }],
  });
});

test('one that ends without a plan failed, and its last lines say why', () => {
  const { failures } = readTap('x_test.tap', 'ok 1 - fine\n==7==ERROR: AddressSanitizer\n');
  expect(failures).toEqual([
    {
      path: ['x_test.tap', 'it exited before its plan'],
      why: ['ok 1 - fine', '==7==ERROR: AddressSanitizer'],
    },
  ]);
});

test('the last line stands alone', () => {
  expect(describeResults({ passed: 3, failures: [] })).toBe('3 passed, 0 failed');
  const told = describeResults({ passed: 3, failures: [{ path: ['a', 'b'], why: ['+1'] }] });
  expect(told).toBe('not ok  a > b\n    +1\n\n3 passed, 1 failed');
});
