// SPDX-License-Identifier: Apache-2.0
/** Bytes that arrive in chunks of any size, read in pieces of a wanted size; never held as a whole. */
import { invalid } from './update-head.ts';

export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** For small pieces. @throws EgretError UPDATE_INVALID at the end of the stream */
  async take(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(bytes)) pieces.push(piece);
    return Buffer.concat(pieces, bytes);
  }

  /** The next bytes, as they come. @throws EgretError UPDATE_INVALID at the end of the stream */
  async *pieces(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#fill())) throw invalid('it is cut short');
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** Waits for the end of the stream. */
  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#fill());
  }

  /** @returns whether there is more */
  async #fill(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      const { buffer, byteOffset, length } = next.value;
      this.#rest = Buffer.from(buffer, byteOffset, length);
      if (length > 0) return true;
    }
  }
}
