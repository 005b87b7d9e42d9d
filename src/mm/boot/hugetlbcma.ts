/**
 * hugetlb_cma=: areas for gigantic pages, which take slots and memory before or after the DMA
 * areas.
 *
 * Models hugetlb_cma_reserve() of mm/hugetlb.c (mm/hugetlb_cma.c from v6.15 on). Left out: what is
 * allocated from them, hugetlb_cma_only=.
 */

import type { CmaBoot, Declared } from './declare.js';
import { cmaDeclareContiguousMulti, cmaDeclareContiguousNid, errnoNumbers } from './declare.js';
import type { BootParameters } from './parameters.js';

/** One node's turn. */
export interface HugetlbTurn {
  readonly nid: number;
  readonly name: string;
  /** Bytes, rounded up to gigantic pages. */
  readonly size: number;
  readonly declared: Declared;
}

interface Wanted {
  readonly total: number;
  /** Empty: `total` is spread over the nodes. */
  readonly byNode: ReadonlyMap<number, number>;
}

const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);

/**
 * What is left of the request when nodes that are offline or asked for too little are taken out.
 */
function validate(boot: CmaBoot, p: BootParameters, online: readonly number[]): Wanted {
  const unit = boot.geometry.pageSize * 2 ** boot.geometry.giganticPageOrder;
  let total = p.hugetlbSize;
  const byNode = new Map<number, number>();
  for (const nid of [...p.hugetlbByNode.keys()].sort((a, b) => a - b)) {
    const size = p.hugetlbByNode.get(nid)!;
    if (size === 0) continue;
    if (online.includes(nid) && size >= unit) {
      byNode.set(nid, size);
      continue;
    }
    boot.log.push(
      online.includes(nid)
        ? `hugetlb_cma: cma area of node ${nid} should be at least ${mib(unit)} MiB`
        : `hugetlb_cma: invalid node ${nid} specified`,
    );
    total -= size;
  }
  if (total > 0 && total < unit) {
    boot.log.push(`hugetlb_cma: cma area should be at least ${mib(unit)} MiB`);
    total = 0;
  }
  return { total: Math.max(0, total), byNode };
}

/** hugetlb_cma_reserve(); `online` in ascending order. */
export function hugetlbCmaReserve(
  boot: CmaBoot,
  parameters: BootParameters,
  online: readonly number[],
): HugetlbTurn[] {
  if (parameters.hugetlbSize === 0) return [];
  const { hugetlb } = boot.release;
  const { pageSize, giganticPageOrder, hugePageOrder } = boot.geometry;
  const unit = pageSize * 2 ** giganticPageOrder;
  const { total, byNode } = validate(boot, parameters, online);
  if (total === 0) return [];
  const perNode = Math.ceil(total / online.length);
  if (byNode.size === 0) {
    const most = `up to ${mib(perNode)} MiB per node`;
    boot.log.push(`hugetlb_cma: reserve ${mib(total)} MiB, ${most}`);
  }
  const turns: HugetlbTurn[] = [];
  let reserved = 0;
  for (const nid of online) {
    const wanted = byNode.size > 0 ? (byNode.get(nid) ?? 0) : Math.min(perNode, total - reserved);
    if (wanted === 0) continue;
    const size = Math.ceil(wanted / unit) * unit;
    const name = hugetlb.name.replace('%d', String(nid));
    const declare = hugetlb.multiRange ? cmaDeclareContiguousMulti : cmaDeclareContiguousNid;
    const declared = declare(boot, {
      name,
      size,
      base: 0,
      limit: 0,
      alignment: hugetlb.alignment === 'gigantic' ? unit : pageSize * 2 ** hugePageOrder,
      orderPerBit: hugetlb.perBit === 'huge' ? hugePageOrder : 0,
      fixed: false,
      nid,
    });
    turns.push({ nid, name, size, declared });
    if (declared.errno !== null) {
      const err = errnoNumbers[declared.errno];
      boot.log.push(`hugetlb_cma: reservation failed: err ${err}, node ${nid}`);
      continue;
    }
    reserved += size;
    boot.log.push(`hugetlb_cma: reserved ${mib(size)} MiB on node ${nid}`);
    if (reserved >= total) break;
  }
  return turns;
}
