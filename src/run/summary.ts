/**
 * From what the actors recorded to what a reader is shown: statistics per device and per
 * declaration, where every device's memory came from, and whether the scenario's expectations hold.
 */

import type { PlannedDevice } from '../devices/model.js';
import { judge, type Lookup, type Measure, namesIn } from '../scenario/expect.js';
import { type AreaColumn, areaColumns, counterNames, splits } from '../scenario/names.js';
import type { Expectation } from '../scenario/scenario.js';
import { mergeSamples, type Sample, summarize } from '../sim/statistics.js';
import type {
  AreaResult,
  CheckResult,
  DeviceResult,
  Placed,
  RunResult,
  StatResult,
} from './result.js';

/** Name and declaration of every actor that a reader may ask for, by actor number. */
export type ActorNames = ReadonlyMap<
  number,
  { readonly name: string; readonly declaration: string }
>;

/** Statistics of all actors together, of every declaration of several, and of every named actor. */
export function statResults(samples: readonly Sample[], actors: ActorNames): StatResult[] {
  const byActor = new Map<string, Sample[]>();
  const add = (actor: string, sample: Sample) => {
    const list = byActor.get(actor);
    if (list) list.push(sample);
    else byActor.set(actor, [sample]);
  };
  for (const sample of samples) {
    add('', sample);
    const known = actors.get(sample.actor);
    if (!known) continue;
    add(known.name, sample);
    if (known.declaration !== known.name) add(known.declaration, sample);
  }
  const results = [...byActor].flatMap(([actor, list]) => {
    const merged = mergeSamples([withSums(list).map((sample) => ({ ...sample, actor: 0 }))]);
    return merged.map((sample) => statResult(actor, sample));
  });
  return results.sort((a, b) => compareText(a.name, b.name) || compareNatural(a.actor, b.actor));
}

/** `placed.node.local` also counts as `placed.node` and `placed`. */
function withSums(samples: readonly Sample[]): Sample[] {
  return samples.flatMap((sample) => {
    if (sample.kind !== 'counter') return [sample];
    const parts = sample.name.split('.');
    return parts.map((_, i) => ({ ...sample, name: parts.slice(0, i + 1).join('.') }));
  });
}

function statResult(actor: string, sample: Sample): StatResult {
  const { name, kind, unit, class: of } = sample;
  const none = { mean: null, min: null, p50: null, p90: null, p99: null, p999: null, max: null };
  if (kind === 'counter') return { name, actor, kind, unit, class: of, count: sample.sum, ...none };
  if (sample.count === 0) return { name, actor, kind, unit, class: of, count: 0, ...none };
  const { count, mean, min, p50, p90, p99, p999, max } = summarize(sample);
  return { name, actor, kind, unit, class: of, count, mean, min, p50, p90, p99, p999, max };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `nic0@2` before `nic0@10`. */
const compareNatural = new Intl.Collator('en', { numeric: true }).compare;

const sources = ['device', 'node', 'default', 'buddy'] as const;

function bySource(count: (source: (typeof sources)[number]) => number): Placed {
  return {
    device: count('device'),
    node: count('node'),
    default: count('default'),
    buddy: count('buddy'),
  };
}

/** Where each device's requests were served from, in the order of the scenario. */
export function deviceResults(
  devices: readonly PlannedDevice[],
  stats: readonly StatResult[],
  states: readonly string[] = [],
): DeviceResult[] {
  const counts = new Map<string, number>();
  for (const { name, actor, kind, count } of stats) {
    if (kind === 'counter') counts.set(`${actor} ${name}`, count);
  }
  return devices.map((device, i) => {
    const of = (name: string) => counts.get(`${device.name} ${name}`) ?? 0;
    const local = sources.reduce((sum, source) => sum + of(`placed.${source}.local`), 0);
    const remote = sources.reduce((sum, source) => sum + of(`placed.${source}.remote`), 0);
    return {
      name: device.name,
      declaration: device.declaration,
      kind: device.kind,
      node: device.nid,
      state: states[i] ?? '',
      placed: bySource((source) => of(`placed.${source}`)),
      placedRemote: bySource((source) => of(`placed.${source}.remote`)),
      refused: of('refused'),
      leakedPages: of('leaked_pages'),
      localShare: local + remote > 0 ? local / (local + remote) : null,
    };
  });
}

const areaValue: Readonly<Record<AreaColumn, (area: AreaResult) => number>> = {
  count: (area) => area.count,
  used: (area) => area.used,
  peak_used: (area) => area.peakUsed,
  maxchunk: (area) => area.maxchunk,
  alloc_pages_success: (area) => area.allocPagesSuccess,
  alloc_pages_fail: (area) => area.allocPagesFail,
};

/** What expectations may ask for. */
interface Known extends Pick<RunResult, 'stats' | 'areas'> {
  readonly devices: readonly Pick<DeviceResult, 'name' | 'declaration'>[];
  /** Their number. */
  readonly findings: number;
}

/**
 * Finds what an expectation names: a statistic of all actors, `ACTOR.STATISTIC` of a device or a
 * declaration, `AREA.used` and the other columns of an area, `findings`.
 */
export function lookupIn(result: Known): Lookup {
  const stats = new Map(result.stats.map((stat) => [`${stat.actor} ${stat.name}`, stat]));
  const actors = new Set(result.devices.flatMap(({ name, declaration }) => [name, declaration]));
  const areas = new Map(result.areas.map((area) => [area.name, area]));
  const counters = counterNames();
  return (name, measure) => {
    if (name === 'findings') return result.findings;
    const whole = statistic(stats.get(` ${name}`), measure);
    if (whole !== undefined) return whole;
    for (const [actor, rest] of splits(name)) {
      const area = areas.get(actor);
      const column = areaColumns.find((title) => title === rest);
      if (area && column) return areaValue[column](area);
      const stat = stats.get(`${actor} ${rest}`);
      if (stat) return statistic(stat, measure);
      // A counter nobody has counted up is 0, not unknown.
      if (actors.has(actor) && counters.has(rest)) return 0;
    }
    return counters.has(name) ? 0 : undefined;
  };
}

function statistic(stat: StatResult | undefined, measure: Measure | null): number | undefined {
  if (!stat) return undefined;
  if (stat.kind === 'counter') return measure === null ? stat.count : undefined;
  return stat[measure ?? 'mean'] ?? undefined;
}

/** Judges the expectations of a scenario by what a run has shown. */
export function checkResults(expect: readonly Expectation[], result: Known): CheckResult[] {
  const lookup = lookupIn(result);
  return expect.map(({ text, expression }) => {
    const names = namesIn(expression).filter(
      ({ name, measure }) => lookup(name, measure) === undefined,
    );
    const missing = names.map(({ name, measure }) => (measure ? `${name}.${measure}` : name));
    return { expr: text, ...judge(expression, lookup), missing };
  });
}
