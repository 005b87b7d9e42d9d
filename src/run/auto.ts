/**
 * `--shards auto`: as many shards as pay, found out by trying.
 *
 * A run begins on one shard. If it turns out to be long, its windows hold enough events and a core is
 * idle, the same run is built on all cores as well. Then the first is paused, the second runs for a moment,
 * and whichever will be done earlier goes on. Both compute the same, so the choice is invisible.
 */

import { availableParallelism, cpus } from 'node:os';
import { scheduler } from 'node:timers/promises';
import { PAUSE, RUN, STOP } from '../sim/window.js';
import {
  cutFor,
  follow,
  type Launch,
  type ShardPool,
  type ShardRun,
  type ShardsOutcome,
} from './shards.js';

/** When a trial is worth its while. */
export interface AutoRules {
  /** A run that would end sooner cannot win back what a trial costs. */
  readonly remainingMs: number;
  /** Events per window and shard below which a barrier costs more than a second thread brings. */
  readonly eventsPerWindow: number;
  /** Share of a core that must be idle for every additional thread. */
  readonly idle: number;
  /** How many times sooner the trial must promise to be done. */
  readonly gain: number;
  /** Wall clock for a run to get warm in, and then to be measured, each. */
  readonly measureMs: number;
}

const RULES: AutoRules = {
  remainingMs: 4_000,
  eventsPerWindow: 30,
  idle: 0.7,
  gain: 1.1,
  measureMs: 125,
};

const POLL_MS = 5;

/** `narrow` runs the first attempt, `wide` the trial. */
export async function runAuto(
  run: ShardRun,
  narrow: ShardPool,
  wide: ShardPool,
  rules: AutoRules = RULES,
): Promise<ShardsOutcome> {
  const shards = cutFor(run, availableParallelism()).shards;
  const single = watch(await narrow.launch(run, 1));
  if (shards < 2) return follow(run, single.launch);
  const pace = await measure(single, run, rules);
  if (pace === null || !mayPay(run, pace, shards, rules)) return follow(run, single.launch);
  const trial = watch(await wide.launch(run, shards, true));
  while (!single.ended && !trial.ended && !trial.launch.control.isReady())
    await scheduler.wait(POLL_MS);
  if (single.ended || trial.ended) return settleFor(run, single, trial);
  single.launch.control.command(PAUSE);
  trial.launch.control.command(RUN);
  const trialPace = await measure(trial, run, rules);
  if (run.signal?.aborted) return settleFor(run, single, trial);
  if (trialPace === null) {
    // Ended already: with a result, or with an error that the first would meet too.
    return settleFor(run, trial, single);
  }
  const { simulatedNs } = single.launch.control.progress();
  const firstMs = (run.until - simulatedNs) / pace.nsPerMs;
  const trialMs = (run.until - trialPace.simulatedNs) / trialPace.nsPerMs;
  if (!(trialMs * rules.gain >= firstMs)) return settleFor(run, trial, single);
  single.launch.control.command(RUN);
  return settleFor(run, single, trial);
}

interface Watched {
  readonly launch: Launch;
  ended: boolean;
}

function watch(launch: Launch): Watched {
  const watched = { launch, ended: false };
  const end = (): void => {
    watched.ended = true;
  };
  launch.outcome.then(end, end);
  return watched;
}

/** Ends the one and sees the other through. */
async function settleFor(run: ShardRun, kept: Watched, other: Watched): Promise<ShardsOutcome> {
  other.launch.control.command(STOP);
  await other.launch.outcome.catch(() => undefined);
  return follow(run, kept.launch);
}

interface Pace {
  simulatedNs: number;
  events: number;
  /** Simulated ns per ms of wall clock, once warm. */
  nsPerMs: number;
  idleCores: number;
}

// Wall clock: it decides how many threads work and nothing that a model could see.
const wallMs = (): number => process.uptime() * 1000;

function idleMs(): number {
  return cpus().reduce((sum, cpu) => sum + cpu.times.idle, 0);
}

/** How fast a run goes; null if it ended meanwhile. */
async function measure(
  watched: Watched,
  run: ShardRun,
  { measureMs }: AutoRules,
): Promise<Pace | null> {
  const { control } = watched.launch;
  const step = async (): Promise<void> => {
    await scheduler.wait(POLL_MS);
    if (!watched.ended) run.onProgress?.(control.progress());
  };
  while (!watched.ended && control.progress().events === 0) await step();
  const started = wallMs();
  const idleFrom = idleMs();
  while (!watched.ended && wallMs() - started < measureMs) await step();
  const from = wallMs();
  const first = control.progress();
  while (!watched.ended && wallMs() - from < measureMs) await step();
  if (watched.ended) return null;
  const { simulatedNs, events } = control.progress();
  const now = wallMs();
  const nsPerMs = (simulatedNs - first.simulatedNs) / (now - from);
  return { simulatedNs, events, nsPerMs, idleCores: (idleMs() - idleFrom) / (now - started) };
}

function mayPay(run: ShardRun, pace: Pace, shards: number, rules: AutoRules): boolean {
  const { lookahead } = cutFor(run, shards);
  const perWindow = (pace.events / pace.simulatedNs) * lookahead;
  return (
    (run.until - pace.simulatedNs) / pace.nsPerMs > rules.remainingMs &&
    perWindow / shards >= rules.eventsPerWindow &&
    pace.idleCores >= rules.idle * (shards - 1)
  );
}
