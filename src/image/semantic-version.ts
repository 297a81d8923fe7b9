// SPDX-License-Identifier: Apache-2.0
/** Which of two versions is newer: Semantic Versioning 2.0.0 §11, without build metadata. */

const form =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;
const lengthMax = 64;

export function isVersion(text: string): boolean {
  return text.length <= lengthMax && form.test(text);
}

/** @returns negative when `a` is older than `b`, 0 when they are the same. Both must be versions. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [fieldsOf(a), fieldsOf(b)];
  for (const index of [0, 1, 2] as const) {
    const difference = one.numbers[index]! - other.numbers[index]!;
    if (difference !== 0) return difference;
  }
  // A version is newer than what leads to it: 1.0.0-rc.1 is older than 1.0.0.
  if (!one.before || !other.before) return Number(!one.before) - Number(!other.before);
  return comparePreReleases(one.before, other.before);
}

export function newest(a: string, b: string): string {
  return compareVersions(a, b) < 0 ? b : a;
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (one === other) continue;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (isNumber && isOtherNumber) return Number(one) - Number(other);
    // A number is older than a word.
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return a.length - b.length;
}

function fieldsOf(text: string): { numbers: number[]; before: string[] | undefined } {
  const [, major, minor, patch, before] = form.exec(text) ?? [];
  if (patch === undefined) throw new RangeError(`${text} is no version`);
  return { numbers: [Number(major), Number(minor), Number(patch)], before: before?.split('.') };
}
