/**
 * Reads a descriptor that libegret writes to, in slices: the only file of src/kernel that opens a
 * stream. Between two slices other work of the main thread has its turn.
 */
import { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/** CPU time after which reading stops until the next turn of the event loop. */
const sliceMs = 8;

export interface ByteStream {
  close(): void;
}

/**
 * @param fd - one end of a stream socket pair; closed with the stream
 * @param take - takes what it can use from the start of the bytes and returns how much that was;
 *   the rest comes again in front of what follows
 * @param ended - the other side has closed
 */
export function openByteStream(
  fd: number,
  clock: Clock,
  take: (bytes: Buffer) => number,
  ended: () => void,
): ByteStream {
  const socket = new Socket({ fd, readable: true, writable: false });
  let rest: Buffer = Buffer.alloc(0);
  let sliceStartMs = clock.threadCpuMs();
  let isSliceOpen = false;
  let isClosed = false;

  socket.on('data', (chunk: Buffer) => {
    if (isClosed) return;
    if (!isSliceOpen) {
      isSliceOpen = true;
      sliceStartMs = clock.threadCpuMs();
      clock.soon(() => {
        isSliceOpen = false;
        if (!isClosed) socket.resume();
      });
    }
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    rest = bytes.subarray(take(bytes));
    if (clock.threadCpuMs() - sliceStartMs > sliceMs) socket.pause();
  });
  // 'error' and 'end' both mean that the library's side is gone; 'close' follows either.
  socket.on('error', () => {});
  socket.on('close', () => {
    if (!isClosed) ended();
  });

  return {
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}
