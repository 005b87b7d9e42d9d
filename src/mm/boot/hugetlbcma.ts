/**
 * hugetlb_cma=: areas for gigantic pages, which take slots and memory before or after the DMA
 * areas.
 *
 * Models hugetlb_cma_reserve() of mm/hugetlb.c (mm/hugetlb_cma.c from v6.15 on). Left out: what is
 * allocated from them, hugetlb_cma_only=.
 */

import { NUMA_NO_NODE } from '../units.js';
import { addSentence, answered } from './areaRequest.js';
import {
  anywhereOn,
  cmaDeclareContiguousMulti,
  cmaDeclareContiguousNid,
  errnoNumbers,
  mib,
} from './declare.js';
import type { Boot } from './state.js';

interface Wanted {
  readonly total: number;
  /** Empty: `total` is spread over the nodes. */
  readonly byNode: ReadonlyMap<number, number>;
}

/**
 * What is left of the request when nodes that are offline or asked for too little are taken out.
 */
function validate({ geometry, input, online, log }: Boot): Wanted {
  const p = input.parameters;
  const unit = geometry.pageSize * 2 ** geometry.giganticPageOrder;
  let total = p.hugetlbSize;
  const byNode = new Map<number, number>();
  for (const nid of [...p.hugetlbByNode.keys()].sort((a, b) => a - b)) {
    const size = p.hugetlbByNode.get(nid)!;
    if (size === 0) continue;
    if (online.includes(nid) && size >= unit) {
      byNode.set(nid, size);
      continue;
    }
    log.push(
      online.includes(nid)
        ? `hugetlb_cma: cma area of node ${nid} should be at least ${mib(unit)} MiB`
        : `hugetlb_cma: invalid node ${nid} specified`,
    );
    total -= size;
  }
  if (total > 0 && total < unit) {
    log.push(`hugetlb_cma: cma area should be at least ${mib(unit)} MiB`);
    total = 0;
  }
  return { total: Math.max(0, total), byNode };
}

/** hugetlb_cma_reserve(), on the nodes that are online. */
export function hugetlbCmaReserve(boot: Boot): void {
  const { online, log, input } = boot;
  const { hugetlb } = boot.release;
  const isCalled = input.arch === 'x86' || hugetlb.arm64PageSizes.includes(input.pageSize);
  if (!isCalled || !input.config.HUGETLB_PAGE || input.parameters.hugetlbSize === 0) return;
  const { pageSize, giganticPageOrder, hugePageOrder } = boot.geometry;
  const unit = pageSize * 2 ** giganticPageOrder;
  const { total, byNode } = validate(boot);
  if (total === 0) return;
  const perNode = Math.ceil(total / online.length);
  if (byNode.size === 0) {
    const most = `up to ${mib(perNode)} MiB per node`;
    log.push(`hugetlb_cma: reserve ${mib(total)} MiB, ${most}`);
  }
  const knowsNodes = boot.memblock.memory.some((r) => r.nid !== NUMA_NO_NODE);
  const declare = hugetlb.multiRange ? cmaDeclareContiguousMulti : cmaDeclareContiguousNid;
  let reserved = 0;
  for (const nid of online) {
    const wanted = byNode.size > 0 ? (byNode.get(nid) ?? 0) : Math.min(perNode, total - reserved);
    if (wanted === 0) continue;
    const size = Math.ceil(wanted / unit) * unit;
    const area = anywhereOn(nid, { name: hugetlb.name.replace('%d', String(nid)), size });
    const declared = declare(boot, {
      ...area,
      alignment: hugetlb.alignment === 'gigantic' ? unit : pageSize * 2 ** hugePageOrder,
      orderPerBit: hugetlb.perBit === 'huge' ? hugePageOrder : 0,
    });
    const request = answered(boot, area, declared, { role: 'hugetlb', asked: size });
    if (!knowsNodes) {
      addSentence(request, 'asked before the nodes are known: all of it is filed under node 0');
    }
    if (declared.errno !== null) {
      const err = errnoNumbers[declared.errno];
      log.push(`hugetlb_cma: reservation failed: err ${err}, node ${nid}`);
      continue;
    }
    reserved += size;
    log.push(`hugetlb_cma: reserved ${mib(size)} MiB on node ${nid}`);
    if (reserved >= total) break;
  }
}
