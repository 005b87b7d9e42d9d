/**
 * One request explained: the run is repeated from its scenario and watched, instead of logging
 * every run.
 */

import { partNames } from '../nodes/inflight.js';
import type { Walk } from '../nodes/requestWalk.js';
import { type Placement, took } from '../run/placement.js';
import { runPlacements } from '../run/placements.js';
import { planRun } from '../run/plan.js';
import { RequestNames } from '../run/requestName.js';
import type { Scenario } from '../scenario/scenario.js';
import type { Requests, TimePart, Why } from './explained.js';
import { stepRows } from './steps.js';

/** No such request in the run. */
export class NoSuchRequest extends Error {}

/** Every request for memory of a run, in the order they were made. */
export async function requestsOf(scenario: Scenario, interpreted = false): Promise<Requests> {
  const { placements, outcome } = await runPlacements(scenario, { interpreted, shards: 'auto' });
  return { requests: placements, fingerprint: outcome.fingerprint };
}

/**
 * Explains the request of that name.
 * @throws NoSuchRequest if the run has none.
 */
export async function why(scenario: Scenario, name: string, interpreted = false): Promise<Why> {
  const walk = idsOf(scenario, name);
  const run = await runPlacements(scenario, { interpreted, shards: 'auto', walk });
  const { layout, policies } = run.planned.plan;
  const { observed, fingerprint } = run.outcome;
  const asked = observed
    .flatMap(({ requests }) => requests?.asked ?? [])
    .find(({ id }) => id >= walk[0] && id < walk[1]);
  const request = run.placements.find((placement) => placement.name === name);
  if (!asked || !request) {
    throw new NoSuchRequest(`${name}: no request for memory of that number in this run`);
  }
  const walks = observed.map(
    (one): Walk => one.walk ?? { skipped: [], searched: [], zonesTried: [] },
  );
  const sights = walks.flatMap(({ searched }) => searched).sort((a, b) => a.time - b.time);
  const zonesTried = walks.flatMap((one) => one.zonesTried).sort((a, b) => a.time - b.time);
  return {
    request,
    policy: scenario.policy,
    kernel: scenario.kernel,
    gfp: asked.gfp,
    devNode: asked.devNode,
    maskBits: asked.maskBits,
    steps: stepRows(request, policies[0].alloc, zonesTried),
    sights: sights.map((sight) => {
      const { name: areaName, basePfn, count, orderPerBit } = layout.areas[sight.area];
      return { ...sight, areaName, basePfn, size: count / 2 ** orderPerBit };
    }),
    parts: timeParts(request),
    fingerprint,
  };
}

/** Ids that a name may stand for: the call's number, whatever its handle. */
function idsOf(scenario: Scenario, name: string): readonly [first: number, end: number] {
  const m = /^(.+)#(\d+)$/.exec(name);
  if (!m) throw new NoSuchRequest(`${name}: expected DEVICE#NUMBER, such as nic0#12`);
  const device = scenario.devices.findIndex((candidate) => candidate.name === m[1]);
  if (device < 0) {
    const known = scenario.devices.slice(0, 8).map((one) => one.name);
    throw new NoSuchRequest(`${name}: no device ${m[1]}, expected one of ${known.join(', ')}`);
  }
  const { plan } = planRun(scenario, { interpreted: false, checks: false });
  return new RequestNames(plan).idsOf(device, Number(m[2]));
}

const partClass: Readonly<Record<string, TimePart['class']>> = {
  drain_lru: 'calibrated',
  freeze: 'calibrated',
  migrate: 'calibrated',
};

/** Where the time went; what is left over was spent between nodes and in the buddy. */
function timeParts(request: Placement): TimePart[] {
  const { attempts, zero, settled } = request;
  if (Number.isNaN(settled)) return [];
  const sums: { name: string; ns: number }[] = partNames.map((name, i) => {
    return { name, ns: attempts.reduce((sum, { parts }) => sum + parts[i], 0) };
  });
  sums.push({ name: 'zero', ns: zero });
  const known = sums.reduce((sum, { ns }) => sum + ns, 0);
  sums.push({ name: 'call, ways between nodes, buddy', ns: took(request) - known });
  return sums
    .filter(({ ns }) => ns !== 0)
    .map(({ name, ns }) => ({ name, ns, class: partClass[name] ?? 'assumed' }));
}
