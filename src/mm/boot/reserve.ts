/**
 * The DMA areas: the default one and those of the nodes.
 *
 * Models dma_contiguous_reserve(), dma_pernuma_cma_reserve() and dma_numa_cma_reserve() of
 * kernel/dma/contiguous.c; which of them runs, and when, is a row of reservation.ts.
 */

import { NUMA_NO_NODE } from '../units.js';
import { answered, inBytes, notReserved, passedOver } from './areaRequest.js';
import {
  anywhereOn,
  type CmaDeclaration,
  cmaDeclareContiguousNid,
  errnoNumbers,
} from './declare.js';
import type { Kconfig } from './kconfig.js';
import type { Reservation } from './reservation.js';
import type { AreaRequest, AskedArea, Boot } from './state.js';

const MiB = 2 ** 20;

/** Size of the default area without cma=, in bytes. */
function configuredSize(config: Kconfig, memSize: number, pageSize: number): number {
  const mbytes = config.CMA_SIZE_MBYTES * MiB;
  const totalPages = Math.floor(memSize / pageSize);
  const percent = Math.floor((totalPages * config.CMA_SIZE_PERCENTAGE) / 100) * pageSize;
  switch (config.CMA_SIZE_SEL) {
    case 'MBYTES':
      return mbytes;
    case 'PERCENTAGE':
      return percent;
    case 'MIN':
      return Math.min(mbytes, percent);
    case 'MAX':
      return Math.max(mbytes, percent);
  }
}

/** The smaller of two limits, 0 meaning none. */
function minNotZero(a: number, b: number): number {
  if (a === 0) return b;
  return b === 0 ? a : Math.min(a, b);
}

/** dma_contiguous_reserve() without the nodes' areas. */
export function reserveDefault(boot: Boot): void {
  const { config, parameters: p, memblock, pageSize } = boot.input;
  // An area of the device tree is the default one already.
  if (!config.DMA_CMA || boot.defaultArea >= 0) return;
  const asked = p.cmaSize ?? configuredSize(config, memblock.memSize, pageSize);
  if (asked === 0) return;
  const isGiven = p.cmaSize !== null;
  const rule = boot.release.cmaLimit;
  const given = rule === 'smaller' ? minNotZero(p.cmaLimit, boot.limit) : p.cmaLimit || boot.limit;
  const d: CmaDeclaration = {
    name: 'reserved',
    size: asked,
    base: isGiven ? p.cmaBase : 0,
    limit: isGiven ? given : boot.limit,
    alignment: 0,
    orderPerBit: 0,
    fixed: isGiven && p.cmaBase + asked === p.cmaLimit,
    nid: NUMA_NO_NODE,
  };
  const request = declare(boot, d, { role: 'default', asked });
  if (request.errno === null) boot.defaultArea = request.index;
  else boot.hasDefaultFailed = true;
}

/** Reserves one area; `says` begins the line that the caller prints when that fails. */
function declare(
  boot: Boot,
  d: CmaDeclaration,
  { role, asked, says }: Pick<AskedArea, 'role' | 'asked'> & { says?: string },
): AreaRequest {
  const declared = cmaDeclareContiguousNid(boot, d);
  if (declared.errno !== null && says !== undefined) {
    const err = errnoNumbers[declared.errno];
    boot.log.push(`${says}: reservation failed: err ${err}, node ${d.nid}`);
  }
  return answered(boot, d, declared, { role, asked });
}

/** pernuma_size_bytes when the nodes' turn comes. */
function everySize(boot: Boot, reservation: Reservation): number {
  const { config, parameters } = boot.input;
  const { sizeOfDefault } = reservation;
  const area = boot.areas[boot.defaultArea];
  const takesDefaults =
    sizeOfDefault !== null &&
    config[sizeOfDefault] &&
    !parameters.numaCmaConfigured &&
    boot.online.length > 1;
  if (takesDefaults && area) return area.ranges[0][1] - area.ranges[0][0];
  return parameters.everySize ?? config.CMA_PERNUMA_SIZE_MBYTES * MiB;
}

/** `int size = ...` of 7.2-rc, passed on as a phys_addr_t: sign-extended to 64 bits. */
function throughInt(size: number): number {
  const int = Number(BigInt.asIntN(32, BigInt(size)));
  return int < 0 ? 2 ** 64 + int : int;
}

