/**
 * hwloc XML (lstopo --of xml), versions 2 and 3: nodes, CPUs, memory, distances, bandwidth, PCI
 * devices.
 *
 * hwloc places a node's memory beside CPUs that are near, so one CPU may stand in several nodes;
 * the kernel gives it to one, here the first by id. A snapshot of a confined process lacks the
 * nodes it may not use.
 */
import { type Facts, parseMask } from './facts.js';

interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly opens: boolean;
  readonly closes: boolean;
  /** Text up to the next tag. */
  readonly text: string;
}

function* tags(xml: string): Generator<Tag> {
  const pattern = /<(\/?)([A-Za-z_][\w:-]*)((?:\s+[\w:-]+\s*=\s*"[^"]*")*)\s*(\/?)>([^<]*)/g;
  for (const [, slash, name, attributes, empty, text] of xml.matchAll(pattern)) {
    const map = new Map<string, string>();
    for (const [, key, value] of attributes!.matchAll(/([\w:-]+)\s*=\s*"([^"]*)"/g)) {
      map.set(key!, unescaped(value!));
    }
    yield {
      name: name!,
      attributes: map,
      opens: slash === '' && empty === '',
      closes: slash !== '',
      text: text!,
    };
  }
}

function unescaped(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');
}

interface Distances {
  readonly use: boolean;
  readonly indexing: string;
  readonly indexes: number[];
  readonly values: number[];
}

export function importHwloc(facts: Facts, xml: string, file: string): void {
  const byGp = new Map<number, number>();
  const local = new Map<number, Set<number>>();
  /** Nodes whose locality holds the object at hand: its parents' nodesets. */
  const nodesets: string[] = [];
  let distances: Distances | null = null;
  let memattr = '';
  for (const tag of tags(xml)) {
    const { name, attributes } = tag;
    if (name === 'object') {
      if (tag.closes) nodesets.pop();
      else {
        hwlocObject(facts, attributes, { file, nodesets, byGp, local });
        if (tag.opens) nodesets.push(attributes.get('nodeset') ?? nodesets.at(-1) ?? '');
      }
    } else if (name === 'page_type') {
      const size = Number(attributes.get('size'));
      // Pages of 4, 16 or 64 KiB; the others are huge.
      if (size >= 4_096 && size <= 65_536) facts.pageSize ??= size;
    } else if (name === 'info' && !tag.closes) hwlocInfo(facts, attributes);
    else if (name === 'distances2') {
      if (tag.closes && distances !== null) {
        applyDistances(facts, distances, byGp, file);
        distances = null;
      } else if (tag.opens) distances = openDistances(attributes);
    } else if (name === 'indexes' && distances !== null && tag.opens) {
      distances.indexes.push(...numbers(tag.text));
    } else if (name === 'u64values' && distances !== null && tag.opens) {
      distances.values.push(...numbers(tag.text));
    } else if (name === 'memattr') memattr = tag.closes ? '' : (attributes.get('name') ?? '');
    else if (name === 'memattr_value' && memattr === 'Bandwidth') {
      const nid = byGp.get(Number(attributes.get('target_obj_gp_index')));
      const value = Number(attributes.get('value'));
      if (nid !== undefined && value > 0) facts.bandwidth.set(nid, value / 1_000);
    }
  }
  assignCpus(facts, local, file);
}

const numbers = (text: string): number[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number);

function openDistances(attributes: ReadonlyMap<string, string>): Distances {
  // Kind 4: latency as the OS says it; a matrix somebody measured is another kind.
  const kind = Number(attributes.get('kind'));
  return {
    use: attributes.get('type') === 'NUMANode' && (kind & 4) !== 0,
    indexing: attributes.get('indexing') ?? 'os',
    indexes: [],
    values: [],
  };
}

