/**
 * hwloc XML (lstopo --of xml), versions 1 to 3: nodes, CPUs, memory, distances, bandwidth, PCI
 * devices.
 *
 * hwloc places a node's memory beside CPUs that are near, so one CPU may stand in several nodes;
 * the kernel gives it to one, here the first by id. A snapshot of a confined process lacks the
 * nodes it may not use.
 */
import { createRequire } from 'node:module';
import { type Facts, parseMask } from './facts.js';

type Attributes = ReadonlyMap<string, string>;

/** A matrix of distances while its elements arrive. */
interface Matrix {
  readonly indexes: number[];
  readonly values: number[];
}

/** A damaged file gives what stands before the damage, and a warning. */
export function importHwloc(facts: Facts, xml: string, file: string): void {
  const reader = new HwlocReader(facts, file);
  // Loaded on demand: most commands read no XML.
  const sax: typeof import('sax') = createRequire(import.meta.url)('sax');
  // Strict: of entities only XML's own five, no other file is opened.
  const parser = sax.parser(true);
  parser.onopentag = ({ name, attributes }) => {
    const texts = Object.entries(attributes).map(([key, value]) => [key, String(value)] as const);
    reader.open(name, new Map(texts));
  };
  parser.ontext = (text) => reader.text(text);
  parser.onclosetag = (name) => reader.close(name);
  parser.onerror = (error) => {
    throw error;
  };
  try {
    parser.write(xml).close();
  } catch (error) {
    const [what] = String(error)
      .replace(/^Error: /, '')
      .split('\n');
    facts.warn(`${file}:${parser.line + 1}:${parser.column + 1}: not XML: ${what}`);
  }
  reader.finish();
}

class HwlocReader {
  readonly #facts: Facts;
  readonly #file: string;
  readonly #byGp = new Map<number, number>();
  /** CPUs near each node, in the order of the tree. */
  readonly #local = new Map<number, Set<number>>();
  /** Nodesets of the objects around the one at hand. */
  readonly #nodesets: string[] = [];
  #machine: Attributes = new Map();
  /** Latencies between nodes, as the OS says them. */
  #latencies: Matrix | null = null;
  #indexing = '';
  /** Version 1: factors of `latency_base`, before the objects they are about. */
  #factors: { readonly size: number; readonly base: number; readonly values: number[] } | null =
    null;
  #memattr = '';
  /** The element that was opened last, if it is not closed yet. */
  #element = '';

  constructor(facts: Facts, file: string) {
    this.#facts = facts;
    this.#file = file;
  }

  open(name: string, attributes: Attributes): void {
    this.#element = name;
    this.#elements.get(name)?.(attributes);
  }

