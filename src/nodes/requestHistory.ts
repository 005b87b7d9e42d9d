/**
 * History of requests: what each asked for, tried and got.
 *
 * Attempts, the most of it, are columns that grow.
 */

import { PARTS } from './inflight.js';
import type {
  Asked,
  Attempted,
  Freed,
  GaveBack,
  Granted,
  Refused,
  RunObserver,
} from './recorder.js';

/** How a request ended. */
export type Answer =
  | ({ readonly type: 'granted' } & Granted)
  | ({ readonly type: 'refused' } & Refused);

/** Attempts of all requests, in the order in which a shard saw them: plain data. */
export interface Attempts {
  /** Rows of ATTEMPT_WIDTH columns. */
  readonly attempts: Float64Array;
  readonly gaveBack: readonly GaveBack[];
}

/** Events of all requests, likewise. */
export interface History extends Attempts {
  readonly asked: readonly Asked[];
  readonly answers: readonly Answer[];
  readonly freed: readonly Freed[];
}

const fields = ['id', 'time', 'step', 'area', 'count', 'align', 'err', 'retries', 'ns'] as const;
const ATTEMPT_WIDTH = fields.length + PARTS;

/**
 * History of attempts alone: what a replay is compared by, which has its own columns for the rest.
 */
export class AttemptHistory implements RunObserver {
  #attempts = new Float64Array(1024 * ATTEMPT_WIDTH);
  #length = 0;
  readonly #gaveBack: GaveBack[] = [];

  attempted(event: Attempted): void {
    if (this.#length === this.#attempts.length) {
      const longer = new Float64Array(this.#length * 2);
      longer.set(this.#attempts);
      this.#attempts = longer;
    }
    for (const name of fields) this.#attempts[this.#length++] = event[name];
    for (let i = 0; i < PARTS; i++) this.#attempts[this.#length++] = event.parts[i];
  }

  gaveBack(event: GaveBack): void {
    this.#gaveBack.push(event);
  }

  take(): Attempts {
    return { attempts: this.#attempts.slice(0, this.#length), gaveBack: this.#gaveBack };
  }
}

export class RequestHistory extends AttemptHistory {
  readonly #asked: Asked[] = [];
  readonly #answers: Answer[] = [];
  readonly #freed: Freed[] = [];

  asked(event: Asked): void {
    this.#asked.push(event);
  }

  granted(event: Granted): void {
    this.#answers.push({ type: 'granted', ...event });
  }

  refused(event: Refused): void {
    this.#answers.push({ type: 'refused', ...event });
  }

  freed(event: Freed): void {
    this.#freed.push(event);
  }

  override take(): History {
    return { ...super.take(), asked: this.#asked, answers: this.#answers, freed: this.#freed };
  }
}

/** Attempts of all shards by request, each request's in the order they returned. */
export function attemptsById(histories: readonly Attempts[]): Map<number, Attempted[]> {
  const byId = new Map<number, Attempted[]>();
  for (const { attempts } of histories) {
    for (let at = 0; at < attempts.length; at += ATTEMPT_WIDTH) {
      const row = attempts.subarray(at, at + ATTEMPT_WIDTH);
      const [id, time, step, area, count, align, err, retries, ns] = row;
      const parts = row.subarray(fields.length);
      const attempt = { id, time, step, area, count, align, err, retries, ns, parts };
      const list = byId.get(id);
      if (list) list.push(attempt);
      else byId.set(id, [attempt]);
    }
  }
  for (const list of byId.values()) list.sort((a, b) => a.time - b.time);
  return byId;
}
