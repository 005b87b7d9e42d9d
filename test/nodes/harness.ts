/** A small machine, and operations on it in the words of the recordings, run on one shard in this thread. */

import type { Plan } from '#cmasim/nodes/plan.js';
import build, { type ShardResult } from '#cmasim/nodes/shard.js';
import { compareRows, type RowComparison } from '#cmasim/replay/compareRows.js';
import { type OperationFile, readOperations } from '#cmasim/replay/operationFile.js';
import { replayPlan } from '#cmasim/replay/replay.js';
import { Loop } from '#cmasim/sim/loop.js';

export interface TestArea {
  readonly name: string;
  readonly nid: number;
  /** Pages. */
  readonly count: number;
}

const NODE_PAGES = 65536;

/**
 * Text of an operation file: `nodes` nodes of 256 MiB, areas laid one after the other from 16 MiB into their
 * node, the one named `reserved` being the default.
 */
export function operationText(
  nodes: number,
  areas: readonly TestArea[],
  rows: readonly unknown[],
): string {
  const next = new Map<number, number>();
  const laid = areas.map((area, index) => {
    const base = next.get(area.nid) ?? area.nid * NODE_PAGES + 4096;
    next.set(area.nid, base + area.count);
    const { name, count, nid } = area;
    return { index, name, base_pfn: base, count, order_per_bit: 0, nid, zone: 'DMA32' };
  });
  const ids = Array.from({ length: nodes }, (_, nid) => nid);
  const meta = {
    type: 'meta',
    name: 'test',
    config: {
      page_shift: 12,
      max_numnodes: 64,
      max_page_order: 10,
      pageblock_order: 9,
      cma_alignment: 8,
    },
  };
  const boot = {
    log: [],
    post: {
      memory: ids.map((nid) => [nid * NODE_PAGES * 4096, NODE_PAGES * 4096, nid]),
      reserved: [],
    },
  };
  const cma = (nid: number): number =>
    laid.filter((area) => area.nid === nid).reduce((sum, area) => sum + area.count, 0);
  const layout = {
    areas: laid,
    default: laid.findIndex((area) => area.name === 'reserved'),
    cpus: ids.map((nid) => ({ cpu: nid, node: nid, mem_node: nid })),
    nodes: ids.map((nid) => ({
      nid,
      online: 1,
      has_memory: 1,
      zones: [
        {
          name: 'DMA32',
          start_pfn: nid * NODE_PAGES,
          spanned: NODE_PAGES,
          present: NODE_PAGES,
          managed: NODE_PAGES,
          free: NODE_PAGES,
          free_cma: cma(nid),
        },
      ],
    })),
    zonelist: Object.fromEntries(
      ids.map((nid) => [nid, ids.map((i) => [(nid + i) % nodes, 'DMA32'])]),
    ),
  };
  return [meta, boot, layout, ...rows].map((line) => JSON.stringify(line)).join('\n');
}

export interface Replayed {
  readonly file: OperationFile;
  readonly result: ShardResult;
  readonly comparison: RowComparison;
  readonly fingerprint: string;
  readonly loop: Loop;
}

/** Runs a plan on one shard in this thread. */
export async function runInline(plan: Plan): Promise<{ result: ShardResult; loop: Loop }> {
  const model = await build(plan, { index: 0, count: 1, owns: () => true });
  const loop = new Loop({ ...model });
  loop.start(model);
  loop.run();
  return { result: model.finish(loop) as ShardResult, loop };
}

export async function replayInline(text: string, change: Partial<Plan> = {}): Promise<Replayed> {
  const file = readOperations('test.jsonl', text);
  const { result, loop } = await runInline({ ...replayPlan(file), ...change });
  const record = { observed: [result.observed], outcomes: result.outcomes! };
  return {
    file,
    result,
    loop,
    comparison: compareRows(file, record),
    fingerprint: JSON.stringify(loop.fingerprint()),
  };
}