function hwlocObject(
  facts: Facts,
  attributes: ReadonlyMap<string, string>,
  state: {
    file: string;
    nodesets: readonly string[];
    byGp: Map<number, number>;
    local: Map<number, Set<number>>;
  },
): void {
  const type = attributes.get('type');
  if (type === 'NUMANode') {
    const nid = Number(attributes.get('os_index'));
    const node = facts.node(nid);
    if (node === null) return;
    state.byGp.set(Number(attributes.get('gp_index')), nid);
    const cpuset = attributes.get('complete_cpuset') ?? attributes.get('cpuset') ?? '';
    state.local.set(nid, parseMask(cpuset));
    const bytes = Number(attributes.get('local_memory') ?? 0);
    if (node.total === null) node.total = bytes;
    facts.from('memory sizes', state.file);
  } else if (type === 'Machine') {
    absentNodes(facts, attributes, state.file);
  } else if (type === 'PCIDev' || (type === 'Bridge' && attributes.has('pci_busid'))) {
    hwlocPci(facts, attributes, state);
  }
}

function hwlocPci(
  facts: Facts,
  attributes: ReadonlyMap<string, string>,
  { file, nodesets }: { file: string; nodesets: readonly string[] },
): void {
  const device = facts.device(attributes.get('pci_busid') ?? '');
  const ids = /^([0-9a-f]{4}) \[([0-9a-f]{4}):([0-9a-f]{4})\]/.exec(
    attributes.get('pci_type') ?? '',
  );
  if (ids !== null) {
    device.pciClass ||= `0x${ids[1]}00`;
    device.vendor ||= `0x${ids[2]}`;
    device.device ||= `0x${ids[3]}`;
  }
  // Beside the whole machine means no node; beside one node, that one.
  const near = parseMask(nodesets.findLast((set) => set !== '') ?? '');
  if (device.node === null) device.node = near.size === 1 ? [...near][0]! : -1;
  facts.from('devices', file);
}

function hwlocInfo(facts: Facts, attributes: ReadonlyMap<string, string>): void {
  const value = attributes.get('value') ?? '';
  switch (attributes.get('name')) {
    case 'Architecture':
      facts.arch ||= value;
      break;
    case 'CPUVendor':
    case 'CPUModel':
      if (/GenuineIntel|AuthenticAMD|Intel|AMD|Xeon|Opteron|EPYC/.test(value))
        facts.arch ||= 'x86_64';
      break;
    case 'DMIProductName':
      facts.product ||= value.trim();
      break;
    case 'OSRelease':
      facts.release ||= value;
      break;
  }
}

function absentNodes(facts: Facts, attributes: ReadonlyMap<string, string>, file: string): void {
  const shown = parseMask(attributes.get('nodeset') ?? '');
  const absent = [...parseMask(attributes.get('complete_nodeset') ?? '')].filter(
    (nid) => !shown.has(nid),
  );
  if (absent.length > 0) {
    facts.warn(`${file}: made in a cpuset without nodes ${absent.join(',')}: they are not in it`);
  }
}

function applyDistances(
  facts: Facts,
  { use, indexing, indexes, values }: Distances,
  byGp: ReadonlyMap<number, number>,
  file: string,
): void {
  const size = indexes.length;
  if (!use || values.length !== size * size) return;
  const nids = indexing === 'gp' ? indexes.map((gp) => byGp.get(gp) ?? -1) : indexes;
  const table = facts.distanceTable('hwloc', file);
  table.order = nids;
  nids.forEach((nid, row) => {
    table.rows.set(nid, values.slice(row * size, (row + 1) * size));
  });
}

/**
 * Each CPU to the first node that claims it; nodes of other memory beside the same CPUs have none.
 */
function assignCpus(facts: Facts, local: ReadonlyMap<number, Set<number>>, file: string): void {
  if (facts.sources.has('CPUs')) return;
  const taken = new Set<number>();
  for (const nid of [...local.keys()].sort((a, b) => a - b)) {
    const cpus = [...local.get(nid)!].filter((cpu) => !taken.has(cpu));
    for (const cpu of cpus) taken.add(cpu);
    const node = facts.node(nid);
    if (node !== null) node.cpus = new Set(cpus);
  }
  if (local.size > 0) facts.from('CPUs', file);
}
