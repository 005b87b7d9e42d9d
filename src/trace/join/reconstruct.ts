/**
 * Joins the events of a recording to requests: which device asked, what was tried, what served it,
 * when it was freed; and counts them per phase.
 *
 * cma_* events carry no device, dma_alloc comes after the cma_alloc() calls it made and dma_free
 * before its cma_release(): they are joined on the thread. A request's last attempt must be as
 * large as the request; one that is not is the kernel's own (atomic pools). Memory is bounded by
 * what is live. Left out: which buddy pages a request got (mm_page_alloc tells no caller).
 */
import { ABSENT, kinds, type Names, type TraceEvent, type TraceSink } from '../read/event.js';
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
  #pageShift: number;
  #pageShiftKnown: boolean;
  #file = 0;
  #last = Number.NEGATIVE_INFINITY;
  readonly #nodeOf: (device: string) => number | undefined;
  readonly #sink: RequestSink;
  readonly #tasks = new Tasks((state, pid) => this.#abandon(state, pid));

  constructor(names: Names, options: ReconstructionOptions = {}) {
    this.names = names;
    this.#pageShift = options.pageShift ?? 12;
    this.#pageShiftKnown = options.pageShift !== undefined;
    this.#nodeOf = options.nodeOf ?? (() => undefined);
    this.#sink = options.sink ?? {};
  }

  get pageShift(): number {
    return this.#pageShift;
  }

  /** Ends a phase and starts the next; what is live stays live. Returns the phase that ended. */
  nextPhase(): Phase {
    this.#tasks.dropAll();
    const ended = this.phase;
    this.phase = new Phase();
    this.#file++;
    return ended;
  }

  lost(_cpu: number, _events: number): void {
    // Half a request proves nothing: what was open is given up, what is live stays.
    this.#tasks.dropAll();
  }

  event(event: TraceEvent): void {
    const kind = event.kind;
    if (kind >= kinds.cmaAllocStart && kind <= kinds.cmaRelease && event.area === ABSENT) {
      event.area = this.names.areas.id('unnamed');
    }
    if (this.phase.events === 0 && event.time < this.#last) this.#restart();
    this.phase.count(event);
    if (kind === kinds.dmaMap) this.maps.map(event);
    else if (kind === kinds.dmaUnmap) this.maps.unmap(event, 2 ** this.#pageShift);
    else if (kind >= kinds.dmaAlloc) this.#rare(event, kind);
    this.#last = event.time;
  }

  /** What was live belongs to another time. */
  #restart(): void {
    this.#tasks.dropAll();
    this.memory = new LiveMemory();
    this.maps = new MapBook();
    this.restarts++;
  }

  #rare(event: TraceEvent, kind: number): void {
    switch (kind) {
      case kinds.dmaMapSg:
        this.maps.mapSg(event);
        break;
      case kinds.dmaUnmapSg:
        this.maps.unmapSg(event);
        break;
      case kinds.dmaAlloc:
        if (event.probe === ABSENT) this.#dmaAlloc(event);
        else this.#tasks.of(event.pid).alloc = openProbe(event);
        break;
      case kinds.probeAllocReturn:
        this.#probeReturn(event);
        break;
      case kinds.dmaFree:
        this.#dmaFree(event);
        break;
      case kinds.cmaAllocStart:
        this.#cmaStart(event);
        break;
      case kinds.cmaBusyRetry: {
        const open = this.#tasks.peek(event.pid)?.open;
        if (open !== undefined) open.busyRetries++;
        break;
      }
      case kinds.cmaAllocFinish:
      case kinds.cmaAlloc:
        this.#cmaFinish(event);
        break;
      case kinds.cmaRelease:
        this.#cmaRelease(event);
        break;
      case kinds.iommuMap:
        this.#iommuMap(event);
        break;
    }
  }

  #iommuMap(event: TraceEvent): void {
    this.maps.iommuMap(event, 2 ** this.#pageShift);
    const probe = this.#tasks.peek(event.pid)?.alloc;
    if (probe !== undefined && probe !== null && probe.dmaAddr < 0) probe.dmaAddr = event.dmaAddr;
  }

  #cmaStart(event: TraceEvent): void {
    const task = this.#tasks.of(event.pid);
    this.#settleFree(task);
    const attempt = this.#attempt(event);
    if (task.isAnother(attempt)) this.#ownPool(event.pid, task);
    task.attempts.push(attempt);
    this.memory.areaSeen(event.areaName(), event.available, event.total, event.time);
  }

  #attempt(event: TraceEvent): CmaAttempt {
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

  #cmaFinish(event: TraceEvent): void {
    const task = this.#tasks.of(event.pid);
    let attempt = task.open;
    if (attempt === undefined || attempt.area !== event.areaName()) {
      // Its start was before the recording or was lost, or the release has only this event.
      if (task.granted !== undefined) this.#ownPool(event.pid, task);
      attempt = this.#attempt(event);
      task.attempts.push(attempt);
    }
    attempt.end = event.time;
    if (cmaFailed(event)) attempt.errno = event.errno === 1 ? -1 : event.errno;
    else {
      attempt.pfn = event.pfn;
      this.memory.claim(attempt.area, event.pfn, attempt.count, event.time);
    }
  }

  #cmaRelease(event: TraceEvent): void {
    const area = event.areaName();
    const known = this.memory.release(area, event.pfn, event.count);
    const task = this.#tasks.peek(event.pid);
    const granted = task?.granted;
    if (granted !== undefined && granted.pfn === event.pfn && granted.area === area) {
      granted.givenBack = true;
      return;
    }
    const free = task?.free ?? null;
    if (task !== undefined && free !== null && this.#belongs(free, event)) {
      free.area = area;
      free.pfn = event.pfn;
      free.count = event.count;
      free.released = event.time;
      this.#settleFree(task);
      this.#tasks.settle(event.pid, task);
      return;
    }
    const { pfn, count, time, pid, cpu } = event;
    this.#sink.release?.({ area, pfn, count, time, pid, cpu });
    if (!known) {
      this.memory.provedBefore({
        device: '',
        area,
        pfn: event.pfn,
        count: event.count,
        size: -1,
        dmaAddr: -1,
        freed: event.time,
      });
    }
  }

  /** Whether a cma_release() is the one of the free before it: the same page, or the same size. */
  #belongs(free: DmaFree, event: TraceEvent): boolean {
    if (free.request !== null && free.request.pfn >= 0) return free.request.pfn === event.pfn;
    const page = 2 ** this.#pageShift;
    return (
      Math.floor(free.dmaAddr / page) === event.pfn || Math.ceil(free.size / page) === event.count
    );
  }

  #dmaAlloc(event: TraceEvent): void {
    const task = this.#tasks.peek(event.pid);
    if (task !== undefined) this.#settleFree(task);
    const failed = event.virtHigh === 0 && event.virtLow === 0;
    const key = event.dmaAddr;
    this.#complete(event, task, { failed, key, probe: null });
    if (task !== undefined) this.#tasks.settle(event.pid, task);
  }

  #probeReturn(event: TraceEvent): void {
    const task = this.#tasks.peek(event.pid);
    if (task === undefined || task.alloc === null) return;
    const probe = task.alloc;
    task.alloc = null;
    event.device = probe.device;
    const failed = event.virtHigh === 0 && event.virtLow === 0;
    this.#complete(event, task, { failed, key: virtKey(event), probe });
    this.#tasks.settle(event.pid, task);
  }

  /** Makes the request an allocation's last event completes. */
  #complete(
    event: TraceEvent,
    task: TaskState | undefined,
    how: { failed: boolean; key: number; probe: OpenProbe | null },
  ): void {
    const size = how.probe === null ? event.size : how.probe.size;
    if (task !== undefined && task.attempts.length > 0 && !this.#fits(task, event, size)) {
      this.#ownPool(event.pid, task);
    }
    const attempts = task === undefined ? [] : task.attempts;
    const granted = task?.granted;
    if (task !== undefined) task.attempts = [];
    const counts = this.phase.device(event.device);
    if (how.failed) counts.alloc_failed++;
    else if (granted !== undefined) {
      counts.from_area.set(granted.area, (counts.from_area.get(granted.area) ?? 0) + 1);
    }
    const source = how.failed ? 'refused' : (granted?.area ?? 'buddy');
    const dmaAddr = how.probe === null ? event.dmaAddr : how.probe.dmaAddr;
    const pfn = how.failed ? -1 : (granted?.pfn ?? -1);
    const request = this.#request(event, {
      size,
      attempts,
      source,
      pfn,
      dmaAddr,
      probe: how.probe,
    });
    if (!how.failed && how.key !== ABSENT) this.memory.allocated(event.device, how.key, request);
    this.#sink.alloc?.(request);
  }

  /**
   * Whether the attempts are those of a request of `size` bytes; learns the page size from the
   * first.
   */
  #fits(task: TaskState, event: TraceEvent, size: number): boolean {
    const granted = task.granted;
    if (!this.#pageShiftKnown && granted !== undefined) {
      for (const shift of [12, 14, 16]) {
        if (granted.pfn * 2 ** shift !== event.dmaAddr) continue;
        this.#pageShift = shift;
        this.#pageShiftKnown = true;
      }
    }
    const count = task.attempts[task.attempts.length - 1].count;
    const pages = size / 2 ** this.#pageShift;
    return Math.floor(pages) === count || Math.ceil(pages) === count;
  }

  #request(
    event: TraceEvent,
    known: Pick<DmaRequest, 'size' | 'attempts' | 'source' | 'pfn' | 'dmaAddr'> & {
      probe: OpenProbe | null;
    },
  ): DmaRequest {
    const { probe, ...rest } = known;
    const words = this.names.words;
    const device = event.deviceName();
    const gfp = probe === null ? event.gfp : probe.gfp;
    const attrs = probe === null ? event.attrs : probe.attrs;
    return {
      id: this.requests++,
      api: probe === null ? event.eventName() : 'dma_alloc',
      device,
      node: this.#nodeOf(device),
      gfp: gfp === ABSENT ? '' : words.text(gfp),
      attrs: attrs === ABSENT ? '' : words.text(attrs),
      pid: event.pid,
      cpu: event.cpu,
      task: event.task(),
      start: rest.attempts[0]?.start ?? probe?.time ?? event.time,
      end: event.time,
      line: event.line,
      file: this.#file,
      ...rest,
    };
  }

  /**
   * Attempts no DMA call explains: the kernel's own cma_alloc(), or one whose dma_alloc was not
   * recorded.
   */
  #ownPool(pid: number, task: TaskState): void {
    const attempts = task.attempts;
    task.attempts = [];
    const last = attempts[attempts.length - 1];
    if (last === undefined || Number.isNaN(last.end)) return;
    const request = poolRequest(attempts, {
      id: this.requests++,
      pid,
      pageSize: 2 ** this.#pageShift,
      file: this.#file,
    });
    this.#sink.alloc?.(request);
  }

  #dmaFree(event: TraceEvent): void {
    // Freeing a null pointer does nothing; drivers do it for queues that were never made.
    if (event.size <= 0 && event.dmaAddr <= 0) return;
    const probed = event.probe !== ABSENT;
    const request = this.memory.freed(event.device, probed ? virtKey(event) : event.dmaAddr);
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

/** A kernel address as a key: the low 53 bits are enough to tell mappings apart. */
function virtKey(event: TraceEvent): number {
  return (event.virtHigh & 0x1f_ffff) * 2 ** 32 + event.virtLow;
}
