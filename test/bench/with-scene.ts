// SPDX-License-Identifier: Apache-2.0
/** A scene of the appliance tests for a benchmark: built, used, and taken down whatever happens. */
import { openScene, type Scene, type SceneOptions } from '../appliance/scene.ts';

/** @returns what `use` gives */
export async function withScene<const ClientName extends string, T>(
  options: SceneOptions<ClientName>,
  use: (scene: Scene<ClientName>) => Promise<T>,
): Promise<T> {
  const closers: (() => unknown)[] = [];
  let isPassing = false;
  const owner = {
    name: 'benchmark',
    passing: () => isPassing,
    comment: (text: string) => console.error(text),
    teardown: (close: () => unknown) => void closers.push(close),
  };
  try {
    const result = await use(await openScene(owner, options));
    isPassing = true;
    return result;
  } finally {
    for (const close of closers) await close();
  }
}
