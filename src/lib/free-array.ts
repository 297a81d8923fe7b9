// SPDX-License-Identifier: Apache-2.0
/**
 * Frees the memory of a large typed array at once. The collector would find it by itself, but much
 * later: what lies outside of its heap hardly counts when it decides to run.
 */

/** @param array - not used any more: it is empty afterwards, and so is every view of its buffer */
export function freeArray(array: { readonly buffer: ArrayBufferLike }): void {
  (array.buffer as ArrayBuffer).transfer(0);
}
