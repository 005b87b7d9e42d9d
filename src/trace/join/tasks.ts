/**
 * Calls that each task is in the middle of: the CMA events that its next DMA event will explain.
 *
 * A task cannot nest two DMA calls, so the events of one call follow each other in its own order
 * whatever other tasks do in between. A task without anything open is forgotten.
 */
import { ABSENT, type TraceEvent } from '../read/event.js';
import type { CmaAttempt, DmaFree } from './request.js';

/** A kprobe on a function's entry: the answer comes with another event. */
export interface OpenProbe {
  readonly device: number;
  readonly size: number;
  readonly gfp: number;
  readonly attrs: number;
  readonly time: number;
  /** The first address the IOMMU mapped within the call; -1 without one. */
  dmaAddr: number;
}

export function openProbe(event: TraceEvent): OpenProbe {
  const { device, size, gfp, attrs, time } = event;
  return { device, size, gfp, attrs, time, dmaAddr: ABSENT };
}

/** Node's areas and the default one, each again with every zone a mask leaves: none has more. */
const ATTEMPTS_MAX = 8;

export class TaskState {
  /** Attempts of the request under way, oldest first; the last may still be open. */
  attempts: CmaAttempt[] = [];
  /** A free whose cma_release() may follow. */
  free: DmaFree | null = null;
  alloc: OpenProbe | null = null;

  get idle(): boolean {
    return this.attempts.length === 0 && this.free === null && this.alloc === null;
  }

  /**
   * Whether a call of cma_alloc() is no part of the request under way: that holds pages, asked for
   * another count, or has asked that area before and was not given pages it could not use.
   */
  isAnother({ area, count }: CmaAttempt): boolean {
    const { attempts } = this;
    return (
      this.granted !== undefined ||
      (attempts.length > 0 && attempts[0].count !== count) ||
      attempts.length >= ATTEMPTS_MAX ||
      attempts.some((before) => before.area === area && !before.givenBack)
    );
  }

  /** The attempt cma_alloc() has not returned from. */
  get open(): CmaAttempt | undefined {
    const last = this.attempts.at(-1);
    return last !== undefined && Number.isNaN(last.end) ? last : undefined;
  }

  busyRetry(): void {
    if (this.open !== undefined) this.open.busyRetries++;
  }

  /** The attempt that holds pages. */
  get granted(): CmaAttempt | undefined {
    const last = this.attempts.at(-1);
    return last !== undefined && last.pfn >= 0 && !last.givenBack ? last : undefined;
  }
}

/** Tasks with something open; a recording with lost events may leave some open for ever. */
const TASKS_MAX = 1 << 16;

export class Tasks {
  readonly #states = new Map<number, TaskState>();
  readonly #drop: (state: TaskState, pid: number) => void;

  /** `drop` is told about a state that is given up before its task finished. */
  constructor(drop: (state: TaskState, pid: number) => void) {
    this.#drop = drop;
  }

  /** State of a task, or undefined when it has nothing open. */
  peek(pid: number): TaskState | undefined {
    return this.#states.get(pid);
  }

  of(pid: number): TaskState {
    let state = this.#states.get(pid);
    if (state === undefined) {
      if (this.#states.size >= TASKS_MAX) this.#dropOldest();
      state = new TaskState();
      this.#states.set(pid, state);
    }
    return state;
  }

  /** Forgets the task when nothing is open any more. */
  settle(pid: number, state: TaskState): void {
    if (state.idle) this.#states.delete(pid);
  }

  /** Gives up everything that is open: a gap in the recording, or its end. */
  dropAll(): void {
    for (const [pid, state] of this.#states) this.#drop(state, pid);
    this.#states.clear();
  }

  #dropOldest(): void {
    for (const [pid, state] of this.#states) {
      this.#drop(state, pid);
      this.#states.delete(pid);
      return;
    }
  }
}
