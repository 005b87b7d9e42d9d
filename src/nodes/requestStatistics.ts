/**
 * Statistics of one request's time: a distribution per part, and refusals by reason.
 *
 * A call's length and its end are recorded for the actor that asked, its parts for all devices of
 * one declaration together: a rack has thousands of devices and nobody reads their parts one by
 * one.
 */
import type { Recorder, Statistic } from '../sim/statistics.js';
import { counter, histogram } from '../sim/statistics.js';
import { asker } from '../wire/request.js';
import { part } from './inflight.js';
import type { Attempted, GiveUp, RunObserver, WindowLost, ZoneLocked } from './recorder.js';

const ofCall = 'per cma_alloc(), all its windows together.';
const time = (name: string, of: 'calibrated' | 'assumed', help: string): Statistic =>
  histogram(name, { unit: 'ns', class: of, help });

const cmaAlloc = time('cma_alloc_ns', 'calibrated', 'cma_alloc() from call to return, locks too.');
const always: readonly (readonly [which: number, statistic: Statistic])[] = [
  [part.search, time('cma_search_ns', 'assumed', `Bitmap search and its lock, ${ofCall}`)],
  [part.isolate, time('contig_isolate_ns', 'assumed', `Isolating pageblocks, ${ofCall}`)],
  [part.drainPcp, time('contig_drain_pcp_ns', 'assumed', `drain_all_pages(), ${ofCall}`)],
  [part.drainLru, time('contig_drain_lru_ns', 'calibrated', `lru_cache_disable(), ${ofCall}`)],
  [part.freeze, time('contig_freeze_ns', 'calibrated', `Taking free pages, ${ofCall}`)],
  [part.undo, time('contig_undo_ns', 'assumed', `Putting pageblocks back, ${ofCall}`)],
];
const sometimes: typeof always = [
  [
    part.migrate,
    time('contig_migrate_ns', 'calibrated', `Moving pages away, where any, ${ofCall}`),
  ],
  [part.drop, time('contig_drop_ns', 'assumed', `Dropping clean page cache, where any, ${ofCall}`)],
];
const zoneLock = time('zone_lock_wait_ns', 'assumed', 'Waiting for zone->lock, per alloc_pages().');
const count = (name: string, help: string): Statistic =>
  counter(name, { unit: '1', class: 'exact', help });

const succeeded = count('cma_alloc_success', 'Calls of cma_alloc() that returned pages.');
const failed: Readonly<Record<number, Statistic>> = {
  12: count('cma_alloc_fail.ENOMEM', 'Calls of cma_alloc() that failed and print ret: -12.'),
  16: count('cma_alloc_fail.EBUSY', 'Calls of cma_alloc() that failed and print ret: -16.'),
};
const gaveUp: Readonly<Record<GiveUp, Statistic>> = {
  collision: count('cma_window_lost.collision', 'Windows lost to another isolator of a pageblock.'),
  stuck: count('cma_window_lost.stuck', 'Windows lost to a page that is pinned.'),
  target: count('cma_window_lost.target', 'Windows lost because migration found no free page.'),
};

/** Statistics that every run has, whatever its devices. */
export const requestStatistics: readonly Statistic[] = [
  cmaAlloc,
  ...[...always, ...sometimes].map(([, statistic]) => statistic),
  zoneLock,
  succeeded,
  ...Object.values(failed),
  ...Object.values(gaveUp),
];

export class RequestStatistics implements RunObserver {
  readonly #recorder: Recorder;
  readonly #together: Int32Array;

  /** `together`: actor -> number under which parts are recorded. */
  constructor(recorder: Recorder, together: Int32Array) {
    this.#recorder = recorder;
    this.#together = together;
  }

  attempted({ id, err, ns, parts }: Attempted): void {
    // What returns at once is no call that the kernel counts.
    if (err > 0) return;
    const recorder = this.#recorder;
    const by = asker(id);
    recorder.record(cmaAlloc, by, ns);
    recorder.add(err === 0 ? succeeded : failed[-err], by);
    const group = this.#together[by];
    for (const [which, statistic] of always) recorder.record(statistic, group, parts[which]);
    for (const [which, statistic] of sometimes) {
      if (parts[which] > 0) recorder.record(statistic, group, parts[which]);
    }
  }

  windowLost({ id, why }: WindowLost): void {
    this.#recorder.add(gaveUp[why], this.#together[asker(id)]);
  }

  zoneLocked({ id, ns }: ZoneLocked): void {
    this.#recorder.record(zoneLock, this.#together[asker(id)], ns);
  }
}
