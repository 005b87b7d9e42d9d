/**
 * Joins the events of a recording to requests: which device asked, what was tried, what served it,
 * when it was freed; and counts them per phase.
 *
 * cma_* events carry no device, dma_alloc comes after the cma_alloc() calls it made and dma_free
 * before its cma_release(): they are joined on the thread. A request's last attempt must be as
 * large as the request; one that is not is the kernel's own (atomic pools). Memory is bounded by
 * what is live. Left out: which buddy pages a request got (mm_page_alloc tells no caller).
 */
import {
  ABSENT,
  isCma,
  type Kind,
  type Names,
  type TraceEvent,
  type TraceSink,
} from '../read/event.js';
import { LiveMemory } from './livememory.js';
import { MapBook } from './maps.js';
import { cmaFailed, Phase } from './phase.js';
import {
  type CmaAttempt,
  type DmaFree,
  type DmaRequest,
  liveBefore,
  poolRequest,
  type RequestSink,
} from './request.js';
import { type OpenProbe, openProbe, type TaskState, Tasks } from './tasks.js';

export interface ReconstructionOptions {
  /**
   * log2 of the page size; inferred from the first request that shows it when not given, 12 until
   * then.
   */
  readonly pageShift?: number;
  /** dev_to_node() by device name. */
  readonly nodeOf?: (device: string) => number | undefined;
  readonly sink?: RequestSink;
}

export class Reconstruction implements TraceSink {
  readonly names: Names;
  phase = new Phase();
  memory = new LiveMemory();
  maps = new MapBook();
  requests = 0;
  /**
   * Inputs whose first event is older than the last of the input before: another boot, or out of
   * order.
   */
  restarts = 0;
  /** Null until it is known. */
  #pageShift: number | null;
  #file = 0;
  #last = Number.NEGATIVE_INFINITY;
  readonly #nodeOf: (device: string) => number | undefined;
  readonly #sink: RequestSink;
  readonly #tasks = new Tasks((state, pid) => this.#abandon(state, pid));

  readonly #joins: { readonly [kind in Kind]?: (event: TraceEvent) => void } = {
    dmaMap: (event) => this.maps.map(event),
    dmaUnmap: (event) => this.maps.unmap(event, this.#pageSize),
    dmaMapSg: (event) => this.maps.mapSg(event),
    dmaUnmapSg: (event) => this.maps.unmapSg(event),
    dmaAlloc: (event) => this.#dmaAlloc(event),
    probeAllocReturn: (event) => this.#probeReturn(event),
    dmaFree: (event) => this.#dmaFree(event),
    cmaAllocStart: (event) => this.#cmaStart(event),
    cmaBusyRetry: (event) => this.#tasks.peek(event.pid)?.busyRetry(),
    cmaAllocFinish: (event) => this.#cmaFinish(event),
    cmaAlloc: (event) => this.#cmaFinish(event),
    cmaRelease: (event) => this.#cmaRelease(event),
    iommuMap: (event) => this.#iommuMap(event),
  };

  constructor(names: Names, options: ReconstructionOptions = {}) {
    this.names = names;
    this.#pageShift = options.pageShift ?? null;
    this.#nodeOf = options.nodeOf ?? (() => undefined);
    this.#sink = options.sink ?? {};
  }

  get pageShift(): number {
    return this.#pageShift ?? 12;
  }

