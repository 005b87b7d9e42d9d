/** Runs in the formats of other tools: what our readers make of them is the run again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, describe, expect, test } from 'vitest';
import { exportOfReplay, exportOfRun } from '#cmasim/export/exportRun.js';
import { ftraceText } from '#cmasim/export/ftrace.js';
import { kernelFiles } from '#cmasim/export/kernelfs.js';
import { perfettoLines } from '#cmasim/export/perfetto.js';
import { areaChanges, type ExportRun } from '#cmasim/export/run.js';
import { writeTables } from '#cmasim/export/tables.js';
import { importMachine } from '#cmasim/machine/import/build.js';
import { ReplayThreads } from '#cmasim/replay/threads.js';
import { replayTrace } from '#cmasim/replay/traceReplay.js';
import { readWorkload } from '#cmasim/replay/workload.js';
import type { Placement, Tried } from '#cmasim/run/placement.js';
import { runPlacements } from '#cmasim/run/placements.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import type { CmaAttempt, DmaRequest } from '#cmasim/trace/join/request.js';
import { cases } from '../cases.js';
import { recordingOf } from '../trace/servers.js';

const folder = mkdtempSync(join(tmpdir(), 'cmasim-export-'));
const threads = new ReplayThreads();
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await threads.close();
});

async function readBack(run: ExportRun): Promise<DmaRequest[]> {
  const file = join(folder, 'run.trace');
  writeFileSync(file, ftraceText(run));
  const pageShift = Math.log2(run.machine.pageSize);
  const { steps } = await readWorkload([file], { pageShift });
  return steps.flatMap((step) => (step.kind === 'alloc' ? [step.request] : []));
}

const sameKey = (text: readonly unknown[]) => JSON.stringify(text);
const asked = ({ device, bytes, source, pfn, attempts }: Placement) =>
  sameKey([device, bytes, source, source === 'buddy' ? -1 : pfn, attempts.map(tried)]);
const tried = ({ area, count, align, err, pfn, givenBack }: Tried) => [
  area,
  count,
  align,
  err,
  pfn,
  givenBack,
];
const read = ({ device, size, source, pfn, attempts }: DmaRequest) =>
  sameKey([device, size, source, pfn, attempts.map(again)]);
const again = ({ area, count, align, errno, pfn, givenBack }: CmaAttempt) => [
  area,
  count,
  align,
  errno,
  pfn,
  givenBack,
];

describe('ftrace text of a replay reads back as the same requests', () => {
  test.each(['x86-7.2-exhaust', 'x86-7.2-life', 'x86-7.2-direct', 'arm64-6.12-smmuv3-pt'])(
    '%s',
    async (name) => {
      const run = exportOfReplay(await replayTrace(threads, await recordingOf(name)));
      const back = await readBack(run);
      expect(back.map(read).sort()).toEqual(run.placements.map(asked).sort());
    },
  );
  test('and replays as before on the same server', async () => {
    const recording = await recordingOf('x86-7.2-exhaust');
    const run = exportOfReplay(await replayTrace(threads, recording));
    const file = join(folder, 'again.trace');
    writeFileSync(file, ftraceText(run));
    const { readRecording } = await import('#cmasim/replay/traceReplay.js');
    const second = await replayTrace(
      threads,
      await readRecording('again', [file], recording.server),
    );
    expect(second.comparison.differences).toEqual([]);
    expect(second.comparison.requests).toBe(run.placements.length);
  });
});

const scenario = fc.record({
  kernel: fc.constantFrom('6.12', '7.2'),
  nodes: fc.integer({ min: 1, max: 3 }),
  pernuma: fc.constantFrom(0, 2, 4),
  smmus: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 1, max: 1_000 }),
});

test('ftrace text of any scenario reads back as the same requests', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ kernel, nodes, pernuma, smmus, seed }) => {
      const text = [
        `kernel: "${kernel}"`,
        'config: { DMA_NUMA_CMA: y }',
        `machine: { nodes: ${nodes}, memory: 512M }`,
        `cmdline: cma=4M cma_pernuma=${pernuma}M`,
        `devices: { s: { kind: smmuv3, node: ${nodes - 1}, pri: false, count: ${smmus} } }`,
        `seed: ${seed}`,
        'stop: 5ms',
      ].join('\n');
      const run = exportOfRun(await runPlacements(parseScenario(text, 'any')[0]));
      const whole = run.placements.filter(({ settled }) => !Number.isNaN(settled));
      const back = (await readBack(run)).filter(({ device }) => device !== '');
      expect(back.map(read).sort()).toEqual(whole.map(asked).sort());
    }),
    cases(6),
  );
}, 120_000);

describe('dma events are of what a driver calls as dma_alloc_*()', () => {
  const eventsOf = async (device: object) => {
    const text = JSON.stringify({
      kernel: '7.2',
      machine: { nodes: 1, memory: '8G', cpus: 2 },
      cmdline: 'cma=16M',
      devices: { d: { node: 0, ...device } },
      stop: '20ms',
    });
    const run = exportOfRun(await runPlacements(parseScenario(text, 'any')[0]));
    const names = ftraceText(run).matchAll(/: (cma_\w+|dma_\w+): /g);
    const slices = [...perfettoLines(run)].join('').matchAll(/"name":"(cma_alloc|dma_alloc) \d+"/g);
    return { run, events: new Set([...names].map(([, name]) => name)), slices };
  };
  test('a coherent allocation has them', async () => {
    const { run, events } = await eventsOf({ kind: 'allocator' });
    expect(run.placements.map(({ mode }) => mode)).toEqual(['coherent']);
    expect(events).toContain('dma_alloc');
    expect(events).toContain('dma_free');
  });
  test('so has one that an IOMMU translates', async () => {
    const { events } = await eventsOf({ kind: 'allocator', iommu: 'translated' });
    expect(events).toEqual(new Set(['dma_alloc', 'dma_free']));
  });
  test('cma_alloc() itself has cma events only, and its size in bytes', async () => {
    const { run, events, slices } = await eventsOf({ kind: 'allocator', mode: 'cma' });
    expect(events).toEqual(new Set(['cma_alloc_start', 'cma_alloc_finish', 'cma_release']));
    expect(run.placements.map(({ bytes }) => bytes)).toEqual([65_536]);
    expect([...slices].map(([, name]) => name)).toEqual(['cma_alloc', 'cma_alloc']);
  });
  test('alloc_pages() has none', async () => {
    const { events } = await eventsOf({ kind: 'allocator', mode: 'pages' });
    expect(events).toEqual(new Set());
  });
  test('page pools have none: a NIC makes as many dma_alloc as coherent calls', async () => {
    const { run } = await eventsOf({ kind: 'mlx5' });
    const pools = run.placements.filter(({ mode }) => mode === 'bulk').length;
    expect(pools).toBeGreaterThan(0);
    const back = (await readBack(run)).filter(({ device }) => device === 'd');
    expect(back).toHaveLength(run.placements.length - pools);
  });
});

test('kernel files say what the areas hold at the end, and import knows it again', async () => {
  const replay = await replayTrace(threads, await recordingOf('x86-7.2-exhaust'));
  const run = exportOfReplay(replay);
  const files = kernelFiles(run);
  const { state } = importMachine(files, 'again');
  for (const { name, basePfn, count, index } of run.layout.areas) {
    const { used } = replay.areas.find((area) => area.index === index)!;
    expect(state.areas.find((area) => area.name === name)).toMatchObject({ basePfn, count, used });
  }
  const log = files.find(({ path }) => path === 'dmesg.txt')!.text;
  expect(log).toContain(
    'cma: __cma_alloc_frozen: numa1: alloc failed, req-size: 16 pages, ret: -16',
  );
});

test('a Perfetto trace is JSON with a slice, a flow and a counter for what happened', async () => {
  const run = exportOfReplay(await replayTrace(threads, await recordingOf('x86-7.2-exhaust')));
  const { traceEvents } = JSON.parse([...perfettoLines(run)].join('')) as {
    traceEvents: {
      ph: string;
      pid: number;
      tid?: number;
      ts?: number;
      dur?: number;
      id?: number;
    }[];
  };
  const of = (ph: string) => traceEvents.filter((event) => event.ph === ph);
  const attempts = run.placements.reduce((sum, one) => sum + one.attempts.length, 0);
  const buddy = run.placements.filter(({ role }) => role === 'buddy').length;
  expect(of('X')).toHaveLength(run.placements.length + attempts + buddy);
  expect(of('C')).toHaveLength(run.layout.areas.length + areaChanges(run).length);
  expect(new Set(of('s').map(({ id }) => id))).toEqual(new Set(of('f').map(({ id }) => id)));
  const lanes = new Map<string, number>();
  for (const { pid, tid, ts, dur } of of('X').sort((a, b) => a.ts! - b.ts!)) {
    const lane = `${pid} ${tid}`;
    expect(ts! + 1e-6).toBeGreaterThanOrEqual(lanes.get(lane) ?? 0);
    lanes.set(lane, ts! + dur!);
  }
});

test('tables have a row per request and one per change of an area', async () => {
  const run = exportOfReplay(await replayTrace(threads, await recordingOf('x86-7.2-life')));
  await writeTables(folder, run);
  const rows = async (name: string) =>
    await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, name)) });
  const requests = await rows('requests.parquet');
  expect(requests.map(({ served_from: source }) => source)).toEqual(
    run.placements.map(({ source }) => source),
  );
  expect(requests.map(({ pfn }) => pfn)).toEqual(run.placements.map(({ pfn }) => pfn));
  const areas = await rows('areas.parquet');
  expect(areas).toHaveLength(run.layout.areas.length + areaChanges(run).length);
});
