/**
 * Replays a recorded trace on the server it was made on, or on what somebody would rather have.
 *
 * Left out: load that is not in the recording; the other users of the buddy are the free counts of
 * zoneinfo and nothing more.
 */

import { areaDirectory, pageToNid } from '../mm/alloc/contiguous.js';
import type { AreaEnd } from '../nodes/areas.js';
import { actorNumbers, groupsOf, type Plan } from '../nodes/plan.js';
import type { Finding } from '../nodes/recorder.js';
import type { ShardResult } from '../nodes/shard.js';
import { TIMED_FREE, TIMED_WIDTH, timed } from '../nodes/timed.js';
import type { ZoneEnd } from '../nodes/zones.js';
import { type AskedRow, type Placement, replayPlacements } from '../run/placement.js';
import { ShardPool } from '../run/shards.js';
import type { DmaRequest } from '../trace/join/request.js';
import { compareRequests, type RequestComparison } from './explain.js';
import { type Server, type Site, siteOf, type WhatIf } from './server.js';
import { type AreaStart, startState } from './startState.js';
import { type ReplayedDevice, type Rows, timedRows } from './timedRows.js';
import { type Drawing, draw } from './window.js';
import { readWorkload, type Workload } from './workload.js';

export interface TraceReplayOptions extends WhatIf {
  /** Next when the previous of the same task and device has settled, not at the recorded time. */
  readonly closedLoop?: boolean;
  readonly shards?: number;
  readonly signal?: AbortSignal;
}

/** A recording with the server it was made on, read once for any number of replays. */
export interface Recording {
  readonly name: string;
  readonly workload: Workload;
  readonly server: Server;
  /** Start of the areas of the server's own boot. */
  readonly start: readonly AreaStart[];
  readonly requests: readonly DmaRequest[];
}

export interface TraceReplay {
  readonly name: string;
  readonly files: readonly string[];
  readonly site: Site;
  readonly start: readonly AreaStart[];
  readonly requests: readonly DmaRequest[];
  /** Position by position those of `requests`. */
  readonly placements: readonly Placement[];
  /** What was in use before the recording began. */
  readonly early: readonly Placement[];
  readonly devices: ReadonlyMap<string, ReplayedDevice>;
  readonly zones: readonly ZoneEnd[];
  readonly areas: readonly AreaEnd[];
  readonly findings: readonly Finding[];
  readonly comparison: RequestComparison;
  /** The first difference in place; null without one. */
  readonly drawing: Drawing | null;
  readonly notes: readonly string[];
  readonly fingerprint: string;
  readonly events: number;
}

/** Reads a recording's files, which are in the order of time. @throws InputError */
export async function readRecording(
  name: string,
  files: readonly string[],
  server: Server,
): Promise<Recording> {
  const { devices, page_size: pageSize } = server.imported.state;
  const nodes = new Map(devices.map((device) => [device.name, device.node ?? -1]));
  const workload = await readWorkload(files, {
    nodeOf: (device) => nodes.get(device),
    pageShift: Math.log2(pageSize),
  });
  const own = siteOf(server, {});
  const start = startState(own.plan.layout, own.plan.atomicPools, workload);
  const requests = workload.steps.flatMap((step) => (step.kind === 'alloc' ? [step.request] : []));
  return { name, workload, server, start, requests };
}

const modelModule = new URL('../nodes/shard.js', import.meta.url);

/** Replays recordings one after the other on threads that stay warm. */
export class TraceReplayer {
  readonly #pool = new ShardPool();

