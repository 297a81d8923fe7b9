import { assert } from './assert.ts';

/** A first-in first-out queue that refuses what does not fit, on a ring of fixed size. */
export class BoundedQueue<Item> {
  readonly itemsMax: number;
  #ring: (Item | undefined)[];
  #head = 0;
  #count = 0;

  constructor(itemsMax: number) {
    assert(itemsMax > 0, 'a queue has room for at least one item');
    this.itemsMax = itemsMax;
    this.#ring = new Array(itemsMax);
  }

  get count(): number {
    return this.#count;
  }

  /** @returns false when the queue is full; the item was not taken */
  push(item: Item): boolean {
    if (this.#count === this.itemsMax) return false;
    this.#ring[(this.#head + this.#count) % this.itemsMax] = item;
    this.#count += 1;
    return true;
  }

  /** @returns the oldest item, or undefined */
  shift(): Item | undefined {
    if (this.#count === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.itemsMax;
    this.#count -= 1;
    return item;
  }
}
