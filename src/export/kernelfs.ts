/**
 * The files a kernel would show when the run has ended: sysfs and debugfs of its areas, buddyinfo,
 * the SLIT, the command line, and its log in its own words.
 *
 * Which files there are is a column of release.ts. Left out: everything that CMA has no part in.
 */
import { bitmapRanges, bitmapTest } from '../mm/alloc/bitmap.js';
import type { AreaLayout } from '../mm/layout.js';
import { fillMessage } from '../mm/release.js';
import { type AreaCounter, areaCounters } from './areacounter.js';
import { areaChanges, type ExportRun } from './run.js';

export interface KernelFile {
  readonly path: string;
  readonly text: string;
}

export function kernelFiles(run: ExportRun): KernelFile[] {
  const counters = areaCounters(run);
  for (const change of areaChanges(run)) counters[change.area].apply(change);
  return [
    ...counters.flatMap((counter) => [...sysfs(run, counter), ...debugfs(counter)]),
    { path: 'proc/buddyinfo', text: buddyinfo(run, counters) },
    { path: 'proc/cmdline', text: `${run.cmdline}\n` },
    { path: 'dmesg.txt', text: kernelLog(run) },
    ...nodeFiles(run),
  ];
}

/** Pages of an area by what became of its requests. */
function counts(run: ExportRun, { name }: AreaLayout) {
  let success = 0;
  let fail = 0;
  let released = 0;
  for (const { attempts, freed } of run.placements) {
    for (const tried of attempts) {
      if (tried.area !== name) continue;
      if (tried.err === 0) success += tried.count;
      else if (tried.err < 0) fail += tried.count;
      const isBack = tried.err === 0 && (tried.givenBack || freed < Number.POSITIVE_INFINITY);
      if (isBack) released += tried.count;
    }
  }
  return { success, fail, released };
}

function sysfs(run: ExportRun, counter: AreaCounter): KernelFile[] {
  const { area, used } = counter;
  const { success, fail, released } = counts(run, area);
  const values: Readonly<Record<string, number>> = {
    alloc_pages_success: success,
    alloc_pages_fail: fail,
    release_pages_success: released,
    total_pages: area.count,
    available_pages: area.count - used,
  };
  return run.release.counters
    .filter((name) => name in values)
    .map((name) => ({ path: `sys/kernel/mm/cma/${area.name}/${name}`, text: `${values[name]}\n` }));
}

function debugfs(counter: AreaCounter): KernelFile[] {
  const { area, used, maxchunk } = counter;
  const values: Readonly<Record<string, string | number>> = {
    base_pfn: area.basePfn,
    count: area.count,
    order_per_bit: area.orderPerBit,
    used,
    maxchunk,
    bitmap: words(counter).join(' '),
  };
  return Object.entries(values).map(([name, value]) => {
    return { path: `sys/kernel/debug/cma/${area.name}/${name}`, text: `${value}\n` };
  });
}

/** The bitmap as debugfs prints it: words of 32 bits, lowest bit first. */
function words({ bitmap }: AreaCounter): number[] {
  const list: number[] = [];
  for (let bit = 0; bit < bitmap.size; bit += 32) {
    let word = 0;
    for (let i = 0; i < 32 && bit + i < bitmap.size; i++) {
      if (bitmapTest(bitmap, bit + i) === 1) word |= 1 << i;
    }
    list.push(word >>> 0);
  }
  return list;
}

/** Free blocks per zone and order; the free pages of areas are in the buddy too. */
function buddyinfo({ zones, layout }: ExportRun, counters: readonly AreaCounter[]): string {
  const order = ['DMA', 'DMA32', 'Normal', 'Movable'];
  const rows = [...zones].sort(
    (a, b) => a.nid - b.nid || order.indexOf(a.zone) - order.indexOf(b.zone),
  );
  const lines = rows.map(({ nid, zone, blocks }) => {
    const all = [...blocks];
    for (const counter of counters) {
      if (counter.area.nid !== nid || counter.area.zone !== zone) continue;
      for (const each of freeBlocks(counter, layout.maxPageOrder)) all[each] += 1;
    }
    const columns = all.map((count) => String(count).padStart(6)).join(' ');
    return `Node ${nid}, zone ${zone.padStart(8)} ${columns} `;
  });
  return `${lines.join('\n')}\n`;
}