  /** @throws ConfigError, BootFailed where the kernel asked for is not known or does not boot. */
  async replay(recording: Recording, options: TraceReplayOptions = {}): Promise<TraceReplay> {
    const site = siteOf(recording.server, options);
    const rows = rowsOf(recording, site, options.closedLoop ?? false);
    const plan = planOf(site, rows);
    const outcome = await this.#pool.run({
      module: modelModule,
      plan,
      groups: groupsOf(plan),
      until: Number.POSITIVE_INFINITY,
      shards: options.shards ?? 1,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const results = outcome.results as ShardResult[];
    const run = { rows, plan, results };
    const placements = placementsOf(recording, run);
    const closedLoop = options.closedLoop ?? false;
    const { fingerprint, events } = outcome;
    return {
      ...compared(recording, { site, rows, placements, closedLoop }),
      early: earlyPlacements(run),
      zones: results.flatMap(({ zones }) => zones),
      areas: results.flatMap(({ areas }) => areas).sort((a, b) => a.index - b.index),
      findings: results
        .flatMap(({ observed }) => observed.findings)
        .sort((a, b) => a.time - b.time),
      fingerprint,
      events,
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

function rowsOf({ workload, server, start }: Recording, site: Site, closedLoop: boolean): Rows {
  return timedRows(workload, {
    machine: site.machine,
    layout: site.plan.layout,
    devices: new Map(server.imported.state.devices.map((device) => [device.name, device])),
    closedLoop,
    start,
    samePlaces: site.changed.length === 0,
  });
}

function planOf(site: Site, { operations, cpuNode, held }: Rows): Plan {
  return {
    ...site.plan,
    seed: 1,
    policies: [site.kernel.policy],
    cost: {},
    // The recording shows what the pools took, or the start state has it.
    atomicPools: [],
    devices: [],
    declarations: [],
    interpreted: false,
    timeline: [],
    pressure: [],
    replay: { operations, cpuNode, held },
    observe: { requests: [] },
    keepsZones: true,
    checks: false,
  };
}

interface FinishedReplay {
  readonly rows: Rows;
  readonly plan: Plan;
  readonly results: readonly ShardResult[];
}

function placementsOf({ workload, requests }: Recording, run: FinishedReplay): Placement[] {
  const { rows } = run;
  const freeOf = new Map<DmaRequest, number>();
  workload.steps.forEach((step, i) => {
    if (step.kind === 'free' && step.request !== null) freeOf.set(step.request, rows.rowOf[i]);
  });
  const rowsOfAlloc = workload.steps.flatMap((step, i) =>
    step.kind === 'alloc' ? [rows.rowOf[i]] : [],
  );
  const asked = requests.map((request, i): AskedRow => {
    const node = rows.devices.get(request.device)?.node ?? -1;
    const { device, size, gfp } = request;
    return { row: rowsOfAlloc[i], device, node, size, gfp, freeRow: freeOf.get(request) ?? -1 };
  });
  return placed(asked, run);
}

/** What was in use before; the free that ends it is the row that has it as target. */
function earlyPlacements(run: FinishedReplay): Placement[] {
  const { operations, early } = run.rows;
  const freeOf = new Map<number, number>();
  for (let row = 0; row * TIMED_WIDTH < operations.length; row++) {
    const at = row * TIMED_WIDTH;
    if (operations[at + timed.code] === TIMED_FREE) freeOf.set(operations[at + timed.target], row);
  }
  const pageSize = 2 ** run.plan.layout.pageShift;
  const asked = early.map((row): AskedRow => {
    const size = operations[row * TIMED_WIDTH + timed.size] * pageSize;
    return { row, device: '', node: -1, size, gfp: '', freeRow: freeOf.get(row) ?? -1 };
  });
  return placed(asked, run);
}

function placed(asked: readonly AskedRow[], { plan, results }: FinishedReplay): Placement[] {
  const outcomes = results.find((result) => result.outcomes !== null)!.outcomes!;
  const histories = results.flatMap(({ observed }) => observed.requests ?? []);
  const { replayer } = actorNumbers(plan);
  return replayPlacements(plan.layout, asked, { outcomes, histories, replayer });
}

function compared(
  recording: Recording,
  run: { site: Site; rows: Rows; placements: readonly Placement[]; closedLoop: boolean },
) {
  const { name, workload, requests, start, server } = recording;
  const { site, rows, placements } = run;
  const { layout } = site.plan;
  const directory = areaDirectory(layout);
  const comparison = compareRequests({
    workload,
    layout,
    start,
    requests,
    placements,
    devices: rows.devices,
    changed: site.changed,
    closedLoop: run.closedLoop,
    nodeOfPfn: (pfn) => pageToNid(directory, pfn),
  });
  return {
    name,
    files: workload.files,
    site,
    start,
    requests,
    placements,
    devices: rows.devices,
    comparison,
    drawing: firstDrawing(recording, { layout, placements, comparison, start }),
    notes: [...workload.notes, ...site.notes, ...server.imported.warnings, ...orderNote(workload)],
  };
}

function orderNote({ clock }: Workload): string[] {
  if (clock !== 'ticks') return [];
  return ['the clock has no unit: requests are issued one after the other, in the recorded order'];
}

/** The first difference that has a place in an area on either side. */
function firstDrawing(
  { workload, requests }: Recording,
  run: {
    layout: Site['plan']['layout'];
    placements: readonly Placement[];
    comparison: RequestComparison;
    start: readonly AreaStart[];
  },
): Drawing | null {
  for (const { index, expected, actual } of run.comparison.differences) {
    const named = (name: string) =>
      run.layout.areas.find((area) => area.name === name && area.count > 0);
    const area = named(expected.source) ?? named(actual.source);
    if (area === undefined) continue;
    const request = requests[index];
    const attempt = request.attempts.find((one) => one.area === area.name);
    const isTheirs = expected.source === area.name && attempt !== undefined;
    return draw({
      area,
      start: run.start.find(({ name }) => name === area.name),
      workload,
      at: attempt?.start ?? request.start,
      expected: isTheirs ? [expected.pfn, attempt.count] : null,
      placements: run.placements,
      index,
    });
  }
  return null;
}
