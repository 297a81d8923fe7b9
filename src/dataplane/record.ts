// SPDX-License-Identifier: Apache-2.0
/** Reads and writes fixed records by the offset tables of abi.gen.ts. Little-endian, as x86 and ARM. */
import { assert } from '../lib/assert.ts';

type Accessor = 'u8' | 'u16' | 'u32' | 'u64';
/** A field; with `count` an array of so many. */
interface Field {
  readonly at: number;
  readonly as: Accessor;
  readonly count?: number;
}
type Layout = Readonly<Record<string, Field>>;
type Value = number | bigint | readonly number[];

const fieldBytes = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;

/** Writes records one after another into a buffer of known size. */
export class RecordWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Writes one record; fields, and elements of arrays, that are not given are zero. */
  record<L extends Layout>(
    layout: L,
    recordBytes: number,
    values: Partial<Record<keyof L & string, Value>>,
  ): void {
    for (const [name, value] of Object.entries<Value | undefined>(values)) {
      const field = layout[name];
      assert(field && value !== undefined, `the record has a field ${name}`);
      const elements = typeof value === 'object' ? value : [value];
      assert(elements.length <= (field.count ?? 1), `${name} has room for all that is given`);
      for (const [i, element] of elements.entries())
        this.#write(this.#at + field.at + i * fieldBytes[field.as], field.as, element);
    }
    this.#at += recordBytes;
  }

  #write(at: number, as: Accessor, value: number | bigint): void {
    if (as === 'u64') this.#view.setBigUint64(at, BigInt(value), true);
    else if (as === 'u32') this.#view.setUint32(at, Number(value), true);
    else if (as === 'u16') this.#view.setUint16(at, Number(value), true);
    else this.#view.setUint8(at, Number(value));
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** @returns the bytes; everything must have been written */
  finish(): Uint8Array {
    assert(this.#at === this.#bytes.byteLength, 'every record was written');
    return this.#bytes;
  }
}

/** Reads fields of records that stand one after another. */
export class RecordReader<L extends Layout> {
  readonly #layout: L;
  readonly #recordBytes: number;
  readonly #view: DataView;

  constructor(layout: L, recordBytes: number, bytes: Uint8Array) {
    this.#layout = layout;
    this.#recordBytes = recordBytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A field, or an element of one, as a number; 64-bit values above 2^53 lose precision. */
  get(record: number, name: keyof L & string, index = 0): number {
    const field = this.#layout[name];
    assert(field && index < (field.count ?? 1), `the record has a field ${name}`);
    const at = record * this.#recordBytes + field.at + index * fieldBytes[field.as];
    if (field.as === 'u64') return Number(this.#view.getBigUint64(at, true));
    if (field.as === 'u32') return this.#view.getUint32(at, true);
    if (field.as === 'u16') return this.#view.getUint16(at, true);
    return this.#view.getUint8(at);
  }
}
