/**
 * Replays an operation file through the actors of a run, on the machine and areas that the file describes.
 */

import type { Machine } from '../machine/machine.js';
import { kernelOf } from '../mm/release.js';
import { groupsOf, type Plan } from '../nodes/plan.js';
import { releaseRules } from '../nodes/rules.js';
import type { ShardResult } from '../nodes/shard.js';
import { ShardPool } from '../run/shards.js';
import { readWhole } from '../trace/read/whole.js';
import { type Comparison, compareReplay } from './compare.js';
import { type OperationFile, readOperations } from './ops.js';

/** Rows that the policies a recording names stand for: `m` is the release's own. */
export interface ReplayKernel {
  /** Id of a release; recordings without one are of 6.12. */
  readonly release: string;
}

const DEFAULT_KERNEL: ReplayKernel = { release: '6.12' };

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

export function replayPlan(file: OperationFile, kernel: ReplayKernel = DEFAULT_KERNEL): Plan {
  const { release, policy } = kernelOf(kernel.release);
  const rows = { m: policy, v: kernelOf('v2').policy, p: kernelOf('pre').policy };
  return {
    seed: 1,
    machine: anyMachine(file),
    layout: file.layout,
    limits: x86Limits,
    rules: releaseRules(release, file.layout),
    policies: [rows.m, rows.v, rows.p],
    cost: {},
    watermarks: {
      minFreeKbytesMax: release.minFreeKbytesMax,
      transparentHugepage: false,
      watermarkScaleFactor: 10,
    },
    atomicPools: [],
    dmaCma: true,
    devices: [],
    declarations: [],
    interpreted: false,
    timeline: [],
    pressure: [],
    replay: { operations: file.operations, cpuNode: file.cpuNode },
    observe: { requests: [], states: [] },
    keepsZones: false,
    checks: false,
  };
}

export interface ReplayOptions extends Partial<ReplayKernel> {
  /** Parts the machine is cut into; never changes a result. Default 1: operations come one by one. */
  readonly shards?: number;
  /** Run in the calling thread, which is then busy until the end. */
  readonly inline?: boolean;
  readonly signal?: AbortSignal;
}

export interface Replay extends Comparison {
  readonly fingerprint: string;
  readonly events: number;
  /** Wall clock of the event loop, without start-up, in ms. */
  readonly loopMs: number;
}

const modelModule = new URL('../nodes/shard.js', import.meta.url);

/** Replays operation files one after the other on threads that stay warm. */
export class Replayer {
  readonly #pool = new ShardPool();

  /**
   * Replays one file (`-`: standard input; gzip is recognised) and holds every result against it.
   * @throws InputError naming file, line and column of what cannot be read.
   */
  async replay(path: string, options: ReplayOptions = {}): Promise<Replay> {
    return this.replayText(path, await readWhole(path), options);
  }

  /** The same for the text of a file that has been read. */
  async replayText(path: string, text: string, options: ReplayOptions = {}): Promise<Replay> {
    const file = readOperations(path, text);
    const plan = replayPlan(file, { release: options.release ?? DEFAULT_KERNEL.release });
    const outcome = await this.#pool.run({
      module: modelModule,
      plan,
      groups: groupsOf(plan),
      until: Number.POSITIVE_INFINITY,
      shards: options.shards ?? 1,
      inline: options.inline ?? false,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const results = outcome.results as ShardResult[];
    const outcomes = results.find((result) => result.outcomes !== null)!.outcomes!;
    const observed = results.map((result) => result.observed);
    const { fingerprint, events, loopMs } = outcome;
    return { ...compareReplay(file, { observed, outcomes }), fingerprint, events, loopMs };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

/** Replays one operation file and holds every result against what the recorded kernel did. */
export async function replay(path: string, options: ReplayOptions = {}): Promise<Replay> {
  const replayer = new Replayer();
  try {
    return await replayer.replay(path, options);
  } finally {
    await replayer.close();
  }
}
