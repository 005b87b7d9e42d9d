/**
 * Stopping rules: `dma_alloc_ns.p99 within 5%` asks that the interval of the mean over replications
 * reaches at most 5 % of that mean to either side; `refused within 0.5`, that it reaches 0.5.
 *
 * Asked at fixed numbers of replications only, and of the first replications only, so that the
 * answer does not depend on which run came back first. Intervals stopped this way are a little
 * short: ask for at least ten replications (test/study/stopping.test.ts says how little that
 * leaves).
 */

import { ExpressionError, type Measure, measures } from '../scenario/expect.js';
import { tokens } from '../scenario/tokens.js';
import { meanInterval } from './intervals.js';

export interface Replications {
  readonly atLeast: number;
  readonly atMost: number;
  /** Rules are asked after `atLeast` replications and then after every `step` more. */
  readonly step: number;
}

export interface Rule {
  /** As written. */
  readonly text: string;
  readonly name: string;
  readonly measure: Measure | null;
  /** Half-width allowed: a share of the mean if `relative`, otherwise in the statistic's unit. */
  readonly half: number;
  readonly relative: boolean;
}

/** Reads `STATISTIC within NUMBER[%|unit]`. Throws ExpressionError. */
export function parseRule(text: string): Rule {
  const [name, within, width, end] = tokens(text, (offset, message) => {
    throw new ExpressionError(offset, message);
  });
  const fail = (token: typeof name, what: string): never => {
    const found = token === undefined || token.type === 'end' ? 'the end' : token.text;
    throw new ExpressionError(token?.offset ?? text.length, `${found}, expected ${what}`);
  };
  if (name?.type !== 'name') return fail(name, 'a statistic such as dma_alloc_ns.p99');
  if (within?.text !== 'within') return fail(within, 'within');
  if (width?.type !== 'number' || !(width.value > 0)) return fail(width, 'a width such as 5%');
  if (end?.type !== 'end') return fail(end, 'the end');
  return {
    text,
    ...statisticOf(name.text),
    half: width.value,
    relative: width.unit === '%',
  };
}

/** `nic0.dma_alloc_ns.p99` as a statistic and its measure. */
function statisticOf(text: string): { name: string; measure: Measure | null } {
  const dot = text.lastIndexOf('.');
  const measure = measures.find((one) => one === text.slice(dot + 1));
  if (dot < 0 || measure === undefined) return { name: text, measure: null };
  return { name: text.slice(0, dot), measure };
}

/** True if the values are enough for the rule. */
function holds(rule: Rule, values: readonly number[], confidence: number): boolean {
  const { mean, half } = meanInterval(values, confidence);
  if (half === null || Number.isNaN(half)) return false;
  return half <= (rule.relative ? rule.half * Math.abs(mean) : rule.half);
}

/**
 * Replications that a variant needs, judged by the first of them: `done` as soon as that is
 * decided, otherwise the number to have before asking again.
 *
 * @param series For each rule the values of replications 0, 1, …, as many as are there without a
 * gap.
 */
export function replicationsNeeded(
  rules: readonly Rule[],
  series: readonly (readonly number[])[],
  plan: Replications & { readonly confidence: number },
): { readonly count: number; readonly done: boolean } {
  const { atLeast, atMost, step, confidence } = plan;
  if (rules.length === 0) return { count: atMost, done: true };
  const there = Math.min(...series.map((values) => values.length));
  let count = Math.min(atLeast, atMost);
  for (; count <= there; count = Math.min(count + step, atMost)) {
    const enough = rules.every((rule, i) => holds(rule, series[i].slice(0, count), confidence));
    if (enough || count === atMost) return { count, done: true };
  }
  return { count, done: false };
}
