/**
 * A run for Perfetto and chrome://tracing, in the JSON trace event format.
 *
 * A process per node and one for the coordinator; in it a track per device, area and the buddy.
 * Allocations are slices; a flow leads from a device to each area that was asked, in turn. Counters
 * say how much of an area is used and how long its longest free run is. Calls that overlap on one
 * track lie in lanes.
 */
import type { AreaLayout } from '../mm/layout.js';
import type { Placement } from '../run/placement.js';
import { type AreaCounter, areaCounters } from './areacounter.js';
import { areaChanges, type ExportRun } from './run.js';

type TraceEvent = Readonly<Record<string, unknown>>;

const COORDINATOR = 1;
const FIRST_NODE = 2;

/** Lines of a JSON document; together they are one. */
export function* perfettoLines(run: ExportRun): Generator<string> {
  yield '{"displayTimeUnit":"ns","otherData":';
  const { name, release, cmdline } = run;
  yield `${JSON.stringify({ name, kernel: release.id, cmdline, by: 'cmasim' })},"traceEvents":[\n`;
  let isFirst = true;
  for (const event of new Tracks(run).events()) {
    yield `${isFirst ? '' : ',\n'}${JSON.stringify(event)}`;
    isFirst = false;
  }
  yield '\n]}\n';
}

/** One track with as many lanes as calls overlap on it. */
interface Track {
  readonly process: number;
  readonly name: string;
  /** Thread of each lane, and until when it is taken. */
  readonly lanes: { readonly thread: number; busy: number }[];
}

class Tracks {
  readonly #run: ExportRun;
  readonly #tracks = new Map<string, Track>();
  readonly #names: TraceEvent[] = [];
  #threads = 0;

  constructor(run: ExportRun) {
    this.#run = run;
  }

  *events(): Generator<TraceEvent> {
    yield* this.#processes();
    const slices: TraceEvent[] = [];
    const placements = [...this.#run.placements].sort((a, b) => a.issued - b.issued);
    placements.forEach((placement, i) => {
      slices.push(...this.#request(placement, i + 1));
    });
    yield* this.#names;
    yield* slices;
    yield* this.#counters();
  }

  *#processes(): Generator<TraceEvent> {
    yield named('process_name', COORDINATOR, 0, 'coordinator (default area)');
    for (const { nid } of this.#run.machine.nodes) {
      yield named('process_name', FIRST_NODE + nid, 0, `node ${nid}`);
    }
  }

  #lane(key: string, process: number, { name, start, end }: Span): number {
    let track = this.#tracks.get(key);
    if (track === undefined) {
      track = { process, name, lanes: [] };
      this.#tracks.set(key, track);
    }
    let lane = track.lanes.find(({ busy }) => busy <= start);
    if (lane === undefined) {
      lane = { thread: ++this.#threads, busy: 0 };
      track.lanes.push(lane);
      const number = track.lanes.length > 1 ? ` (${track.lanes.length})` : '';
      this.#names.push(named('thread_name', process, lane.thread, `${name}${number}`));
    }
    lane.busy = end;
    return lane.thread;
  }

  /** The slice of a request, those of its attempts, and the flow through them. */
  #request(placement: Placement, id: number): TraceEvent[] {
    const { device, sequence, node, mode, bytes, issued, settled, source, nid, pfn } = placement;
    const end = Number.isNaN(settled) ? issued : settled;
    const process = FIRST_NODE + Math.max(node, 0);
    const name = device === '' ? 'kernel' : device;
    const thread = this.#lane(`device ${name}`, process, { name, start: issued, end });
    const args = { request: `${name}#${sequence}`, size: bytes, source, nid, pfn };
    const title = `${calls[mode]} ${bytes}`;
    const slice = complete({ name: title, process, thread, start: issued, end, args });
    const hops = [...this.#attempts(placement, end), ...this.#buddy(placement, end)];
    const at = { process, thread, time: issued };
    const flow = hops.length === 0 ? [] : [flowStep('s', id, at)];
    hops.forEach((hop, i) => {
      flow.push(hop.slice, flowStep(i === hops.length - 1 ? 'f' : 't', id, hop));
    });
    return [slice, ...flow];
  }

  #attempts({ attempts, issued }: Placement, settled: number): Hop[] {
    return attempts.flatMap((tried): Hop[] => {
      const area = this.#run.layout.areas.find(({ name }) => name === tried.area);
      if (area === undefined) return [];
      const start = Math.max(issued, tried.start);
      const end = Math.max(start, Math.min(tried.end, settled));
      const process = this.#processOf(area);
      const thread = this.#lane(`area ${area.name}`, process, { name: area.name, start, end });
      const { count, align, err, retries, pfn } = tried;
      const args = { count, align, errno: err, busy_retries: retries, pfn };
      const name = err === 0 ? `cma_alloc ${count}` : `cma_alloc ${count} failed`;
      const slice = complete({ name, process, thread, start, end, args });
      return [{ slice, process, thread, time: start }];
    });
  }

