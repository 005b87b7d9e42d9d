/**
 * Kinds of files of a server, told by their content, each with who reads it.
 *
 * Only attributes of sysfs and debugfs, whose content is a bare number, are known by their path; a
 * listing `path:value` as `grep -r . DIR` prints it is taken for the files it lists.
 */
import { areaAttributes, importAreaAttribute } from './areas.js';
import type { Attribute, Facts } from './facts.js';
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

const pciAddress = '[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-9a-f]';

type AttributeImporter = (facts: Facts, attribute: Attribute) => void;

/** First the path, which says what the attribute is of and its name, then who reads it. */
const paths: readonly (readonly [path: RegExp, importer: AttributeImporter])[] = [
  [/(?:^|\/)node(\d+)\/(cpulist|cpumap|distance|meminfo)$/, importNodeAttribute],
  [new RegExp(`(?:^|/)(${pciAddress})/([a-z_]+)$`), importPciAttribute],
  [new RegExp(`(?:^|/)(?:cma/)?([^/]+)/(?:ranges/0/)?(${areaAttributes})$`), importAreaAttribute],
];

/** An attribute known by its path; false when the path names none. */
function importAttribute(facts: Facts, path: string, value: string, file: string): boolean {
  for (const [form, importer] of paths) {
    const match = form.exec(path);
    if (match === null) continue;
    importer(facts, { name: match[1], key: match[2], value, file });
    return true;
  }
  return /(?:^|\/)node\d+\//.test(path);
}

/** A PCI address in the path has colons of its own. */
const listed = new RegExp(`^(\\.{0,2}/?[^\\s:]*/(?:${pciAddress}/)?[^:\\s]*):(.*)$`);

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
    else {
      const [, path, value] = match;
      const before = files.get(path) ?? '';
      files.set(path, before === '' || value === '' ? before + value : `${before}\n${value}`);
    }
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
    const known = [...files].filter(([name, value]) => importAttribute(facts, name, value, file));
    if (known.length > 0) return;
  }
  facts.unused.push(path);
}
