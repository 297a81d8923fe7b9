// SPDX-License-Identifier: Apache-2.0
/**
 * Big-endian integers in byte arrays: readers that trust their caller's bounds check, and a writer
 * that grows.
 */
import { assert } from '../../lib/assert.ts';

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

export const noBytes: Uint8Array = new Uint8Array(0);

/** Appends; values must fit their field. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #count = 0;

  get byteCount(): number {
    return this.#count;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#count++] = value;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#bytes[this.#count++] = value >>> 8;
    this.#bytes[this.#count++] = value;
    return this;
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#count);
    this.#count += value.length;
    return this;
  }

  /** Overwrites an earlier u16, for lengths that are known last. */
  patchU16(at: number, value: number): this {
    assert(at + 2 <= this.#count, 'a patch overwrites what was written');
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  /** @returns a copy of what was written */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#count);
  }

  #reserve(byteCount: number): void {
    if (this.#count + byteCount <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#count + byteCount));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
