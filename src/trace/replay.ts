/**
 * Replays an operation file through the actors of a run, on the machine and areas that the file describes.
 */

import type { Plan } from '../actors/plan.js';
import type { Machine } from '../machine/machine.js';
import { kernelOf, type Release } from '../mm/release.js';
import type { OperationFile } from './ops.js';

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
    chassis: all,
    parameters: [],
    reserved: [],
    cost: {},
  };
}

/** The columns of a release that actors obey. */
export function releaseRules(release: Release): Plan['rules'] {
  return {
    mutex: release.mutex,
    emptySearchErrno: release.noWindowErrno === 'EBUSY' ? 16 : 12,
    wholeRange: release.releaseTest === 'whole range',
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
    rules: releaseRules(release),
    policies: [rows.m, rows.v, rows.p],
    cost: {},
    watermarks: {
      minFreeKbytesMax: release.minFreeKbytesMax,
      transparentHugepage: false,
      watermarkScaleFactor: 10,
    },
    devices: [],
    interpreted: false,
    timeline: [],
    replay: { operations: file.operations, cpuNode: file.cpuNode },
    keepAttempts: true,
  };
}
