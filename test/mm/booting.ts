/** Boots for tests: a machine of a few ranges, and areas as a person would write them down. */

import { machineBoot } from '#cmasim/boot/input.js';
import type { Machine } from '#cmasim/machine/machine.js';
import { type BootReport, boot } from '#cmasim/mm/boot/boot.js';
import { kernelOf } from '#cmasim/mm/release.js';

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;

export interface MachineUnderTest {
  readonly arch?: 'arm64' | 'x86';
  readonly pageSize?: number;
  /** Per node: ranges [start, end) in bytes. */
  readonly nodes: readonly (readonly (readonly [number, number])[])[];
  readonly reserved?: readonly (readonly [number, number])[];
}

export function machineUnderTest(m: MachineUnderTest): Machine {
  const size = m.nodes.length;
  const square = (local: number, other: number) =>
    m.nodes.map((_, a) => m.nodes.map((__, b) => (a === b ? local : other)));
  return {
    name: 'test',
    arch: m.arch ?? 'arm64',
    pageSize: m.pageSize ?? 4096,
    nodes: m.nodes.map((memory, nid) => ({ nid, cpus: 1, memory, online: true })),
    distance: square(10, 20),
    latency: square(100, 200),
    onDie: 60,
    bandwidth: new Array<number>(size).fill(50),
    linkBandwidth: new Array<number>(size).fill(25),
    chassis: new Array<number>(size).fill(0),
    parameters: [],
    reserved: m.reserved ?? [],
    cost: {},
  };
}

/** Four nodes of 8 GiB, node 0 with 2 GiB below 4 GiB: a server as the patches were written for. */
export const server: MachineUnderTest = {
  nodes: [
    [
      [0, 2 * GiB],
      [8 * GiB, 14 * GiB],
    ],
    [[16 * GiB, 24 * GiB]],
    [[24 * GiB, 32 * GiB]],
    [[32 * GiB, 40 * GiB]],
  ],
};

export function bootUnder(
  kernel: string,
  machine: MachineUnderTest,
  cmdline: string,
  config: Readonly<Record<string, unknown>> = {},
): BootReport {
  const known = kernelOf(kernel);
  const needed = known.reservation.kconfig === null ? {} : { [known.reservation.kconfig]: 'y' };
  const given = { CMA_SIZE_MBYTES: 0, ...needed, ...config };
  return boot(machineBoot(machineUnderTest(machine), known, { cmdline, config: given }).input);
}

/** `numa1: 16 MiB on 1 at 16384 MiB` for every area that exists. */
export function draw(report: BootReport): string[] {
  return report.areas.map(({ name, count, nid, basePfn }) => {
    const { pageSize } = report.geometry;
    const mib = (pages: number) => (pages * pageSize) / MiB;
    return `${name}: ${mib(count)} MiB on ${nid} at ${mib(basePfn)} MiB`;
  });
}

/** The sentence about one area. */
export function sentence(report: BootReport, name: string): string {
  return report.requests.find((r) => r.name === name)?.sentence ?? 'never asked for';
}
