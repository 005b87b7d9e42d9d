/**
 * What came of each area that was asked for, with a sentence where it differs from what was asked.
 *
 * The kernel says less: it prints an errno, or nothing at all. Every sentence names the rule that
 * applied.
 */

import { NUMA_NO_NODE } from '../units.js';
import { type CmaDeclaration, type Declared, type DeclareErrno, errnoNumbers } from './declare.js';
import type { AreaRequest, AskedArea, Boot } from './state.js';

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
  const { geometry, slots, memblock } = boot;
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
const instead = {
  pernuma: 'its devices use the default area, then the buddy',
  numa: 'its devices use the default area, then the buddy',
  default: 'what no node area serves goes to the buddy',
  hugetlb: 'no gigantic pages from there',
  private: 'its devices use the default area, then the buddy',
} as const;

/** `not reserved: why; what happens then`; `number` is the errno that the kernel prints. */
export function notReserved(role: AreaRequest['role'], why: string, number?: number): string {
  return `not reserved${number === undefined ? '' : ` (${number})`}: ${why}; ${instead[role]}`;
}

/** An area that was not declared, or not by a function that prints an errno. */
export function passedOver(
  { name, role, nid, asked }: AskedArea,
  why: string,
  errno: DeclareErrno | null = null,
): AreaRequest {
  const none = { size: 0, base: null, index: -1, errno };
  return { name, role, nid, asked, ...none, sentence: notReserved(role, why) };
}

/** What one declaration came to; the boot knows it from then on. */
export function answered(
  boot: Boot,
  d: CmaDeclaration,
  declared: Declared,
  { role, asked }: Pick<AskedArea, 'role' | 'asked'>,
): AreaRequest {
  const request = outcomeOf(boot, d, declared, { name: d.name, role, nid: d.nid, asked });
  boot.requests.push(request);
  return request;
}

function outcomeOf(
  boot: Boot,
  d: CmaDeclaration,
  declared: Declared,
  area: AskedArea,
): AreaRequest {
  const { role, asked } = area;
  const { errno, size } = declared;
  if (errno !== null) {
    const sentence = notReserved(role, whyRefused(boot, d, declared), errnoNumbers[errno]);
    return { ...area, size: 0, base: null, index: -1, errno, sentence };
  }
  const unit = inBytes(boot.geometry.minAlignment);
  const sentence =
    size > asked && role !== 'hugetlb'
      ? `${inBytes(size)} instead of ${inBytes(asked)}: areas are multiples of ${unit}`
      : '';
  const base = declared.area.ranges[0][0];
  return { ...area, size, base, index: boot.areas.indexOf(declared.area), errno, sentence };
}

/** Adds what became known later. */
export function addSentence(request: AreaRequest | undefined, text: string): void {
  if (request) request.sentence = request.sentence === '' ? text : `${request.sentence}; ${text}`;
}