  /** The default area is the coordinator's, any other its node's. */
  #processOf({ index, nid }: AreaLayout): number {
    return index === this.#run.layout.defaultArea ? COORDINATOR : FIRST_NODE + nid;
  }

  #buddy({ role, nid, pages, pfn, attempts, issued }: Placement, settled: number): Hop[] {
    if (role !== 'buddy') return [];
    const process = FIRST_NODE + Math.max(nid, 0);
    const start = Math.min(settled, Math.max(issued, attempts.at(-1)?.end ?? issued));
    const span = { name: 'buddy', start, end: settled };
    const thread = this.#lane(`buddy ${nid}`, process, span);
    const name = `alloc_pages ${pages}`;
    const slice = complete({ name, process, thread, start, end: settled, args: { pages, pfn } });
    return [{ slice, process, thread, time: start }];
  }

  *#counters(): Generator<TraceEvent> {
    const states = areaCounters(this.#run);
    for (const { area } of states) yield this.#counter(area, 0, states[area.index]);
    for (const change of areaChanges(this.#run)) {
      const state = states[change.area];
      state.apply(change);
      yield this.#counter(state.area, change.time, state);
    }
  }

  #counter(area: AreaLayout, time: number, state: AreaCounter): TraceEvent {
    const args = { used: state.used, 'largest free run': state.maxchunk };
    const name = `${area.name} pages`;
    return { ph: 'C', name, pid: this.#processOf(area), ts: micros(time), args };
  }
}

interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

interface Place {
  readonly process: number;
  readonly thread: number;
  readonly time: number;
}

interface Hop extends Place {
  readonly slice: TraceEvent;
}

/** What a driver called; of page tables, what the IOMMU did. */
const calls: Readonly<Record<Placement['mode'], string>> = {
  coherent: 'dma_alloc',
  contiguous: 'dma_alloc',
  iommu: 'dma_alloc',
  raw: 'cma_alloc',
  pages: 'alloc_pages',
  bulk: 'alloc_pages_bulk',
  tables: 'iommu_map',
};

const micros = (ns: number) => ns / 1_000;

function named(what: string, process: number, thread: number, name: string): TraceEvent {
  return { ph: 'M', name: what, pid: process, tid: thread, args: { name } };
}

function complete(
  slice: Omit<Span, 'name'> & {
    name: string;
    process: number;
    thread: number;
    args: Readonly<Record<string, unknown>>;
  },
): TraceEvent {
  const { name, process, thread, start, end, args } = slice;
  const dur = micros(end - start);
  return { ph: 'X', cat: 'cma', name, pid: process, tid: thread, ts: micros(start), dur, args };
}

/** `bp`: the flow binds to the slice around it, not to the next one. */
function flowStep(ph: 's' | 't' | 'f', id: number, { process, thread, time }: Place): TraceEvent {
  const step = { ph, id, cat: 'cma', name: 'request', pid: process, tid: thread, ts: micros(time) };
  return ph === 's' ? step : { ...step, bp: 'e' };
}
