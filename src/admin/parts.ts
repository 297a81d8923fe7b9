// SPDX-License-Identifier: Apache-2.0
/** What admin commands work with, collected for each request. */
import type { ConfigControl } from '../apply/control.ts';
import type { LiveParts } from '../status/parts.ts';
import type { Operations } from './operations.ts';

export interface AdminParts {
  readonly control: ConfigControl;
  readonly live: LiveParts;
  readonly operations: Operations;
}
