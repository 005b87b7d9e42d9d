/**
 * Progress of a sweep on standard error: one line that changes on a terminal, a line now and then
 * where there is none, or one JSON document per event for scripts.
 */

import type { Made } from '../study/engine.js';
import { type NeededRun, variantText } from '../study/study.js';
import type { SweepState } from '../study/sweep.js';
import { timeText } from '../text/table.js';
import { ProgressLine } from './progress.js';

/** From line to line where there is no terminal. */
const elsewhereMs = 10_000;

/** `sizes: 431 of 1000 runs, 212 runs/s, 2.7 s left, 1 failed, 2 threads` */
export function sweepText(name: string, state: SweepState, elapsedMs: number): string {
  const { there, planned, made, failed, redone } = state;
  const atLeast = state.isFinal ? '' : 'at least ';
  const parts = [`${name}: ${there} of ${atLeast}${planned} runs`];
  if (made > 0 && elapsedMs > 0) {
    const rate = (made / elapsedMs) * 1000;
    parts.push(`${Number(rate.toPrecision(3))} runs/s`);
    const left = (planned - there - failed) / rate;
    if (left > 0) parts.push(`${atLeast}${timeText(left * 1e9)} left`);
  }
  if (failed > 0) parts.push(`${failed} failed`);
  if (redone > 0) parts.push(`${redone} redone`);
  parts.push(state.engine);
  return parts.join(', ');
}

export class SweepProgress {
  readonly #name: string;
  readonly #events: boolean;
  readonly #line = new ProgressLine({ elsewhereMs });
  readonly #timer: NodeJS.Timeout;
  #last: SweepState | null = null;

  constructor(name: string, { events }: { events: boolean }) {
    this.#name = name;
    this.#events = events;
    // A queue without workers tells so, though nothing happens.
    this.#timer = setInterval(() => this.#show(), 1000);
    this.#timer.unref();
  }

  state(state: SweepState): void {
    this.#last = state;
    this.#show();
  }

  run({ run, variant, replication, seed }: NeededRun, made: Made): void {
    const known = { run, variant: variant.index, replication, seed };
    if ('record' in made) this.#event('run', { ...known, wall_ms: Number(made.wallMs.toFixed(3)) });
    else {
      this.#event('failure', { ...known, kind: made.kind, error: made.error });
      this.line(`${variantText(variant)} seed ${seed}: ${made.error}`);
    }
  }

  /** A line that stays. */
  line(text: string): void {
    if (this.#events) return;
    this.#line.clear();
    process.stderr.write(`${text}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#last === null) return;
    this.#event('end', this.#figures(this.#last));
    this.line(sweepText(this.#name, this.#last, this.#line.elapsedMs));
  }

  #show(): void {
    if (this.#last === null || !this.#line.isDue()) return;
    if (this.#events) this.#event('progress', this.#figures(this.#last));
    else this.#line.draw(sweepText(this.#name, this.#last, this.#line.elapsedMs));
  }

  #event(event: string, fields: Record<string, unknown>): void {
    if (this.#events) process.stderr.write(`${JSON.stringify({ event, ...fields })}\n`);
  }

  #figures({ there, planned, isFinal, made, failed, redone, engine }: SweepState) {
    const elapsed = Math.round(this.#line.elapsedMs);
    return { there, planned, final: isFinal, made, failed, redone, engine, elapsed_ms: elapsed };
  }
}
