/**
 * A study: variants of a scenario, how often each is run, when that is enough. Plain data
 * throughout, so that a results directory can hold it and every machine can work on it.
 */

import { type Ground, Naming, type ScenarioDocument, sha256 } from './identity.js';
import type { Replications, Rule } from './rule.js';

export type AxisValue = string | number | boolean;

export interface Variant {
  /** Position in Study.variants. */
  readonly index: number;
  /** Value on every axis, in the order of Study.axes. */
  readonly values: Readonly<Record<string, AxisValue>>;
  /** Name of the scenario. */
  readonly scenario: string;
  readonly document: ScenarioDocument;
}

export interface Study extends Ground {
  readonly name: string;
  readonly title: string;
  readonly axes: readonly string[];
  readonly variants: readonly Variant[];
  readonly replications: Replications;
  /** A variant has enough replications when all rules hold; none: all of them are made. */
  readonly until: readonly Rule[];
  /** Of every interval, 0 to 1. */
  readonly confidence: number;
  /** Over replications, 0 to 1 each. */
  readonly quantiles: readonly number[];
  /** Seed of the first replication. */
  readonly seed: number;
  /** `common`: replication i of every variant has one seed. */
  readonly random: 'common' | 'independent';
  readonly labels: Readonly<Record<string, AxisValue>>;
  /** Values that make of a variant the one it is compared with. */
  readonly baseline: Readonly<Record<string, AxisValue>> | null;
  /** Statistics of the printed table; empty: a choice by what there is. */
  readonly show: readonly string[];
}

/** One run that a study needs. */
export interface NeededRun {
  readonly variant: Variant;
  /** From 0. */
  readonly replication: number;
  readonly seed: number;
  /** Naming.nameOf(). */
  readonly run: string;
}

/** The runs of a study by variant and replication. */
export class StudyRuns {
  private readonly study: Study;
  private readonly naming: Naming;

  constructor(study: Study) {
    this.study = study;
    this.naming = new Naming(study);
  }

  at(variant: Variant, replication: number): NeededRun {
    const seed = this.seedOf(variant, replication);
    const run = this.naming.nameOf(variant.document, seed);
    return { variant, replication, seed, run };
  }

  private seedOf(variant: Variant, replication: number): number {
    const { seed, random } = this.study;
    const common = (seed + replication) % 2 ** 32;
    if (random === 'common') return common;
    const name = this.naming.nameOf(variant.document, common);
    return Number.parseInt(sha256(name).slice(0, 8), 16);
  }
}

/**
 * The variant that `variant` is compared with; undefined if it is that one itself, or there is
 * none.
 */
export function baselineOf(study: Study, variant: Variant): Variant | undefined {
  if (study.baseline === null) return undefined;
  const wanted = { ...variant.values, ...study.baseline };
  const found = study.variants.find(({ values }) =>
    study.axes.every((axis) => values[axis] === wanted[axis]),
  );
  return found === variant ? undefined : found;
}

/** `kernel=6.12 nics=4`, or the scenario's name where nothing varies. */
export function variantText({ values, scenario }: Variant): string {
  const parts = Object.entries(values).map(([axis, value]) => `${axis}=${value}`);
  return parts.length > 0 ? parts.join(' ') : scenario;
}
