/**
 * Makes the runs of a study that a results directory lacks, on whatever engine, and keeps them as
 * they come.
 */

import type { Engine, Made, RunJob } from './engine.js';
import type { Journal } from './journal.js';
import { known } from './known.js';
import { parseRecord } from './record.js';
import { RunLedger, type Shard } from './runLedger.js';
import type { NeededRun, Study, Variant } from './study.js';

interface RunFailure {
  readonly planned: NeededRun;
  readonly error: string;
  readonly kind: 'input' | 'bug';
}

/** State of a sweep under way. */
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
  /** A run is on the disk, or has failed. */
  readonly onRun?: (planned: NeededRun, made: Made) => void;
  readonly onState?: (state: SweepState) => void;
}

export interface SweepOutcome {
  readonly ledger: RunLedger;
  readonly failures: readonly RunFailure[];
  readonly interrupted: boolean;
  readonly state: SweepState;
}

/** Runs until nothing is lacking, or the signal. Rejects with UserError. */
export async function sweep(options: SweepOptions): Promise<SweepOutcome> {
  const conductor = new Conductor(options);
  return conductor.run();
}

/** Records on their way to the disk, at most: beyond that the disk sets the pace. */
const keepingMax = 1000;

class Conductor {
  private readonly options: SweepOptions;
  private readonly ledger: RunLedger;
  private readonly documents = new Map<Variant, string>();
  private readonly failures: RunFailure[] = [];
  /** Runs that the engine has, and records that the disk does not have yet. */
  private running = 0;
  private keeping = 0;
  private made = 0;
  private madeMs = 0;
  /** The error that ended the sweep before its end. */
  private broken: { readonly error: unknown } | null = null;
  private wake: () => void = () => {};

  constructor(options: SweepOptions) {
    this.options = options;
    this.ledger = new RunLedger(options.study, options.shard);
  }

  async run(): Promise<SweepOutcome> {
    const { signal } = this.options;
    signal?.addEventListener('abort', () => this.wake(), { once: true });
    await this.fill();
    while (this.running + this.keeping > 0 && !this.stopped) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await this.fill();
    }
    // An engine that is closed under its runs complains about each of them.
    if (this.broken !== null && signal?.aborted !== true) throw this.broken.error;
    return {
      ledger: this.ledger,
      failures: this.failures,
      interrupted: signal?.aborted === true,
      state: this.state(),
    };
  }

  private get stopped(): boolean {
    return this.options.signal?.aborted === true || this.broken !== null;
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
    const { engine, journal } = this.options;
    while (this.running < engine.width && this.keeping < keepingMax && !this.stopped) {
      const planned = this.ledger.next();
      if (planned === undefined) break;
      if (journal.has(planned.run)) {
        const record = this.ledger.reads ? await journal.read(planned.run) : null;
        this.ledger.take(planned, record);
      } else {
        this.running++;
        void this.make(planned);
      }
    }
    this.options.onState?.(this.state());
  }

  private async make(planned: NeededRun): Promise<void> {
    try {
      const made = await this.options.engine.run(this.jobOf(planned));
      if ('record' in made) void this.keep(planned, made);
      else {
        this.failures.push({ planned, error: made.error, kind: made.kind });
        this.options.onRun?.(planned, made);
      }
    } catch (error) {
      this.broken ??= { error };
    }
    this.running--;
    this.wake();
  }

  /** The next run does not wait until this one is on the disk. */
  private async keep(planned: NeededRun, made: Extract<Made, { record: string }>): Promise<void> {
    this.keeping++;
    try {
      const record = parseRecord(made.record, planned.run);
      await this.options.journal.add(planned.run, made.record);
      this.made++;
      this.madeMs += made.wallMs;
      this.ledger.take(planned, record);
      this.options.onRun?.(planned, made);
    } catch (error) {
      this.broken ??= { error };
    }
    this.keeping--;
    this.wake();
  }

  private jobOf({ variant, seed, run }: NeededRun): RunJob {
    const document = known(this.documents, variant, () => JSON.stringify(variant.document));
    const { warmupNs, modules } = this.options.study;
    return { run, scenario: variant.scenario, document, seed, warmupNs, modules };
  }
}