/** What the nodes' turn goes by: a row, and the size it has for every node. */
interface Turn {
  readonly reservation: Reservation;
  readonly every: number;
}

/** The areas of one node that have a size. */
function areasOf(boot: Boot, nid: number, { reservation, every }: Turn): AskedArea[] {
  const mine = boot.input.parameters.sizeByNode.get(nid) ?? 0;
  const sizes = { every, 'by node': mine, 'by node or every': mine || every };
  return reservation.areas
    .map(({ name, array, size }) => {
      return { name: name.replace('%d', String(nid)), role: array, nid, asked: sizes[size] };
    })
    .filter(({ asked }) => asked > 0);
}

/** What the int did to a size comes first: everything else follows from it. */
function throughIntSentence(request: AreaRequest, size: number): void {
  const { asked, sentence } = request;
  if (size >= 2 ** 63) {
    const passed = `${inBytes(asked)} pass through an int and come out negative`;
    request.sentence = notReserved(request.role, passed, errnoNumbers.EINVAL);
  } else {
    const passed = `${inBytes(asked)} pass through an int, ${inBytes(size)} are left`;
    request.sentence = [passed, sentence].filter((text) => text !== '').join('; ');
  }
}

function reserveNode(boot: Boot, nid: number, turn: Turn): void {
  const { reservation } = turn;
  for (const area of areasOf(boot, nid, turn)) {
    const { name, role, asked } = area;
    const size = reservation.sizeIsInt ? throughInt(asked) : asked;
    if (size === 0) {
      const why = `${inBytes(asked)} pass through an int and 0 is left`;
      boot.requests.push(passedOver(area, why));
      continue;
    }
    const says = `cma: ${reservation.function}`;
    const request = declare(boot, anywhereOn(nid, { name, size }), { role, asked, says });
    if (size !== asked) throughIntSentence(request, size);
  }
}

/** Nodes a row asks for an area, ascending; those that are offline come with `false`. */
function nodesAsked(
  boot: Boot,
  { nodes }: Reservation,
): (readonly [nid: number, online: boolean])[] {
  switch (nodes) {
    case 'online':
      return boot.online.map((nid) => [nid, true]);
    case 'memory': {
      const nids = new Set(boot.input.memblock.memory.map((r) => r.nid));
      return [...nids].sort((a, b) => a - b).map((nid) => [nid, true]);
    }
    case 'possible':
      return boot.input.nodes.map(({ nid }) => [nid, boot.online.includes(nid)]);
  }
}

function passOverAll(boot: Boot, turn: Turn, why: string): void {
  for (const [nid] of nodesAsked(boot, turn.reservation)) {
    for (const area of areasOf(boot, nid, turn)) boot.requests.push(passedOver(area, why));
  }
}

/** dma_pernuma_cma_reserve() or dma_numa_cma_reserve(). */
export function reserveNodes(boot: Boot): void {
  const { reservation } = boot.input.kernel;
  const { config } = boot.input;
  const { kconfig } = reservation;
  if (!config.DMA_CMA || (kconfig !== null && !config[kconfig])) return;
  const turn = { reservation, every: everySize(boot, reservation) };
  if (reservation.stopsAfterDefaultFailed && boot.hasDefaultFailed) {
    passOverAll(boot, turn, 'the default area failed, and this release then returns');
    return;
  }
  if (reservation.severalNodesOnly && boot.online.length <= 1) {
    passOverAll(boot, turn, 'only one node is online');
    return;
  }
  for (const [nid, online] of nodesAsked(boot, reservation)) {
    if (online) {
      reserveNode(boot, nid, turn);
      continue;
    }
    const [area] = areasOf(boot, nid, turn);
    if (!area) continue;
    boot.log.push(`cma: invalid node ${nid} specified`);
    const asked = boot.input.parameters.sizeByNode.get(nid) || area.asked;
    const why = `node ${nid} is not online at this moment`;
    boot.requests.push(passedOver({ ...area, asked }, why));
  }
}

/** The driver of the recordings: areas after the kernel's own, in the manner of patch v2. */
export function reserveDriverAreas(boot: Boot): void {
  const size = boot.input.driverPernuma ?? 0;
  if (size === 0 || boot.online.length <= 1) return;
  for (const nid of boot.online) {
    const d = anywhereOn(nid, { name: `pernuma${nid}`, size });
    declare(boot, d, { role: 'pernuma', asked: size, says: 'ORC v2_reserve' });
  }
}
