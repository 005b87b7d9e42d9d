/**
 * One area that was asked for: what was asked, what came of it, and a sentence where the two
 * differ.
 *
 * The kernel says less: it prints an errno, or nothing at all. Every sentence names the rule that
 * applied.
 */

import { NUMA_NO_NODE } from '../units.js';
import type { Boot } from './boot.js';
import {
  anywhereOn,
  type CmaDeclaration,
  type Declared,
  type DeclareErrno,
  errnoNumbers,
} from './declare.js';
import type { HugetlbTurn } from './hugetlbcma.js';

export interface AreaRequest {
  /** Name the area has or would have had. */
  readonly name: string;
  readonly role: 'pernuma' | 'numa' | 'default' | 'hugetlb' | 'private';
  /** Node asked for; NUMA_NO_NODE: any. */
  readonly nid: number;
  /** Bytes as the parameter or the configuration says. */
  readonly asked: number;
  /** Bytes taken, after rounding; 0: none. */
  readonly size: number;
  /** First address; null: nothing was reserved. */
  readonly base: number | null;
  /** Index in cma_areas[]; -1: nothing was reserved. */
  readonly index: number;
  readonly errno: DeclareErrno | null;
  /** Empty: as asked. */
  sentence: string;
}

/** 16777216 -> `16 MiB`; whole units as far as they go. */
export function inBytes(count: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let value = count;
  let unit = 0;
  while (unit < units.length - 1 && value !== 0 && value % 1024 === 0) {
    value /= 1024;
    unit++;
  }
  return `${value} ${units[unit]}`;
}

const where = (nid: number) => (nid === NUMA_NO_NODE ? 'on any node' : `on node ${nid}`);

function whyRefused(boot: Boot, d: CmaDeclaration, declared: Declared): string {
  const { geometry, slots, memblock } = boot.cma;
  const unit = Math.max(d.alignment, geometry.minAlignment);
  switch (declared.errno) {
    case 'ENOSPC':
      return `all ${slots} slots of cma_areas[] are taken`;
    case 'EBUSY':
      return `some of the ${inBytes(declared.size)} from ${inBytes(d.base)} are reserved already`;
    case 'ENOMEM': {
      const below = d.limit > 0 && d.limit < memblock.endOfDram ? ` below ${inBytes(d.limit)}` : '';
      const range = `no free range of ${inBytes(declared.size)} at a multiple of ${inBytes(unit)}`;
      return `${range} ${where(d.nid)}${below}`;
    }
    default:
      if (d.fixed && d.base % unit !== 0) {
        return `a fixed address must be a multiple of ${inBytes(unit)}`;
      }
      return `${inBytes(declared.size)} do not fit between base and limit or the end of memory`;
  }
}

/** Who serves what this area would have served. */
export const instead = {
  pernuma: 'its devices use the default area, then the buddy',
  numa: 'its devices use the default area, then the buddy',
  default: 'what no node area serves goes to the buddy',
  hugetlb: 'no gigantic pages from there',
  private: 'its devices use the default area, then the buddy',
} as const;

/** What one declaration came to. */
export function requestOf(
  boot: Boot,
  d: CmaDeclaration,
  declared: Declared,
  { role, asked }: { role: AreaRequest['role']; asked: number },
): AreaRequest {
  const common = { name: d.name, role, nid: d.nid, asked };
  if (declared.errno !== null) {
    const number = errnoNumbers[declared.errno];
    const why = whyRefused(boot, d, declared);
    const sentence = `not reserved (${number}): ${why}; ${instead[role]}`;
    return { ...common, size: 0, base: null, index: -1, errno: declared.errno, sentence };
  }
  const { area, size } = declared;
  const base = area.ranges[0][0];
  const sentences: string[] = [];
  if (size > asked && role !== 'hugetlb') {
    const unit = inBytes(boot.cma.geometry.minAlignment);
    sentences.push(`${inBytes(size)} instead of ${inBytes(asked)}: areas are multiples of ${unit}`);
  }
  const index = boot.cma.areas.indexOf(area);
  return { ...common, size, base, index, errno: null, sentence: sentences.join('; ') };
}

/** A node's area that was not even declared. */
export function passedOver(
  name: string,
  role: AreaRequest['role'],
  { nid, asked, why }: { nid: number; asked: number; why: string },
): AreaRequest {
  const sentence = `not reserved: ${why}; ${instead[role]}`;
  return { name, role, nid, asked, size: 0, base: null, index: -1, errno: null, sentence };
}

export function hugetlbRequest(boot: Boot, turn: HugetlbTurn): AreaRequest {
  const { nid, name, size } = turn;
  const d = anywhereOn(nid, { name, size });
  const request = requestOf(boot, d, turn.declared, { role: 'hugetlb', asked: size });
  if (boot.cma.memblock.memory.every((r) => r.nid === NUMA_NO_NODE)) {
    addSentence(request, 'asked before the nodes are known: all of it is filed under node 0');
  }
  return request;
}

/** Adds what became known later. */
export function addSentence(request: AreaRequest, text: string): void {
  request.sentence = request.sentence === '' ? text : `${request.sentence}; ${text}`;
}
