/**
 * A run as the trace events its kernel would have written: cma_* and dma_*, task by task.
 *
 * A task cannot nest two DMA calls, so a device that has several under way has several tasks. Times
 * are the model's. Only what a driver calls as dma_alloc_*() writes dma_*: a page pool,
 * alloc_pages() and cma_alloc() itself do not. Left out: events of maps, the page allocator and
 * the IOMMU, which the run does not have one by one.
 */
import { isDmaCall, type Placement, type Tried } from '../run/placement.js';
import type { ExportRun } from './run.js';

export interface KernelEvent {
  /** ns. */
  readonly time: number;
  readonly pid: number;
  readonly task: string;
  readonly cpu: number;
  readonly name: string;
  readonly payload: string;
}

/** Events of a run in the order of time. */
export function kernelEvents(run: ExportRun): KernelEvent[] {
  return new Writer(run).write();
}

interface Task {
  readonly pid: number;
  readonly name: string;
  readonly cpu: number;
  /** Until when it is in a call. */
  busy: number;
}

/** Something a task does, with everything it writes about it. */
interface Call {
  readonly start: number;
  readonly end: number;
  readonly device: string;
  readonly node: number;
  write(task: Task): void;
}

const FIRST_PID = 1_000;
const hex = (value: number) => value.toString(16);
/** Where a kernel maps all of memory: the virtual address of a page says which it is. */
const virtOf = (address: number) => `ffff8${hex(address).padStart(11, '0')}`;
const pageStruct = (pfn: number) => `ffffe${hex(pfn * 64).padStart(11, '0')}`;
const zeros = '0'.repeat(16);

class Writer {
  readonly #run: ExportRun;
  readonly #events: KernelEvent[] = [];
  readonly #tasks = new Map<string, Task[]>();
  readonly #cpuOfNode = new Map<number, number>();
  readonly #free = new Map<string, number>();
  #pid = FIRST_PID;

  constructor(run: ExportRun) {
    this.#run = run;
    let cpu = 0;
    for (const { nid, cpus } of run.machine.nodes) {
      this.#cpuOfNode.set(nid, cpus > 0 ? cpu : 0);
      cpu += cpus;
    }
  }

  write(): KernelEvent[] {
    const calls = this.#run.placements.flatMap((placement) => this.#calls(placement));
    for (const { source, pfn, pages, freed } of this.#run.early) {
      if (freed === Number.POSITIVE_INFINITY) continue;
      const at = { start: freed, end: freed, device: '', node: -1 };
      const write = (task: Task) => {
        this.#cmaRelease(source, pfn, { count: pages, time: freed, task });
      };
      calls.push({ ...at, write });
    }
    calls.sort((a, b) => a.start - b.start);
    for (const call of calls) {
      const task = this.#taskFor(call);
      task.busy = call.end;
      call.write(task);
    }
    this.#events.sort((a, b) => a.time - b.time);
    return this.#withAvailable();
  }

  #taskFor({ device, node, start }: Call): Task {
    const list = this.#tasks.get(device) ?? [];
    this.#tasks.set(device, list);
    const idle = list.find(({ busy }) => busy < start);
    if (idle !== undefined) return idle;
    const cpu = this.#cpuOfNode.get(node) ?? 0;
    const name = device === '' ? 'swapper/0' : `kworker/${cpu}:${list.length}`;
    const task = { pid: this.#pid++, name, cpu, busy: start };
    list.push(task);
    return task;
  }

