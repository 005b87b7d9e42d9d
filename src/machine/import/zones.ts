/**
 * Zones and what is free in them: /proc/zoneinfo, buddyinfo, pagetypeinfo, iomem.
 */
import { Facts, type NumberIn, type ZoneFacts } from './facts.js';

/** Lines of /proc/zoneinfo that set a number of the zone. */
const numbers: ReadonlyMap<string, Exclude<NumberIn<ZoneFacts>, 'nid'>> = new Map([
  ['pages free', 'free'],
  ['min', 'min'],
  ['low', 'low'],
  ['high', 'high'],
  ['spanned', 'spanned'],
  ['present', 'present'],
  ['managed', 'managed'],
  ['cma', 'cma'],
  ['start_pfn:', 'startPfn'],
]);

/** /proc/zoneinfo. */
export function importZoneinfo(facts: Facts, text: string, file: string): void {
  let zone: ZoneFacts | null = null;
  let pagesets = false;
  for (const line of text.split('\n')) {
    const head = /^Node\s+(\d+), zone\s+(\S+)/.exec(line);
    if (head !== null) {
      zone = facts.zone(Number(head[1]), head[2]);
      zone.pcp = 0;
      pagesets = false;
      facts.from('zones', file);
      continue;
    }
    if (zone === null) continue;
    if (/^\s+pagesets/.test(line)) pagesets = true;
    const field = /^\s+(pages free|start_pfn:|count:|[a-z_]+)\s+(\d+)\s*$/.exec(line);
    if (field === null) continue;
    const [, key, value] = field;
    const number = numbers.get(key);
    if (pagesets && key === 'count:') zone.pcp += Number(value);
    else if (number !== undefined && (key === 'start_pfn:' || !pagesets)) {
      zone[number] = Number(value);
    }
  }
}

/** Zones with pages, in the order of /proc/zoneinfo. */
export function readZoneinfo(text: string): ZoneFacts[] {
  const facts = new Facts();
  importZoneinfo(facts, text, '');
  return [...facts.zones.values()].filter(({ spanned }) => spanned > 0);
}

/** /proc/buddyinfo: free blocks per order. */
export function importBuddyinfo(facts: Facts, text: string, file: string): void {
  for (const [, nid, name, counts] of text.matchAll(
    /^Node\s+(\d+), zone\s+(\S+)((?:[ \t]+\d+)+)[ \t]*$/gm,
  )) {
    facts.zone(Number(nid), name).freeByOrder = counts.trim().split(/\s+/).map(Number);
    facts.from('free blocks', file);
  }
}

/** /proc/pagetypeinfo: the same per migrate type; counts above 100000 are printed as `>100000`. */
export function importPagetypeinfo(facts: Facts, text: string, file: string): void {
  for (const [, nid, name, type, counts] of text.matchAll(
    /^Node\s+(\d+), zone\s+(\S+), type\s+(\S+)((?:[ \t]+>?\d+)+)[ \t]*$/gm,
  )) {
    const numbers = counts.trim().split(/\s+/);
    if (numbers.some((number) => number.startsWith('>'))) {
      facts.warn(
        `${file}: free blocks of node ${nid} ${name} are cut at 100000 per type and order`,
      );
    }
    const orders = numbers.map((number) => Number(number.replace('>', '')));
    facts.zone(Number(nid), name).freeByType[type] = orders;
    facts.from('free blocks per migrate type', file);
  }
}

/** /proc/iomem: RAM, and what firmware and the kernel's image hold of it. */
export function importIomem(facts: Facts, text: string, file: string): void {
  let hidden = 0;
  for (const [, start, end, what] of text.matchAll(/^\s*([0-9a-f]+)-([0-9a-f]+) : (.+)$/gm)) {
    const from = Number.parseInt(start, 16);
    const to = Number.parseInt(end, 16) + 1;
    if (to === 1) {
      hidden++;
      continue;
    }
    if (what === 'System RAM') facts.ram.push([from, to]);
    else if (/^(?:Kernel (?:code|rodata|data|bss)|reserved|Reserved)$/.test(what)) {
      facts.reserved.push([from, to]);
    }
  }
  if (facts.ram.length > 0) facts.from('physical memory', file);
  else if (hidden > 0) {
    facts.warn(`${file}: addresses are hidden from ordinary users; read it as root`);
  }
}
