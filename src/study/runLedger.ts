/**
 * Ledger of a study: runs it has and lacks, which to make next, and when a variant has enough.
 *
 * Rules are asked of the first replications of a variant once all of them are there, so that the
 * runs of a finished study are the same whichever came back first, and none is made that is not
 * needed.
 */

import { lookupIn } from '../run/summary.js';
import type { RunRecord } from './record.js';
import { replicationsNeeded } from './rule.js';
import { type NeededRun, type Study, StudyRuns, type Variant } from './study.js';

/** Part of a study: `index` of `count`, from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

interface Account {
  readonly variant: Variant;
  /** By rule, then by replication; a hole is a run that is not there yet. */
  readonly series: (number | undefined)[][];
  /** Replications of it that are there. */
  readonly there: Set<number>;
  /** Replications to have before the rules are asked again, or altogether. */
  needed: number;
  decided: boolean;
  /** Replications that have been given out. */
  given: number;
}

export class RunLedger {
  private readonly study: Study;
  private readonly names: StudyRuns;
  private readonly shard: Shard;
  private readonly accounts: Account[];
  private readonly queue: NeededRun[] = [];
  private counted = { planned: 0, there: 0 };

  constructor(study: Study, shard: Shard = { index: 0, count: 1 }) {
    this.study = study;
    this.names = new StudyRuns(study);
    this.shard = shard;
    this.accounts = study.variants.map((variant) => {
      const series = study.until.map(() => []);
      const account = { variant, series, there: new Set<number>(), given: 0 };
      return { ...account, ...this.asked(series) };
    });
    const most = Math.max(...this.accounts.map(({ needed }) => needed));
    // Replication by replication, so that every variant has something early.
    for (let i = 0; i < most; i++) for (const account of this.accounts) this.give(account, i + 1);
  }

  /** Runs this part of the study needs as far as it is known: rules may ask for more. */
  get planned(): number {
    return this.counted.planned;
  }

  /** Of them, those that are there. */
  get there(): number {
    return this.counted.there;
  }

  /** True if nothing more will be planned once what is planned is there. */
  get isFinal(): boolean {
    return this.accounts.every((account) => account.decided || !this.owns(account.variant, 0));
  }

  /** The next run to make; undefined if there is none for the moment. */
  next(): NeededRun | undefined {
    return this.queue.shift();
  }

  /** True if take() wants to see records: only rules ask what came of a run. */
  get reads(): boolean {
    return this.study.until.length > 0;
  }

  /** Takes in what came of a run. */
  take({ variant, replication }: NeededRun, record: RunRecord | null): void {
    const account = this.accounts[variant.index];
    if (account.there.has(replication)) return;
    account.there.add(replication);
    this.counted.there++;
    if (record === null || !this.reads) return;
    const lookup = lookupIn(record);
    this.study.until.forEach(({ name, measure }, i) => {
      account.series[i][replication] = lookup(name, measure) ?? Number.NaN;
    });
    if (account.decided || account.there.size < account.needed) return;
    const { needed, decided } = this.asked(account.series);
    account.needed = needed;
    account.decided = decided;
    this.give(account, needed);
  }

  /** Every run of the finished study, variant by variant. */
  *runs(): Generator<NeededRun> {
    for (const { variant, needed } of this.accounts) {
      for (let i = 0; i < needed; i++) yield this.names.at(variant, i);
    }
  }

  /** Replications each variant has come to need. */
  replications(): number[] {
    return this.accounts.map(({ needed }) => needed);
  }

  private asked(series: readonly (readonly (number | undefined)[])[]) {
    const { until, replications, confidence } = this.study;
    const whole = series as readonly (readonly number[])[];
    const { count, done } = replicationsNeeded(until, whole, { ...replications, confidence });
    return { needed: count, decided: done };
  }

  private give(account: Account, count: number): void {
    for (; account.given < Math.min(count, account.needed); account.given++) {
      if (!this.owns(account.variant, account.given)) continue;
      this.queue.push(this.names.at(account.variant, account.given));
      this.counted.planned++;
    }
  }

  /** With rules a variant stays whole: they ask about all of its replications. */
  private owns({ index }: Variant, replication: number): boolean {
    const { until, variants } = this.study;
    const position = until.length > 0 ? index : replication * variants.length + index;
    return position % this.shard.count === this.shard.index;
  }
}
