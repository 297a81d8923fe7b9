// SPDX-License-Identifier: Apache-2.0
/**
 * Keys of the terminal, for one reader at a time: the prompt's line, and on top of it a running command,
 * the pager or the editor. What is typed ahead waits for the next reader, so that lines that come all
 * at once are as good as lines that are typed.
 */
import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';

/**
 * Takes keys as they come, together with those it has left.
 *
 * @returns what it leaves; it is asked again with the next key, or when another reader has stopped
 */
export type KeyReader = (text: string) => string;

/** More is dropped: no one types as much ahead. */
const waitingLengthMax = 65_536;

export class Keyboard {
  readonly #input: ReadStream;
  readonly #decoder = new StringDecoder('utf8');
  readonly #readers: KeyReader[] = [];
  readonly #onEnd: (() => void)[] = [];
  #waiting = '';
  #isOpen = false;
  #isReading = false;

  constructor(input: ReadStream) {
    this.#input = input;
  }

  /** Called when the terminal is hung up. */
  onEnd(act: () => void): void {
    this.#onEnd.push(act);
  }

  /**
   * Keys go to this reader from now on, one by one and not echoed.
   *
   * @returns ends that; keys go to the reader before it
   */
  read(reader: KeyReader): () => void {
    this.#open();
    this.#readers.push(reader);
    this.wake();
    return () => {
      const at = this.#readers.lastIndexOf(reader);
      if (at >= 0) this.#readers.splice(at, 1);
      if (this.#readers.length === 0) this.#rest();
      else queueMicrotask(() => this.wake());
    };
  }

  /** Offers what waits to the reader again, e.g. when it was busy. */
  wake(): void {
    if (this.#isReading || this.#waiting === '') return;
    this.#isReading = true;
    for (let left = Number.POSITIVE_INFINITY; this.#waiting.length < left; ) {
      const reader = this.#readers.at(-1);
      if (!reader || this.#waiting === '') break;
      left = this.#waiting.length;
      const given = this.#waiting;
      this.#waiting = '';
      this.#waiting = reader(given) + this.#waiting;
      if (this.#readers.at(-1) !== reader) left = Number.POSITIVE_INFINITY;
    }
    this.#isReading = false;
  }

  /** Forgets what was typed ahead. */
  flush(): void {
    this.#waiting = '';
  }

  readonly #take = (chunk: Buffer): void => {
    this.#waiting = (this.#waiting + this.#decoder.write(chunk)).slice(0, waitingLengthMax);
    this.wake();
  };

  readonly #end = (): void => {
    for (const act of this.#onEnd) act();
  };

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#input.setRawMode(true);
    this.#input.on('data', this.#take).on('end', this.#end).on('error', this.#end);
    this.#input.resume();
  }

  /** The terminal is as it was. */
  #rest(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#input.off('data', this.#take).off('end', this.#end).off('error', this.#end);
    this.#input.setRawMode(false);
    this.#input.pause();
  }
}
