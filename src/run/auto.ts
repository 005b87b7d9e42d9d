/**
 * `--shards auto`: as many shards as pay, decided by what the run itself shows.
 *
 * A run begins on one shard, in windows as narrow as all cores would have, so that events per
 * window are counted and not guessed. If they are enough to outweigh a barrier, cores are idle and
 * most of the run is still to come, it starts again on all cores: its beginning is short. Else it
 * goes on as it is, in windows without end. Both compute the same, so the choice is invisible.
 */

import { availableParallelism, cpus } from 'node:os';
import { scheduler } from 'node:timers/promises';
import { STOP, type WindowProgress } from '../sim/window.js';
import { cutFor, follow, type Launch, type ShardRun, type ShardsOutcome } from './launch.js';

/** When all cores are worth another start. */
export interface AutoRules {
  /** Least wall clock that the run would still take on one shard. */
  readonly remainingMs: number;
  /** Events per window and shard below which a barrier costs more than a second thread brings. */
  readonly eventsPerWindow: number;
  /** Share of a core that must be idle for every additional thread. */
  readonly idle: number;
  /** Wall clock for a run to get warm in, and then to be measured, each. */
  readonly measureMs: number;
}

const RULES: AutoRules = { remainingMs: 4_000, eventsPerWindow: 30, idle: 0.7, measureMs: 125 };

const POLL_MS = 5;

/** Starts a run on so many shards. */
type StartRun<Result> = (
  run: ShardRun,
  shards: number,
  how?: { readonly windowNs?: number },
) => Promise<Launch<Result>>;

export async function runAuto<Result>(
  run: ShardRun,
  launch: StartRun<Result>,
  rules: AutoRules = RULES,
): Promise<ShardsOutcome<Result>> {
  const { shards, lookahead } = cutFor(run, availableParallelism());
  if (shards < 2) return follow(run, await launch(run, 1));
  const single = await launch(run, 1, { windowNs: lookahead });
  const pace = await measure(single, run, rules);
  if (pace === null || !pays(pace, run.until, shards, rules)) {
    single.control.widen();
    return follow(run, single);
  }
  single.control.command(STOP);
  const begun = await single.outcome;
  // It ended before it was told to, or because the caller wanted it to.
  if (!begun.interrupted || run.signal?.aborted) return begun;
  const ahead = aheadOf(run, begun.simulatedNs);
  return follow(ahead, await launch(ahead, shards));
}

/** The run that reports progress only once it is where it has been before. */
function aheadOf(run: ShardRun, reachedNs: number): ShardRun {
  const { onProgress } = run;
  if (onProgress === undefined) return run;
  const report = (progress: WindowProgress): void => {
    if (progress.simulatedNs >= reachedNs) onProgress(progress);
  };
  return { ...run, onProgress: report };
}

interface Pace {
  readonly simulatedNs: number;
  readonly eventsPerWindow: number;
  /** Simulated ns per ms of wall clock, once warm. */
  readonly nsPerMs: number;
  readonly idleCores: number;
}

// Wall clock: it decides how many threads work and nothing that a model could see.
const wallMs = (): number => process.uptime() * 1000;

function idleMs(): number {
  return cpus().reduce((sum, cpu) => sum + cpu.times.idle, 0);
}

/** How a run goes; null if it ended meanwhile. */
async function measure(
  { control, outcome }: Launch,
  run: ShardRun,
  { measureMs }: AutoRules,
): Promise<Pace | null> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  outcome.then(end, end);
  const wait = async (isOver: () => boolean): Promise<void> => {
    while (!ended && !isOver()) {
      await scheduler.wait(POLL_MS);
      if (!ended) run.onProgress?.(control.progress());
    }
  };
  await wait(() => control.progress().events > 0);
  const started = wallMs();
  const idleFrom = idleMs();
  await wait(() => wallMs() - started >= measureMs);
  const from = wallMs();
  const first = control.progress();
  // On a busy machine a thread may stand still for longer than that.
  const hasMoved = () => control.progress().windows > first.windows;
  await wait(() => wallMs() - from >= measureMs && hasMoved());
  if (ended) return null;
  const { simulatedNs, events, windows } = control.progress();
  const now = wallMs();
  return {
    simulatedNs,
    eventsPerWindow: (events - first.events) / (windows - first.windows),
    nsPerMs: (simulatedNs - first.simulatedNs) / (now - from),
    idleCores: (idleMs() - idleFrom) / (now - started),
  };
}

function pays(pace: Pace, until: number, shards: number, rules: AutoRules): boolean {
  return (
    (until - pace.simulatedNs) / pace.nsPerMs >= rules.remainingMs &&
    pace.eventsPerWindow / shards >= rules.eventsPerWindow &&
    pace.idleCores >= rules.idle * (shards - 1)
  );
}
