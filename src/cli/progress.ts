/**
 * One line on a terminal's standard error that says how far a run is, how fast, and how long it
 * will take.
 */

import type { Progress } from '../run/result.js';
import { rateText } from '../run/text.js';
import { timeText } from '../text/table.js';

const redrawMs = 100;
const clearLine = '\r\u001b[K';

/** Silent unless standard error is a terminal. */
export class ProgressLine {
  private readonly name: string;
  private readonly active = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  private readonly startMs = performance.now();
  private drawnMs = 0;

  constructor(name: string) {
    this.name = name;
  }

  show(progress: Progress): void {
    const now = performance.now();
    if (!this.active || now - this.drawnMs < redrawMs) return;
    this.drawnMs = now;
    // A line that wraps could not be cleared.
    const width = (process.stderr.columns || 80) - 1;
    const text = progressText(this.name, progress, now - this.startMs).slice(0, width);
    process.stderr.write(`${clearLine}${text}`);
  }

  /** Removes the line and, on a terminal, leaves `text` in its place. */
  end(text: string): void {
    if (this.active) process.stderr.write(`${clearLine}${text}\n`);
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
