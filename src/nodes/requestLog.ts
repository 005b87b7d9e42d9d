/**
 * Log of one device: its requests, attempts and answers in words, as they happen.
 *
 * An example of an observer (docs/extending.md). Each shard writes down what its actors saw; lines
 * of several shards are put in the order of time when the run has ended.
 */

import { asker } from '../wire/request.js';
import type {
  Asked,
  Attempted,
  Freed,
  GaveBack,
  Granted,
  Refused,
  RunObserver,
} from './recorder.js';

/** What the log is told: the actors to watch, and names of areas. */
export interface LogOptions {
  readonly actors: readonly number[];
  /** By index. */
  readonly areas: readonly string[];
}

export interface LogLine {
  readonly time: number;
  readonly id: number;
  readonly text: string;
}

export class RequestLog implements RunObserver {
  readonly #options: LogOptions;
  readonly #lines: LogLine[] = [];

  constructor(options: LogOptions) {
    this.#options = options;
  }

  wants(id: number): boolean {
    return this.#options.actors.includes(asker(id));
  }

  asked({ id, time, mode, size: bytes, devNode }: Asked): void {
    this.#say(id, time, `asks for ${bytes} bytes (${mode}) on node ${devNode}`);
  }

  attempted({ id, time, area, count, err, ns, retries }: Attempted): void {
    const busy = retries > 0 ? `, ${retries} windows given up` : '';
    const result =
      err === 0 ? `found them in ${ns} ns` : err > 0 ? 'returned at once' : `errno ${err}`;
    this.#say(id, time, `${this.#area(area)}: cma_alloc() of ${count} pages ${result}${busy}`);
  }

  gaveBack({ id, time, area, pages }: GaveBack): void {
    this.#say(id, time, `${this.#area(area)}: ${pages} pages beyond the mask go back`);
  }

  granted({ id, time, source, pages, pfn, nid }: Granted): void {
    const from = source < 0 ? 'the buddy' : this.#area(source);
    this.#say(id, time, `gets ${pages} pages from ${from} on node ${nid}, pfn ${pfn}`);
  }

  refused({ id, time }: Refused): void {
    this.#say(id, time, 'is refused');
  }

  freed({ id, time, pfn }: Freed): void {
    this.#say(id, time, `has given back pfn ${pfn}`);
  }

  take(): LogLine[] {
    return this.#lines;
  }

  #area(area: number): string {
    return this.#options.areas[area] ?? 'no area';
  }

  #say(id: number, time: number, text: string): void {
    this.#lines.push({ time, id, text });
  }
}
