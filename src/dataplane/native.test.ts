// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { canShrinkHeap, shrinkHeap } from './native.ts';

test('the pinned Node has the call that makes its heap smaller', () => {
  expect(canShrinkHeap).toBe(true);
  shrinkHeap();
});