  #calls(placement: Placement): Call[] {
    const { device, node, issued, settled, freed } = placement;
    // A request that never came back wrote what it had tried by then, and no dma_alloc.
    const end = Number.isNaN(settled) ? Number.POSITIVE_INFINITY : settled;
    const write = (task: Task) => this.#alloc(placement, task);
    const calls: Call[] = [{ start: issued, end, device, node, write }];
    if (freed < Number.POSITIVE_INFINITY) {
      const release = (task: Task) => this.#release(placement, task);
      calls.push({ start: freed, end: freed, device, node, write: release });
    }
    return calls;
  }

  #event(task: Task, time: number, name: string, payload: string): void {
    this.#events.push({ time, pid: task.pid, task: task.name, cpu: task.cpu, name, payload });
  }

  #alloc(placement: Placement, task: Task): void {
    for (const tried of placement.attempts) this.#cmaAlloc(tried, placement.issued, task);
    const { device, bytes, gfp, pfn, settled } = placement;
    if (!this.#hasDmaEvents(placement) || Number.isNaN(settled)) return;
    const address = Math.max(pfn, 0) * this.#run.machine.pageSize;
    const virt = pfn < 0 ? zeros : virtOf(address);
    const where = `dir=BIDIRECTIONAL dma_addr=${hex(address)} size=${bytes} virt_addr=${virt}`;
    this.#event(task, settled, 'dma_alloc', `${device} ${where} flags=${gfp} attrs=`);
  }

  #cmaAlloc(tried: Tried, issued: number, task: Task): void {
    const { trace } = this.#run.release;
    const { area, count, align, err, end, pfn, givenBack } = tried;
    if (area === '' || (err === 1 && !trace.startBeforeTests)) return;
    const start = Math.max(issued, Math.min(tried.start, end));
    if (trace.start !== null) {
      this.#event(
        task,
        start,
        trace.start,
        `name=${area} ${trace.startCount}=${count} align=${align}`,
      );
    }
    if (err === 1) return;
    const failed = pfn < 0;
    const name = trace.start === null ? '' : `name=${area} `;
    const none = trace.start === null ? 'ffffffffffffffff' : '0x0';
    const first = failed ? none : `${trace.start === null ? '' : '0x'}${hex(pfn)}`;
    const page = failed ? zeros : pageStruct(pfn);
    const errno = trace.finishHasErrno ? ` errorno=${Math.min(err, 0)}` : '';
    const fields = `${name}pfn=${first} page=${page} count=${count} align=${align}${errno}`;
    this.#event(task, end, trace.finish, fields);
    if (givenBack) this.#cmaRelease(area, tried.pfn, { count, time: end, task });
  }

  #cmaRelease(area: string, pfn: number, at: { count: number; time: number; task: Task }): void {
    const { trace } = this.#run.release;
    const { count, time, task } = at;
    const name = trace.start === null ? '' : `name=${area} `;
    const first = `${trace.start === null ? '' : '0x'}${hex(pfn)}`;
    const fields = `${name}pfn=${first} page=${pageStruct(pfn)} count=${count}`;
    this.#event(task, time, 'cma_release', fields);
  }

  #hasDmaEvents(placement: Placement): boolean {
    return isDmaCall(placement) && this.#run.release.trace.dmaEvents;
  }

  #release(placement: Placement, task: Task): void {
    const { device, bytes, pfn, pages, role, source, freed } = placement;
    if (this.#hasDmaEvents(placement)) {
      const address = pfn * this.#run.machine.pageSize;
      const where = `dma_addr=${hex(address)} size=${bytes} virt_addr=${virtOf(address)}`;
      this.#event(task, freed, 'dma_free', `${device} dir=BIDIRECTIONAL ${where} attrs=`);
    }
    if (role === 'buddy' || role === 'refused') return;
    this.#cmaRelease(source, pfn, { count: pages, time: freed, task });
  }

  /** Adds what releases print of an area's free pages, which only the order of events tells. */
  #withAvailable(): KernelEvent[] {
    if (this.#run.release.trace.startCount !== 'request_count') return this.#events;
    const total = new Map<string, number>();
    for (const { name, count } of this.#run.layout.areas) {
      const inArea = this.#run.early.filter(({ source }) => source === name);
      const held = inArea.reduce((sum, { pages }) => sum + pages, 0);
      total.set(name, count);
      this.#free.set(name, count - held);
    }
    return this.#events.map((event) => {
      const area = /^name=(\S+)/.exec(event.payload)?.[1];
      if (area === undefined) return event;
      const free = this.#free.get(area) ?? 0;
      const count = Number(/ (?:request_)?count=(\d+)/.exec(event.payload)?.[1]);
      if (event.name === 'cma_release') this.#free.set(area, free + count);
      if (event.name === 'cma_alloc_finish' && event.payload.endsWith('errorno=0')) {
        this.#free.set(area, free - count);
      }
      if (event.name !== 'cma_alloc_start') return event;
      const counts = `available_count=${free} total_count=${total.get(area) ?? 0}`;
      return { ...event, payload: event.payload.replace(' align=', ` ${counts} align=`) };
    });
  }
}
