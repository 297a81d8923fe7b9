// SPDX-License-Identifier: Apache-2.0
/**
 * What is known of the targets of a gateway's probes, and what it says of the gateway. Pure.
 *
 *   waiting ──answer──▶ answering ──timeout without an answer──▶ silent ──answer──▶ answering
 *      └────────────────────────────timeout───────────────────────▲
 *
 * A kind of probes (ICMP, HTTP) fails only when all its targets are silent; one that answers is
 * enough. A gateway with both kinds needs both.
 */
import { formatDurationMs } from '../net/duration.ts';

export type ProbeKind = 'ICMP' | 'HTTP';

/** When a target last answered. */
export interface Answers {
  /** none: not yet, by now since its beginning; presumed: it counts as answering (begunInUse). */
  readonly kind: 'none' | 'presumed' | 'real';
  readonly sinceMs: number;
}

export type TargetState = 'waiting' | 'answering' | 'silent';

export const begun = (nowMs: number): Answers => ({ kind: 'none', sinceMs: nowMs });

/**
 * The beginning of a probe of a gateway that clients use already. A restart of egretd, or a probe that
 * is added, must not make the gateway not ready before the timeout has passed.
 */
export const begunInUse = (nowMs: number): Answers => ({ kind: 'presumed', sinceMs: nowMs });

export const answered = (nowMs: number): Answers => ({ kind: 'real', sinceMs: nowMs });

export function stateOf(answers: Answers, timeoutMs: number, nowMs: number): TargetState {
  if (nowMs - answers.sinceMs >= timeoutMs) return 'silent';
  return answers.kind === 'none' ? 'waiting' : 'answering';
}

/** A target, as its gateway's reason tells it. */
export interface TargetReport {
  readonly kind: ProbeKind;
  readonly target: string;
  readonly state: TargetState;
  /** Since its last answer, or its beginning. */
  readonly silentMs: number;
  /** Why the last attempt failed; undefined: no answer came, or nothing was tried yet. */
  readonly failure: string | undefined;
}

/** Whether the probes let a gateway be ready, in the form of its readiness. */
export interface Verdict {
  readonly isReady: boolean;
  readonly reason: string;
}

/** @param reports - every target of the gateway, of one kind or of both */
export function verdictOf(reports: readonly TargetReport[]): Verdict {
  const kinds = Map.groupBy(reports, (report) => report.kind);
  const failing: string[] = [];
  for (const [kind, targets] of kinds) {
    if (targets.some((row) => row.state === 'answering')) continue;
    const isWaiting = targets.some((row) => row.state === 'waiting');
    const what = isWaiting
      ? `${kind} probes have not answered yet`
      : `no ${kind} probe target answers`;
    failing.push(`${what}: ${targets.map(words).join(', ')}`);
  }
  if (failing.length > 0) return { isReady: false, reason: failing.join('; ') };
  return { isReady: true, reason: 'its probes are answered' };
}

function words({ target, state, silentMs, failure }: TargetReport): string {
  const why = failure === undefined ? '' : ` (${failure})`;
  const wholeMs = Math.floor(silentMs / 1000) * 1000;
  return `${target}${state === 'silent' ? ` for ${formatDurationMs(wholeMs)}` : ''}${why}`;
}
