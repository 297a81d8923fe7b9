// SPDX-License-Identifier: Apache-2.0
/** A descriptor of a stream socket that libegret opened, as Node reads and writes it. */
import { Socket } from 'node:net';

/** @param fd - closed with the stream */
export const streamOf = (fd: number, writable: boolean): Socket =>
  new Socket({ fd, readable: true, writable });
