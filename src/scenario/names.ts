/**
 * The names an expectation may use: statistics that models declare, columns of areas, `findings`.
 */

import { hostStatistics } from '../devices/host/host.js';
import type { PlannedDevice } from '../devices/model.js';
import { deviceModels } from '../devices/registry.js';
import { requestStatistics } from '../nodes/requestStatistics.js';
import type { Statistic } from '../sim/statistics.js';
import { type Expression, namesIn } from './expect.js';
import { didYouMean, nearest } from './suggest.js';

/** Columns of an area, as reports and /sys/kernel/mm/cma spell them. */
export const areaColumns = [
  'count',
  'used',
  'peak_used',
  'maxchunk',
  'alloc_pages_success',
  'alloc_pages_fail',
] as const;
export type AreaColumn = (typeof areaColumns)[number];

/** `a.b.c` -> a, a.b, a.b.c */
function prefixes(name: string): string[] {
  const parts = name.split('.');
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
}

/** Every way to part `nic0@2.1.refused` into an actor and a statistic, longest actor first. */
export function splits(name: string): [actor: string, rest: string][] {
  return prefixes(name)
    .slice(0, -1)
    .reverse()
    .map((actor) => [actor, name.slice(actor.length + 1)]);
}

/** Statistics that a run may have: of requests, of all devices, of each kind. */
export function allStatistics(): Statistic[] {
  const ofKinds = deviceModels().flatMap(({ statistics }) => statistics);
  return [...requestStatistics, ...hostStatistics, ...ofKinds];
}

/** Counters, the sums of dotted ones among them: `placed` of `placed.node.local`. */
export function counterNames(): Set<string> {
  const counters = allStatistics().filter(({ kind }) => kind === 'counter');
  return new Set(counters.flatMap(({ name }) => prefixes(name)));
}

function statisticNames(): Set<string> {
  return new Set([...counterNames(), ...allStatistics().map(({ name }) => name)]);
}

/** The first name that no run of these devices can have, in words; undefined if all are known. */
export function unknownName(
  expression: Expression,
  devices: readonly PlannedDevice[],
): string | undefined {
  const statistics = statisticNames();
  const actors = new Set(devices.flatMap(({ name, declaration }) => [name, declaration]));
  for (const { name } of namesIn(expression)) {
    if (name === 'findings' || statistics.has(name)) continue;
    const parts = splits(name);
    // Which areas there are is known after the boot only.
    if (parts.some(([, rest]) => (areaColumns as readonly string[]).includes(rest))) continue;
    const device = parts.find(([actor]) => actors.has(actor));
    if (device && statistics.has(device[1])) continue;
    if (device) return `${device[1]} is no statistic, ${didYouMean(device[1], [...statistics])}`;
    const other = parts.find(([, rest]) => statistics.has(rest));
    if (other) return `${other[0]} is not a device, ${didYouMean(other[0], [...actors])}`;
    const near = nearest(name, [...statistics]);
    const hint = near ? `did you mean ${near}?` : 'expected [DEVICE.]STATISTIC';
    return `${name} is no statistic, ${hint}`;
  }
  return undefined;
}
