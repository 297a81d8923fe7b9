// SPDX-License-Identifier: Apache-2.0
/** Which notes of a Model hold on this box. */
import type { Model, Note } from './model.ts';

/** @param isHostManaged - egretd sets up the host (`egret run --manage-host`) */
export function notesOf({ notes }: Model, isHostManaged: boolean): readonly Note[] {
  return isHostManaged ? notes.filter((note) => !note.isForForeignHost) : notes;
}
