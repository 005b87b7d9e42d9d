/**
 * Replays a recorded trace on the server it was made on, or on what somebody would rather have.
 *
 * Left out: load that is not in the recording; the other users of the buddy are the free counts of
 * zoneinfo and nothing more.
 */

import { areaDirectory, pageToNid } from '../mm/alloc/contiguous.js';
import { Bytes, Nid } from '../mm/units.js';
import type { AreaEnd } from '../nodes/areas.js';
import type { ReplayPlan } from '../nodes/operations.js';
import type { Plan } from '../nodes/plan.js';
import type { Finding } from '../nodes/recorder.js';
import type { ZoneEnd } from '../nodes/zones.js';
import type { Placement } from '../run/placement.js';
import { type AskedRow, replayPlacements } from '../run/placements.js';
import type { DmaRequest } from '../trace/join/request.js';
import { type AreaStart, areaStarts } from './areaStart.js';
import { type CompareInput, compareRequests, type RequestComparison } from './compareRequests.js';
import { type Drawing, draw } from './drawing.js';
import { type RecordedServer, type Site, siteOf, type WhatIf } from './recordedServer.js';
import { onlyReplayed, type ReplayThreads } from './threads.js';
import { type ReplayedDevice, traceRows } from './traceRows.js';
import { readWorkload, type Workload } from './workload.js';

export interface TraceReplayOptions extends WhatIf {
  /** Next when the previous of the same task and device has settled, not at the recorded time. */
  readonly closedLoop?: boolean;
  readonly shards?: number;
}

/** A recording with the server it was made on, read once for any number of replays. */
export interface Recording {
  readonly name: string;
  readonly workload: Workload;
  readonly server: RecordedServer;
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
  server: RecordedServer,
): Promise<Recording> {
  const { devices, page_size: pageSize } = server.imported.state;
  const nodes = new Map(devices.map((device) => [device.name, device.node ?? -1]));
  const workload = await readWorkload(files, {
    nodeOf: (device) => nodes.get(device),
    pageShift: Math.log2(pageSize),
  });
  const own = siteOf(server, {});
  const start = areaStarts(own.plan.layout, own.plan.atomicPools, workload);
  const requests = workload.steps.flatMap((step) => (step.kind === 'alloc' ? [step.request] : []));
  return { name, workload, server, start, requests };
}

/**
 * Replays a recording of a trace.
 * @throws ConfigError, BootFailed where the kernel asked for is not known or does not boot.
 */
export async function replayTrace(
  threads: ReplayThreads,
  recording: Recording,
  { closedLoop = false, shards = 1, ...change }: TraceReplayOptions = {},
): Promise<TraceReplay> {
  const { name, workload, server, start, requests } = recording;
  const site = siteOf(server, change);
  const { layout } = site.plan;
  const { devices, asked, early, ...replay } = traceRows(workload, {
    machine: site.machine,
    layout,
    devices: new Map(server.imported.state.devices.map((device) => [device.name, device])),
    closedLoop,
    start,
    samePlaces: site.changed.length === 0,
  });
  const plan = planOf(site, replay);
  const record = await threads.run(plan, { shards });
  const placed = (rows: readonly AskedRow[]) => replayPlacements(plan, rows, record);
  const placements = placed(
    requests.map(({ device, size, gfp }, i): AskedRow => {
      const node = Nid(devices.get(device)?.node ?? -1);
      // What the kernel does for itself is seen as a cma_alloc(), and nothing else of it.
      const mode = device === '' ? 'raw' : 'coherent';
      return { ...asked[i], device, node, mode, bytes: Bytes(size), gfp };
    }),
  );
  const compare = { workload, layout, start, requests, placements, devices, closedLoop };
  const directory = areaDirectory(layout);
  const comparison = compareRequests({
    ...compare,
    changed: site.changed,
    nodeOfPfn: (pfn) => pageToNid(directory, pfn),
  });
  const kernel = { device: '', node: Nid(-1), mode: 'raw', gfp: '' } as const;
  const { zones, areas, findings, fingerprint, events } = record;
  return {
    ...{ name, files: workload.files, site, start, requests, placements, devices },
    early: placed(
      early.map(({ bytes, ...row }): AskedRow => ({ ...row, ...kernel, bytes: Bytes(bytes) })),
    ),
    ...{ zones, areas, findings },
    comparison,
    drawing: firstDrawing(compare, comparison),
    notes: [...workload.notes, ...site.notes, ...server.imported.warnings, ...orderNote(workload)],
    fingerprint,
    events,
  };
}

function planOf(site: Site, replay: ReplayPlan): Plan {
  // The recording shows what the atomic pools took, or the start state has it.
  return { ...site.plan, ...onlyReplayed, policies: [site.kernel.policy], replay };
}

function orderNote({ clock }: Workload): string[] {
  if (clock !== 'ticks') return [];
  return ['the clock has no unit: requests are issued one after the other, in the recorded order'];
}

/** The first difference that has a place in an area on either side. */
function firstDrawing(
  input: Pick<CompareInput, 'layout' | 'workload' | 'start' | 'placements' | 'requests'>,
  { differences }: RequestComparison,
): Drawing | null {
  for (const { index, expected, actual } of differences) {
    const named = (name: string) =>
      input.layout.areas.find((area) => area.name === name && area.count > 0);
    const area = named(expected.source) ?? named(actual.source);
    if (area === undefined) continue;
    const request = input.requests[index];
    const attempt = request.attempts.find((one) => one.area === area.name);
    const isTheirs = expected.source === area.name && attempt !== undefined;
    return draw({
      ...input,
      area,
      start: input.start.find(({ name }) => name === area.name),
      at: attempt?.start ?? request.start,
      expected: isTheirs ? [expected.pfn, attempt.count] : null,
      index,
    });
  }
  return null;
}