/** Orders of the blocks into which the free runs of an area fall, largest aligned first. */
function* freeBlocks({ area, bitmap }: AreaCounter, maxOrder: number): Generator<number> {
  const used = bitmapRanges(bitmap);
  let page = area.basePfn;
  const end = area.basePfn + area.count;
  for (const [first, bits] of [...used, [bitmap.size, 0] as const]) {
    const stop = Math.min(end, area.basePfn + first * 2 ** area.orderPerBit);
    while (page < stop) {
      let order = maxOrder;
      while (page % 2 ** order !== 0 || page + 2 ** order > stop) order--;
      yield order;
      page += 2 ** order;
    }
    page = Math.max(page, area.basePfn + (first + bits) * 2 ** area.orderPerBit);
  }
}

/** Boot messages, then one line for every cma_alloc() that failed, as the release words it. */
function kernelLog(run: ExportRun): string {
  const { bootLog, placements, release } = run;
  const lines = [...memoryMap(run), ...bootLog].map((line) => stamped(0, line));
  const failures = placements
    .flatMap(({ attempts }) => attempts)
    .filter(({ err }) => err < 0)
    .sort((a, b) => a.end - b.end);
  for (const { area, count, err, end } of failures) {
    const fields = { name: area, count, ret: err };
    lines.push(stamped(end, fillMessage(release.messages.allocFailed, fields)));
  }
  return `${lines.join('\n')}\n`;
}

/** What a reader of the log needs to know which addresses are whose. */
function memoryMap({ machine, release, cmdline }: ExportRun): string[] {
  const arch = machine.arch === 'x86' ? 'x86_64' : 'aarch64';
  const address = (bytes: number) => `0x${bytes.toString(16).padStart(16, '0')}`;
  const ranges = machine.nodes
    .flatMap(({ nid, memory }) => memory.map(([start, end]) => ({ nid, start, end })))
    .sort((a, b) => a.start - b.start);
  return [
    `Linux version ${release.id} (cmasim) ${arch}`,
    `Command line: ${cmdline}`,
    'Early memory node ranges',
    ...ranges.map(({ nid, start, end }) => {
      return `  node ${String(nid).padStart(3)}: [mem ${address(start)}-${address(end - 1)}]`;
    }),
  ];
}

function stamped(ns: number, line: string): string {
  const micros = Math.floor(ns / 1_000);
  const rest = String(micros % 1e6).padStart(6, '0');
  return `[${String(Math.floor(micros / 1e6)).padStart(5)}.${rest}] ${line}`;
}

function nodeFiles({ machine }: ExportRun): KernelFile[] {
  let cpu = 0;
  return machine.nodes.flatMap(({ nid, cpus, memory }, i): KernelFile[] => {
    const root = `sys/devices/system/node/node${nid}`;
    const list = cpus === 0 ? '' : cpus === 1 ? `${cpu}` : `${cpu}-${cpu + cpus - 1}`;
    cpu += cpus;
    const kib = memory.reduce((sum, [start, end]) => sum + end - start, 0) / 1_024;
    const meminfo = `Node ${nid} MemTotal:       ${String(kib).padStart(8)} kB\n`;
    const files = [
      { path: `${root}/cpulist`, text: `${list}\n` },
      { path: `${root}/meminfo`, text: meminfo },
    ];
    const row = machine.distance[i];
    if (row === undefined) return files;
    return [...files, { path: `${root}/distance`, text: `${row.join(' ')}\n` }];
  });
}
