// SPDX-License-Identifier: Apache-2.0
/**
 * What is sent over a Unix socket of egretd, one request a connection.
 *
 *   client ─▶ one line of JSON, and for a few requests a body: all that follows, until it ends its side
 *   server ─▶ one line of JSON: {"status": N, "message"?, "hint"?}
 *             for status 0 the text that the command prints, a NUL, and the exit status in digits;
 *             an answer without NUL was cut short
 *
 * With status 0 a message is a warning. Any other status is a refusal, and nothing follows it.
 */

/** Ends the text of an answer; no text that is printed holds it. */
export const endOfText = '\0';

export interface Head {
  readonly status: number;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
}

/** The text of an answer, and the exit status of the command; 0 when nothing is returned. */
export type Answer = AsyncGenerator<string, number | undefined>;
