/**
 * Makes the runs of a study that a results directory lacks, on whatever engine, and keeps them as they come.
 */

import type { Engine, Made, RunJob } from './engine.js';
import type { Journal } from './journal.js';
import { Ledger, type Shard } from './ledger.js';
import { parseRecord } from './record.js';
import type { PlannedRun, Study, Variant } from './study.js';

export interface RunFailure {
  readonly planned: PlannedRun;
  readonly error: string;
  readonly kind: 'input' | 'bug';
}

/** How far a sweep is. */
export interface SweepState {
  /** Runs that are there, and those known to be needed. */
  readonly there: number;
  readonly planned: number;
  /** False while a stopping rule may ask for more. */
  readonly isFinal: boolean;
  /** Made by this process, and the time they took in their threads. */
  readonly made: number;
  readonly madeMs: number;
  readonly failed: number;
  readonly redone: number;
  readonly engine: string;
}

export interface SweepOptions {
  readonly study: Study;
  readonly journal: Journal;
  readonly engine: Engine;
  readonly shard?: Shard;
  /** Ends the sweep at once; what was kept stays kept. */
  readonly signal?: AbortSignal;
  readonly onRun?: (planned: PlannedRun, made: Made) => void;
  readonly onState?: (state: SweepState) => void;
}

export interface SweepOutcome {
  readonly ledger: Ledger;
  readonly failures: readonly RunFailure[];
  readonly interrupted: boolean;
  readonly state: SweepState;
}

/** Runs until nothing is lacking, or the signal. Rejects with StorageError or EngineError. */
export async function sweep(options: SweepOptions): Promise<SweepOutcome> {
  const conductor = new Conductor(options);
  return conductor.run();
}

class Conductor {
  private readonly options: SweepOptions;
  private readonly ledger: Ledger;
  private readonly documents = new Map<Variant, string>();
  private readonly failures: RunFailure[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private made = 0;
  private madeMs = 0;
  /** What ended the sweep before its end. */
  private broken: { readonly error: unknown } | null = null;

  constructor(options: SweepOptions) {
    this.options = options;
    this.ledger = new Ledger(options.study, options.shard);
  }

  async run(): Promise<SweepOutcome> {
    const { signal } = this.options;
    const aborted = new Promise<void>((resolve) => {
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.fill();
    while (this.underWay.size > 0 && !signal?.aborted && this.broken === null) {
      await Promise.race([...this.underWay, aborted]);
      await this.fill();
    }
    if (this.broken !== null) throw this.broken.error;
    return {
      ledger: this.ledger,
      failures: this.failures,
      interrupted: signal?.aborted === true,
      state: this.state(),
    };
  }

  private state(): SweepState {
    const { there, planned, isFinal } = this.ledger;
    const { text, redone } = this.options.engine.state;
    const { made, madeMs } = this;
    const failed = this.failures.length;
    return { there, planned, isFinal, made, madeMs, failed, redone, engine: text };
  }

  /** Gives out runs until enough are under way; those that are there already are taken in. */
  private async fill(): Promise<void> {
    const { engine, journal, signal } = this.options;
    while (this.underWay.size < engine.width && !signal?.aborted && this.broken === null) {
      const planned = this.ledger.next();
      if (planned === undefined) break;
      if (journal.has(planned.run)) {
        this.ledger.take(planned, this.ledger.reads ? await journal.read(planned.run) : null);
        continue;
      }
      const run = this.make(planned).finally(() => this.underWay.delete(run));
      this.underWay.add(run);
    }
    this.options.onState?.(this.state());
  }

  private async make(planned: PlannedRun): Promise<void> {
    const { engine, journal, signal, onRun } = this.options;
    try {
      const made = await engine.run(this.jobOf(planned));
      if ('record' in made) {
        const record = parseRecord(made.record, planned.run);
        await journal.add(planned.run, made.record);
        this.made++;
        this.madeMs += made.wallMs;
        this.ledger.take(planned, record);
      } else {
        this.failures.push({ planned, error: made.error, kind: made.kind });
      }
      onRun?.(planned, made);
    } catch (error) {
      if (!signal?.aborted) this.broken ??= { error };
    }
  }

  private jobOf({ variant, seed, run }: PlannedRun): RunJob {
    let document = this.documents.get(variant);
    if (document === undefined) {
      document = JSON.stringify(variant.document);
      this.documents.set(variant, document);
    }
    const { warmupNs } = this.options.study;
    return { run, scenario: variant.scenario, document, seed, warmupNs };
  }
}
