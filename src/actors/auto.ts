/**
 * `--shards auto`: as many shards as pay, found out by trying.
 *
 * A run begins on one shard. If it turns out to be long, its windows hold enough events and a core is
 * idle, it is paused and the same run is tried on all cores from the beginning. Whichever needs less time
 * for what the first had done goes on; the other ends. Both compute the same, so the choice is invisible.
 */

import { availableParallelism, cpus } from 'node:os';
import { setInterval } from 'node:timers/promises';
import { PAUSE, RUN, STOP } from '../sim/window.js';
import {
  cutFor,
  follow,
  type Launch,
  type ShardPool,
  type ShardRun,
  type ShardsOutcome,
} from './shards.js';

const POLL_MS = 10;
/** How long the run on one shard is watched before anything is decided. */
const PROBE_MS = 250;
/** A run that ends sooner than this would not win back what a trial costs. */
const REMAINING_MS_MIN = 1_500;
/** Events per window and shard below which a barrier costs more than a second thread brings. */
const EVENTS_PER_WINDOW_MIN = 30;
/** Share of a core that must be idle per additional thread. */
const IDLE_MIN = 0.7;
/** A trial must be this much faster. */
const GAIN_MIN = 1.1;

/** `narrow` runs the first attempt, `wide` the trial. */
export async function runAuto(
  run: ShardRun,
  narrow: ShardPool,
  wide: ShardPool,
): Promise<ShardsOutcome> {
  const shards = cutFor(run, availableParallelism()).shards;
  const single = await narrow.launch(run, 1);
  if (shards < 2) return follow(run, single);
  const probe = await watch(single, run);
  if (probe === null || !mayPay(run, probe, shards)) return follow(run, single);
  single.control.command(PAUSE);
  const trial = await wide.launch(run, shards);
  if (await isFaster(trial, probe)) {
    single.control.command(STOP);
    // The signal may have interrupted it meanwhile, or its model failed: the trial says the same.
    await single.outcome.catch(() => undefined);
    return follow(run, trial);
  }
  trial.control.command(STOP);
  await trial.outcome.catch(() => undefined);
  if (!run.signal?.aborted) single.control.command(RUN);
  return follow(run, single);
}

interface Probe {
  /** Wall clock from the first events on, in ms. */
  elapsedMs: number;
  simulatedNs: number;
  events: number;
  idleCores: number;
}

const wallMs = (): number => process.uptime() * 1000;

function idleMs(): number {
  return cpus().reduce((sum, cpu) => sum + cpu.times.idle, 0);
}

/** Watches the run on one shard; null if it ended meanwhile. */
async function watch(single: Launch, run: ShardRun): Promise<Probe | null> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  single.outcome.then(end, end);
  let from = 0;
  let idleFrom = 0;
  for await (const _ of setInterval(POLL_MS)) {
    if (ended) return null;
    const { simulatedNs, events, progress } = single.control.progress();
    if (events === 0) continue;
    run.onProgress?.({ simulatedNs, events, progress });
    if (from === 0) {
      from = wallMs();
      idleFrom = idleMs();
    }
    const elapsedMs = wallMs() - from;
    if (elapsedMs < PROBE_MS) continue;
    return { elapsedMs, simulatedNs, events, idleCores: (idleMs() - idleFrom) / elapsedMs };
  }
  return null;
}

function mayPay(run: ShardRun, probe: Probe, shards: number): boolean {
  const { lookahead } = cutFor(run, shards);
  const remainingMs = (probe.elapsedMs * (run.until - probe.simulatedNs)) / probe.simulatedNs;
  const perWindow = (probe.events / probe.simulatedNs) * lookahead;
  return (
    remainingMs > REMAINING_MS_MIN &&
    perWindow / shards >= EVENTS_PER_WINDOW_MIN &&
    probe.idleCores >= IDLE_MIN * (shards - 1)
  );
}

/** True if the trial gets as far as the probe did in clearly less time. */
async function isFaster(trial: Launch, probe: Probe): Promise<boolean> {
  let ended = false;
  let failed = false;
  trial.outcome.then(
    () => {
      ended = true;
    },
    () => {
      failed = true;
    },
  );
  let from = 0;
  for await (const _ of setInterval(POLL_MS)) {
    if (failed) return false;
    const { simulatedNs, events } = trial.control.progress();
    if (ended || simulatedNs >= probe.simulatedNs) return true;
    if (events === 0) continue;
    if (from === 0) from = wallMs();
    if (wallMs() - from > probe.elapsedMs / GAIN_MIN) return false;
  }
  return false;
}
