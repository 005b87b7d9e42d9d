/**
 * Finds out what a file of a server is, by its content, and hands it to whoever reads it.
 *
 * Only attributes of sysfs and debugfs, whose content is a bare number, are known by their path; a
 * listing `path:value` as `grep -r . DIR` prints it is taken for the files it lists.
 */
import { areaAttributes, importAreaAttribute } from './areas.js';
import type { Facts } from './facts.js';
import { importHwloc } from './hwloc.js';
import { importLog, importUname } from './log.js';
import { importNodeAttribute, importNodeList, importNodeMeminfo, importNumactl } from './nodes.js';
import { importDeviceList, importPciAttribute } from './pci.js';
import { importBuddyinfo, importIomem, importPagetypeinfo, importZoneinfo } from './zones.js';

export interface ImportFile {
  readonly path: string;
  readonly text: string;
}

type Importer = (facts: Facts, text: string, file: string) => void;

const nothing: Importer = () => {};

/** First the sign, then who reads it; the first row that fits wins. */
const contents: readonly (readonly [sign: RegExp, importer: Importer])[] = [
  [/<topology[\s>]/, importHwloc],
  [/^available: \d+ nodes?/m, importNumactl],
  [/^# node\d+ cpulist=/m, importNodeList],
  [/^Page block order:/m, importPagetypeinfo],
  [/^Node\s+\d+, zone\s+\S+\n[\s\S]*\bpages free\s+\d+/, importZoneinfo],
  [/^Node\s+\d+, zone\s+\S+(?:\s+\d+){5,}/, importBuddyinfo],
  [/^Node\s+\d+ MemTotal:/m, importNodeMeminfo],
  [/^\S+ node=-?\d* class=0x/m, importDeviceList],
  [/^[0-9a-f]{8,}-[0-9a-f]{8,} : \S/m, importIomem],
  [/Linux version \d|^(?:<\d+>)?\[\s*\d+\.\d+\]/m, importLog],
  [/^Linux \S+ \d+\.\d+/, importUname],
  // Known, and of no use for a machine: lsmod, lspci, vmstat, meminfo, lstopo's text.
  [/^Module\s+Size/, nothing],
  [/^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f] /, nothing],
  [/^nr_free_pages \d+/m, nothing],
  [/^MemTotal:\s+\d+ kB/m, nothing],
  [/^Machine\b.*\n(?:\s*(?:Package|Group|NUMANode|L\d|Core|PU|HostBridge|MemCache|Die))/, nothing],
];

const area = new RegExp(`(?:^|/)(?:cma/)?([^/]+)/(?:ranges/0/)?(${areaAttributes})$`);

/** An attribute known by its path; false when the path names none. */
function importAttribute(facts: Facts, path: string, value: string, file: string): boolean {
  const node = /(?:^|\/)node(\d+)\/(cpulist|cpumap|distance|meminfo)$/.exec(path);
  if (node !== null) {
    importNodeAttribute(facts, { nid: Number(node[1]), key: node[2], value, file });
    return true;
  }
  const pci = /(?:^|\/)([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])\/([a-z_]+)$/.exec(path);
  if (pci !== null) {
    importPciAttribute(facts, { name: pci[1], key: pci[2], value, file });
    return true;
  }
  const cma = area.exec(path);
  if (cma !== null) {
    importAreaAttribute(facts, { name: cma[1], key: cma[2], value, file });
    return true;
  }
  return /(?:^|\/)node\d+\//.test(path);
}

/** A PCI address in the path has colons of its own. */
const pciPart = '(?:[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-9a-f]/)?';
const listed = new RegExp(`^(\\.{0,2}/?[^\\s:]*/${pciPart}[^:\\s]*):(.*)$`);

/**
 * `path:value` lines, several for a file of several lines; null when the text is no such listing.
 */
function listing(text: string): Map<string, string> | null {
  const files = new Map<string, string>();
  let strange = 0;
  let seen = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const match = listed.exec(line);
    if (match === null) strange++;
    else if (match[2] !== '') {
      const before = files.get(match[1]);
      files.set(match[1], before === undefined ? match[2] : `${before}\n${match[2]}`);
    } else if (!files.has(match[1])) files.set(match[1], '');
    if (++seen === 20 && strange > 10) return null;
  }
  return seen > 0 && strange * 2 <= seen ? files : null;
}

/** Adds what one file says; a file nobody knows is noted as unused. */
export function importFile(facts: Facts, { path, text }: ImportFile): void {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (importAttribute(facts, path, text, file)) return;
  if (/(?:^|\/)cmdline(?:\.txt)?$/.test(path)) {
    facts.cmdline = text.trim();
    return;
  }
  if (/(?:^|\/)pagesize(?:\.txt)?$/.test(path)) {
    const size = Number(text.trim());
    if (size >= 4_096) facts.pageSize = size;
    return;
  }
  const head = text.slice(0, 1 << 16);
  for (const [sign, importer] of contents) {
    if (!sign.test(head)) continue;
    importer(facts, text, file);
    return;
  }
  const files = listing(text);
  if (files !== null) {
    let known = 0;
    for (const [name, value] of files) if (importAttribute(facts, name, value, file)) known++;
    if (known > 0) return;
  }
  facts.unused.push(path);
}
