/**
 * Replays an operation file through the actors of a run, on the machine and areas that the file
 * describes.
 */

import { recordedRelease } from '../boot/check.js';
import type { Machine } from '../machine/machine.js';
import { kernelOf } from '../mm/release.js';
import type { Plan } from '../nodes/plan.js';
import { releaseRules } from '../nodes/rules.js';
import type { RunOutcome } from '../run/outcome.js';
import { readWhole } from '../trace/read/whole.js';
import { compareRows, type RowComparison } from './compareRows.js';
import { type OperationFile, readOperations } from './operationFile.js';
import { onlyReplayed, ReplayThreads, type ThreadOptions } from './threads.js';

/** Zones of an x86 machine: the recordings' kernels have both small ones. Bytes, inclusive. */
const x86Limits = { dma: 2 ** 24 - 1, dma32: 2 ** 32 - 1 };

/** Times of a replay run and are not compared: any machine of as many nodes will do. */
function anyMachine(file: OperationFile): Machine {
  const { nodes, pageShift } = file.layout;
  const all = nodes.map((_, position) => position);
  return {
    name: `${nodes.length} recorded nodes`,
    arch: 'x86',
    pageSize: 2 ** pageShift,
    nodes: nodes.map(({ nid, online }) => ({ nid, cpus: 1, memory: [], online })),
    distance: all.map((a) => all.map((b) => (a === b ? 10 : 20))),
    latency: all.map((a) => all.map((b) => (a === b ? 90 : 140))),
    onDie: 60,
    bandwidth: all.map(() => 50),
    linkBandwidth: all.map(() => 25),
    chassis: all,
    parameters: [],
    reserved: [],
    cost: {},
  };
}

/** The plan of an operation file, on a release that its recorded policy `m` stands for. */
export function replayPlan(file: OperationFile, id = recordedRelease): Plan {
  const { release, policy } = kernelOf(id);
  return {
    ...onlyReplayed,
    machine: anyMachine(file),
    layout: file.layout,
    limits: x86Limits,
    rules: releaseRules(release, file.layout),
    // In the order of recordedPolicies.
    policies: [policy, kernelOf('v2').policy, kernelOf('pre').policy],
    watermarks: {
      minFreeKbytesMax: release.minFreeKbytesMax,
      transparentHugepage: false,
      watermarkScaleFactor: 10,
    },
    dmaCma: true,
    keepsZones: false,
    replay: { operations: file.operations, cpuNode: file.cpuNode, held: [] },
  };
}

export interface ReplayOptions extends ThreadOptions {
  /** Id of a release; recordings that name none are of 6.12. */
  readonly release?: string;
}

export interface Replay
  extends RowComparison,
    Pick<RunOutcome, 'fingerprint' | 'events' | 'loopMs'> {}

/**
 * Replays the text of an operation file and holds every result against it.
 * @throws InputError naming file, line and column of what cannot be read.
 */
export async function replayOperations(
  threads: ReplayThreads,
  { name, text }: { name: string; text: string },
  { release, ...options }: ReplayOptions,
): Promise<Replay> {
  const file = readOperations(name, text);
  const record = await threads.run(replayPlan(file, release), options);
  const { fingerprint, events, loopMs } = record;
  return { ...compareRows(file, record), fingerprint, events, loopMs };
}

/**
 * Replays one operation file (`-`: standard input; gzip is recognised) and holds every result
 * against what the recorded kernel did.
 * @throws InputError naming file, line and column of what cannot be read.
 */
export async function replay(path: string, options: ReplayOptions = {}): Promise<Replay> {
  const threads = new ReplayThreads();
  try {
    return await replayOperations(threads, { name: path, text: await readWhole(path) }, options);
  } finally {
    await threads.close();
  }
}
