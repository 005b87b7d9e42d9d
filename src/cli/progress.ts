/**
 * One line on standard error about work under way: how far it is, how fast, how long it will take.
 *
 * A terminal has it drawn anew as the work goes on; elsewhere it is silent or a line now and then.
 */

import type { Progress } from '../run/result.js';
import { rateText } from '../run/text.js';
import { timeText } from '../text/table.js';

const redrawMs = 100;
const clearLine = '\r\u001b[K';

export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  readonly #startMs = performance.now();
  readonly #pauseMs: number;
  #shownMs: number;

  /** `elsewhereMs` from line to line where there is no terminal. */
  constructor({ elsewhereMs = Number.POSITIVE_INFINITY } = {}) {
    this.#pauseMs = this.#isTerminal ? redrawMs : elsewhereMs;
    this.#shownMs = this.#isTerminal ? 0 : this.#startMs;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  /** True when it is time to say something again; the next time begins then. */
  isDue(): boolean {
    const now = performance.now();
    if (now - this.#shownMs < this.#pauseMs) return false;
    this.#shownMs = now;
    return true;
  }

  draw(text: string): void {
    // A line that wraps could not be cleared.
    const width = (process.stderr.columns || 80) - 1;
    process.stderr.write(this.#isTerminal ? `${clearLine}${text.slice(0, width)}` : `${text}\n`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#isTerminal) process.stderr.write(clearLine);
  }

  /** Removes the line and, on a terminal, leaves `text` in its place. */
  end(text: string): void {
    if (this.#isTerminal) process.stderr.write(`${clearLine}${text}\n`);
  }
}

/** `rack-1024: 42 %, 4.2 ms of 10 ms simulated, 1.31 M events/s, 12 s left` */
export function progressText(name: string, progress: Progress, elapsedMs: number): string {
  const { simulatedNs, stopNs, events } = progress;
  const share = stopNs > 0 ? Math.min(1, simulatedNs / stopNs) : 0;
  const seconds = elapsedMs / 1000;
  const parts = [
    `${name}: ${Math.floor(share * 100)} %`,
    `${timeText(simulatedNs)} of ${timeText(stopNs)} simulated`,
  ];
  if (seconds > 0) parts.push(`${rateText(events / seconds)} events/s`);
  // Before a fiftieth is done, the rest is a guess.
  if (share >= 0.02) parts.push(`${timeText((seconds * 1e9 * (1 - share)) / share)} left`);
  return parts.join(', ');
}