  get #pageSize(): number {
    return 2 ** this.pageShift;
  }

  /** Ends a phase and starts the next; what is live stays live. Returns the phase that ended. */
  nextPhase(): Phase {
    this.#tasks.dropAll();
    const ended = this.phase;
    this.phase = new Phase();
    this.#file++;
    return ended;
  }

  lost(): void {
    // Half a request proves nothing: what was open is given up, what is live stays.
    this.#tasks.dropAll();
  }

  event(event: TraceEvent): void {
    if (event.area === ABSENT && isCma(event.kind)) event.area = this.names.areas.id('unnamed');
    if (this.phase.events === 0 && event.time < this.#last) this.#restart();
    this.phase.count(event);
    this.#joins[event.kind]?.(event);
    this.#last = event.time;
  }

  /** Forgets what was live: it belongs to another time. */
  #restart(): void {
    this.#tasks.dropAll();
    this.memory = new LiveMemory();
    this.maps = new MapBook();
    this.restarts++;
  }

  #iommuMap(event: TraceEvent): void {
    this.maps.iommuMap(event, this.#pageSize);
    const probe = this.#tasks.peek(event.pid)?.alloc ?? null;
    if (probe !== null && probe.dmaAddr < 0) probe.dmaAddr = event.dmaAddr;
  }

  #cmaStart(event: TraceEvent): void {
    const task = this.#tasks.of(event.pid);
    this.#settleFree(task);
    const attempt = attemptOf(event);
    if (task.isAnother(attempt)) this.#ownPool(event.pid, task);
    task.attempts.push(attempt);
    this.memory.areaSeen(event.areaName(), event.available, event.total, event.time);
  }

  #cmaFinish(event: TraceEvent): void {
    const task = this.#tasks.of(event.pid);
    let attempt = task.open;
    if (attempt === undefined || attempt.area !== event.areaName()) {
      // Its start was before the recording or was lost, or the release has only this event.
      if (task.granted !== undefined) this.#ownPool(event.pid, task);
      attempt = attemptOf(event);
      task.attempts.push(attempt);
    }
    attempt.end = event.time;
    if (cmaFailed(event)) attempt.errno = event.errno === 1 ? -1 : event.errno;
    else {
      attempt.pfn = event.pfn;
      const { area, count, pfn } = attempt;
      this.memory.claim({ area, pfn, count, time: event.time });
    }
  }

  #cmaRelease(event: TraceEvent): void {
    const { pfn, count, time, pid, cpu } = event;
    const area = event.areaName();
    const isKnown = this.memory.release(area, pfn, count);
    const task = this.#tasks.peek(pid);
    const granted = task?.granted;
    if (granted?.pfn === pfn && granted.area === area) {
      granted.givenBack = true;
      return;
    }
    const free = task?.free ?? null;
    if (task !== undefined && free !== null && this.#belongs(free, event)) {
      free.area = area;
      free.pfn = pfn;
      free.count = count;
      free.released = time;
      this.#settleFree(task);
      this.#tasks.settle(pid, task);
      return;
    }
    this.#sink.release?.({ area, pfn, count, time, pid, cpu });
    if (isKnown) return;
    this.memory.provedBefore(
      liveBefore({ device: '', area, pfn, count, size: -1, dmaAddr: -1, time }),
    );
  }

  /** True for the cma_release() of the free before it: the same page, or the same size. */
  #belongs(free: DmaFree, event: TraceEvent): boolean {
    if (free.request !== null && free.request.pfn >= 0) return free.request.pfn === event.pfn;
    const page = this.#pageSize;
    return (
      Math.floor(free.dmaAddr / page) === event.pfn || Math.ceil(free.size / page) === event.count
    );
  }

  #dmaAlloc(event: TraceEvent): void {
    if (event.probe !== ABSENT) {
      this.#tasks.of(event.pid).alloc = openProbe(event);
      return;
    }
    const task = this.#tasks.peek(event.pid);
    if (task !== undefined) this.#settleFree(task);
    this.#complete(event, task, null);
  }

  #probeReturn(event: TraceEvent): void {
    const task = this.#tasks.peek(event.pid);
    if (task === undefined || task.alloc === null) return;
    const probe = task.alloc;
    task.alloc = null;
    event.device = probe.device;
    this.#complete(event, task, probe);
  }

  /** Makes the request that an allocation's last event completes. */
  #complete(event: TraceEvent, task: TaskState | undefined, probe: OpenProbe | null): void {
    const { size, gfp, attrs, dmaAddr, time } = probe ?? event;
    if (task !== undefined && !this.#fits(task, event, size)) this.#ownPool(event.pid, task);
    const attempts = task?.attempts ?? [];
    const granted = task?.granted;
    const failed = event.virtHigh === 0 && event.virtLow === 0;
    const counts = this.phase.devices.of(event.device);
    if (failed) counts.alloc_failed++;
    else if (granted !== undefined) {
      counts.from_area.set(granted.area, (counts.from_area.get(granted.area) ?? 0) + 1);
    }
    const device = event.deviceName();
    const request: DmaRequest = {
      id: this.requests++,
      api: probe === null ? event.eventName() : 'dma_alloc',
      device,
      node: this.#nodeOf(device),
      size,
      gfp: this.names.words.text(gfp),
      attrs: this.names.words.text(attrs),
      pid: event.pid,
      cpu: event.cpu,
      task: event.task(),
      start: attempts[0]?.start ?? time,
      end: event.time,
      attempts,
      source: failed ? 'refused' : (granted?.area ?? 'buddy'),
      pfn: failed ? -1 : (granted?.pfn ?? -1),
      dmaAddr,
      line: event.line,
      file: this.#file,
    };
    const key = probe === null ? dmaAddr : virtKey(event);
    if (!failed && key !== ABSENT) this.memory.allocated(event.device, key, request);
    this.#sink.alloc?.(request);
    if (task === undefined) return;
    task.attempts = [];
    this.#tasks.settle(event.pid, task);
  }

  /**
   * True when the attempts are those of a request of `size` bytes; learns the page size from the
   * first.
   */
  #fits({ attempts, granted }: TaskState, event: TraceEvent, size: number): boolean {
    const last = attempts.at(-1);
    if (last === undefined) return true;
    if (granted !== undefined) {
      const isShift = (shift: number) => granted.pfn * 2 ** shift === event.dmaAddr;
      this.#pageShift ??= [12, 14, 16].findLast(isShift) ?? null;
    }
    const pages = size / this.#pageSize;
    return Math.floor(pages) === last.count || Math.ceil(pages) === last.count;
  }

  /**
   * Attempts no DMA call explains: the kernel's own cma_alloc(), or one whose dma_alloc was not
   * recorded.
   */
  #ownPool(pid: number, task: TaskState): void {
    const attempts = task.attempts;
    task.attempts = [];
    if (Number.isNaN(attempts.at(-1)?.end ?? Number.NaN)) return;
    const known = { id: this.requests++, pid, pageSize: this.#pageSize, file: this.#file };
    this.#sink.alloc?.(poolRequest(attempts, known));
  }

  #dmaFree(event: TraceEvent): void {
    // Freeing a null pointer does nothing; drivers do it for queues that were never made.
    if (event.size <= 0 && event.dmaAddr <= 0) return;
    const key = event.probe === ABSENT ? event.dmaAddr : virtKey(event);
    const request = this.memory.freed(event.device, key);
    const task = this.#tasks.of(event.pid);
    this.#settleFree(task);
    task.free = {
      request,
      device: event.deviceName(),
      size: event.size,
      dmaAddr: event.dmaAddr,
      time: event.time,
      pid: event.pid,
      cpu: event.cpu,
      area: '',
      pfn: -1,
      count: 0,
      released: Number.NaN,
    };
    if (request !== null && request.pfn < 0) {
      // It came from no area, so no cma_release() will follow.
      this.#settleFree(task);
      this.#tasks.settle(event.pid, task);
    }
  }

  /** The task has moved on: what its free was is known. */
  #settleFree(task: TaskState): void {
    const free = task.free;
    if (free === null) return;
    task.free = null;
    if (free.request === null) this.memory.provedBefore(liveBefore(free));
    this.#sink.free?.(free);
  }

  #abandon(state: TaskState, pid: number): void {
    this.#settleFree(state);
    if (state.attempts.length > 0) this.#ownPool(pid, state);
  }
}

function attemptOf(event: TraceEvent): CmaAttempt {
  return {
    area: event.areaName(),
    count: event.count,
    align: event.align,
    start: event.time,
    end: Number.NaN,
    pfn: -1,
    errno: 0,
    givenBack: false,
    available: event.available,
    total: event.total,
    busyRetries: 0,
  };
}

/** A kernel address as a key: the low 53 bits are enough to tell mappings apart. */
function virtKey(event: TraceEvent): number {
  return (event.virtHigh & 0x1f_ffff) * 2 ** 32 + event.virtLow;
}