  readonly #elements = new Map<string, (attributes: Attributes) => void>([
    ['object', (attributes) => this.#object(attributes)],
    ['page_type', (attributes) => this.#pageType(numberOf(attributes, 'size'))],
    ['info', (attributes) => this.#info(attributes)],
    ['memattr', (attributes) => (this.#memattr = attributes.get('name') ?? '')],
    ['memattr_value', (attributes) => this.#bandwidth(attributes)],
    ['distances2', (attributes) => this.#openDistances(attributes)],
    [
      'distances',
      (attributes) => {
        const [size, base] = [numberOf(attributes, 'nbobjs'), numberOf(attributes, 'latency_base')];
        this.#factors = { size, base, values: [] };
      },
    ],
    ['latency', (attributes) => this.#factors?.values.push(numberOf(attributes, 'value'))],
  ]);

  text(text: string): void {
    const numbers = () => (text.match(/\S+/g) ?? []).map(Number);
    if (this.#element === 'indexes') this.#latencies?.indexes.push(...numbers());
    else if (this.#element === 'u64values') this.#latencies?.values.push(...numbers());
  }

  close(name: string): void {
    this.#element = '';
    if (name === 'object') this.#nodesets.pop();
    else if (name === 'memattr') this.#memattr = '';
    else if (name === 'distances2') this.#closeDistances();
  }

  /** After the last tag: what needs all nodes. */
  finish(): void {
    const facts = this.#facts;
    // Version 1 shows no node where there is only one.
    if (this.#local.size === 0 && this.#machine.size > 0) {
      this.#node(new Map([...this.#machine, ['os_index', '0']]));
    }
    const nids = [...this.#local.keys()];
    const factors = this.#factors;
    if (factors !== null && factors.size === nids.length && factors.size > 0) {
      const values = factors.values.map((value) => Math.round(value * factors.base));
      this.#table(nids, values);
    }
    if (facts.sources.has('CPUs') || nids.length === 0) return;
    // Each CPU to the first node that claims it: nodes of other memory beside it have none.
    const taken = new Set<number>();
    for (const nid of [...nids].sort((a, b) => a - b)) {
      const cpus = [...this.#local.get(nid)!].filter((cpu) => !taken.has(cpu));
      for (const cpu of cpus) taken.add(cpu);
      const node = facts.node(nid);
      if (node !== null) node.cpus = new Set(cpus);
    }
    facts.from('CPUs', this.#file);
  }

  #object(attributes: Attributes): void {
    const type = attributes.get('type');
    if (type === 'NUMANode') this.#node(attributes);
    else if (type === 'Machine') {
      this.#machine = attributes;
      this.#absentNodes(attributes);
    } else if (type === 'PCIDev' || (type === 'Bridge' && attributes.has('pci_busid'))) {
      this.#pci(attributes);
    }
    this.#nodesets.push(attributes.get('nodeset') ?? this.#nodesets.at(-1) ?? '');
  }

  #node(attributes: Attributes): void {
    const nid = numberOf(attributes, 'os_index');
    const node = this.#facts.node(nid);
    if (node === null) return;
    this.#byGp.set(numberOf(attributes, 'gp_index'), nid);
    const cpuset = attributes.get('complete_cpuset') ?? attributes.get('cpuset') ?? '';
    this.#local.set(nid, parseMask(cpuset));
    const bytes = Number(attributes.get('local_memory') ?? 0);
    if (node.total === null && bytes >= 0) node.total = bytes;
    this.#facts.from('memory sizes', this.#file);
  }

  #absentNodes(attributes: Attributes): void {
    const shown = parseMask(attributes.get('nodeset') ?? '');
    const absent = [...parseMask(attributes.get('complete_nodeset') ?? '')].filter(
      (nid) => !shown.has(nid),
    );
    if (absent.length === 0) return;
    const which = absent.join(',');
    this.#facts.warn(`${this.#file}: made in a cpuset without nodes ${which}: they are not in it`);
  }

  #pci(attributes: Attributes): void {
    const device = this.#facts.device(attributes.get('pci_busid') ?? '');
    const type = attributes.get('pci_type') ?? '';
    const ids = /^([0-9a-f]{4}) \[([0-9a-f]{4}):([0-9a-f]{4})\]/.exec(type);
    if (ids !== null) {
      device.pciClass ||= `0x${ids[1]}00`;
      device.vendor ||= `0x${ids[2]}`;
      device.device ||= `0x${ids[3]}`;
    }
    // Beside the whole machine means no node; beside one node, that one.
    const near = parseMask(this.#nodesets.findLast((set) => set !== '') ?? '');
    if (device.node === null) device.node = near.size === 1 ? [...near][0] : -1;
    this.#facts.from('devices', this.#file);
  }

  /** Pages of 4, 16 or 64 KiB; the others are huge. */
  #pageType(size: number): void {
    if (size >= 4_096 && size <= 65_536) this.#facts.pageSize ??= size;
  }

  #info(attributes: Attributes): void {
    const facts = this.#facts;
    const name = attributes.get('name') ?? '';
    const value = attributes.get('value') ?? '';
    if (name === 'Architecture') facts.arch ||= value;
    else if (name === 'DMIProductName') facts.product ||= value.trim();
    else if (name === 'OSRelease') facts.release ||= value;
    else if (/^CPU(?:Vendor|Model)$/.test(name) && /Intel|AMD|Xeon|Opteron|EPYC/.test(value)) {
      facts.arch ||= 'x86_64';
    }
  }

  #bandwidth(attributes: Attributes): void {
    if (this.#memattr !== 'Bandwidth') return;
    const nid = this.#byGp.get(numberOf(attributes, 'target_obj_gp_index'));
    const value = numberOf(attributes, 'value');
    if (nid !== undefined && value > 0) this.#facts.bandwidth.set(nid, value / 1_000);
  }

  #openDistances(attributes: Attributes): void {
    // Kind 4: latency as the OS says it; a matrix somebody measured is another kind.
    const isLatency = (numberOf(attributes, 'kind') & 4) !== 0;
    const isUsed = isLatency && attributes.get('type') === 'NUMANode';
    this.#latencies = isUsed ? { indexes: [], values: [] } : null;
    this.#indexing = attributes.get('indexing') ?? 'os';
  }

  #closeDistances(): void {
    if (this.#latencies === null) return;
    const { indexes, values } = this.#latencies;
    this.#latencies = null;
    const isGp = this.#indexing === 'gp';
    this.#table(isGp ? indexes.map((gp) => this.#byGp.get(gp) ?? -1) : indexes, values);
  }

  #table(nids: readonly number[], values: readonly number[]): void {
    const size = nids.length;
    if (values.length !== size * size) return;
    const table = this.#facts.distanceTable('hwloc', this.#file);
    table.order = nids;
    nids.forEach((nid, row) => {
      table.rows.set(nid, values.slice(row * size, (row + 1) * size));
    });
  }
}

function numberOf(attributes: Attributes, name: string): number {
  return Number(attributes.get(name));
}
