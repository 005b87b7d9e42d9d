import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reconstruction } from '#cmasim/trace/join/reconstruct.js';
import type { DmaFree, DmaRequest } from '#cmasim/trace/join/request.js';
import { Names } from '#cmasim/trace/read/event.js';
import { readChunks, readTrace } from '#cmasim/trace/read/read.js';
import { cases } from '../cases.js';
import { once, recorded } from './recordings.js';

/** A recording under test: lines in, requests and frees out. */
class Script {
  readonly lines: string[] = ['# tracer: nop'];
  readonly requests: DmaRequest[] = [];
  readonly frees: DmaFree[] = [];
  readonly reconstruction = new Reconstruction(new Names(), {
    sink: {
      alloc: (request) => this.requests.push(request),
      free: (free) => this.frees.push(free),
    },
  });
  #time = 1;

  say(pid: number, text: string): this {
    this.#time++;
    const time = `${Math.floor(this.#time / 1e6)}.${String(this.#time % 1e6).padStart(6, '0')}`;
    this.lines.push(`     task-${pid}     [000] .....     ${time}: ${text}`);
    return this;
  }

  attempt(pid: number, area: string, pfn: number, count: number, errno = 0): this {
    this.say(pid, `cma_alloc_start: name=${area} count=${count} align=0`);
    return this.say(
      pid,
      `cma_alloc_finish: name=${area} pfn=0x${pfn.toString(16)} page=0 count=${count} align=0 errorno=${errno}`,
    );
  }

  alloc(pid: number, device: string, pfn: number, size: number): this {
    const dma = (pfn * 4096).toString(16);
    return this.say(
      pid,
      `dma_alloc: ${device} dir=BIDIRECTIONAL dma_addr=${dma} size=${size} virt_addr=000000005ec80dc3 flags=GFP_KERNEL attrs=`,
    );
  }

  free(pid: number, device: string, pfn: number, size: number): this {
    const dma = (pfn * 4096).toString(16);
    return this.say(
      pid,
      `dma_free: ${device} dir=BIDIRECTIONAL dma_addr=${dma} size=${size} virt_addr=000000005ec80dc3 attrs=`,
    );
  }

  release(pid: number, area: string, pfn: number, count: number): this {
    return this.say(
      pid,
      `cma_release: name=${area} pfn=0x${pfn.toString(16)} page=0 count=${count}`,
    );
  }

  async read(): Promise<this> {
    const { reconstruction } = this;
    const text = Buffer.from(`${this.lines.join('\n')}\n`);
    await readChunks('script', once(text), reconstruction.names, reconstruction);
    reconstruction.nextPhase();
    return this;
  }
}

const sources = (script: Script) => script.requests.map(({ source }) => source);

describe('a request and the areas it asked', () => {
  test('tasks may interleave: each dma_alloc takes what its own task was granted', async () => {
    const script = new Script();
    script.say(1, 'cma_alloc_start: name=numa0 count=4 align=2');
    script.say(2, 'cma_alloc_start: name=numa1 count=16 align=4');
    script.say(2, 'cma_alloc_finish: name=numa1 pfn=0x900 page=0 count=16 align=4 errorno=0');
    script.say(1, 'cma_alloc_finish: name=numa0 pfn=0x100 page=0 count=4 align=2 errorno=0');
    await script.alloc(2, 'b', 0x900, 65536).alloc(1, 'a', 0x100, 16384).read();
    expect(script.requests.map(({ device, source, pfn }) => [device, source, pfn])).toEqual([
      ['b', 'numa1', 0x900],
      ['a', 'numa0', 0x100],
    ]);
  });

  test('a refusal and the area asked next belong to one request', async () => {
    const script = new Script().attempt(1, 'numa1', 0, 4, -16).attempt(1, 'reserved', 0x200, 4);
    await script.alloc(1, 'a', 0x200, 16384).read();
    expect(script.requests[0].attempts.map(({ area, errno }) => [area, errno])).toEqual([
      ['numa1', -16],
      ['reserved', 0],
    ]);
    expect(sources(script)).toEqual(['reserved']);
  });

  test('refused by every area, the request is served by the buddy', async () => {
    const script = new Script().attempt(1, 'numa1', 0, 4, -16).attempt(1, 'reserved', 0, 4, -12);
    await script.alloc(1, 'a', 0x5000, 16384).read();
    expect(sources(script)).toEqual(['buddy']);
  });

  test('pages a mask does not reach are given back within the request', async () => {
    const script = new Script()
      .attempt(1, 'reserved', 0x100000, 2)
      .release(1, 'reserved', 0x100000, 2);
    await script.alloc(1, 'a', 0x5000, 8192).read();
    expect(script.requests[0].attempts[0].givenBack).toBe(true);
    expect(sources(script)).toEqual(['buddy']);
    expect([...script.reconstruction.memory.claims()]).toEqual([]);
  });

  test("the kernel's own pools are requests without a device", async () => {
    const script = new Script().attempt(1, 'reserved', 0x100, 256).attempt(1, 'reserved', 0x200, 4);
    await script.alloc(1, 'a', 0x200, 16384).attempt(1, 'reserved', 0x300, 256).read();
    expect(script.requests.map(({ api, device, source }) => [api, device, source])).toEqual([
      ['cma_alloc', '', 'reserved'],
      ['dma_alloc', 'a', 'reserved'],
      ['cma_alloc', '', 'reserved'],
    ]);
  });

  test('an area asked twice is asked for two requests, so no task piles attempts up', async () => {
    const script = new Script();
    for (let i = 0; i < 20; i++) script.attempt(1, 'numa1', 0, 4, -12);
    await script.read();
    expect(script.requests.length).toBe(20);
    expect(script.requests.every(({ attempts }) => attempts.length === 1)).toBe(true);
  });

  test('an allocation that returns null is refused', async () => {
    const script = new Script();
    script.say(
      1,
      'dma_alloc: a dir=NONE dma_addr=0 size=8192 virt_addr=(nil) flags=GFP_KERNEL attrs=',
    );
    await script.read();
    expect(sources(script)).toEqual(['refused']);
    expect(script.reconstruction.memory.requestsLive).toBe(0);
  });

  test('a gap in the recording joins nothing across it', async () => {
    const script = new Script().attempt(1, 'numa0', 0x100, 4);
    script.lines.push('CPU:0 [LOST 12 EVENTS]');
    await script.alloc(1, 'a', 0x100, 16384).read();
    expect(sources(script)).toEqual(['numa0', 'buddy']);
    expect(script.requests[0].device).toBe('');
  });
});

describe('what was live before the recording', () => {
  test('a free without its allocation is listed with area and pages', async () => {
    const script = new Script().free(1, 'a', 0x100, 16384).release(1, 'numa0', 0x100, 4);
    await script.read();
    const { before, beforeCount } = script.reconstruction.memory;
    expect(beforeCount).toBe(1);
    expect(before[0]).toMatchObject({
      device: 'a',
      area: 'numa0',
      pfn: 0x100,
      count: 4,
      size: 16384,
    });
  });

  test('a free of a null pointer proves nothing', async () => {
    const script = new Script();
    script.say(1, 'dma_free: a dir=BIDIRECTIONAL dma_addr=0 size=0 virt_addr=(nil) attrs=');
    expect((await script.read()).reconstruction.memory.beforeCount).toBe(0);
  });

  test('an area says how many of its pages were taken, where the release prints it', async () => {
    const script = new Script();
    script.say(
      1,
      'cma_alloc_start: name=r request_count=4 available_count=90 total_count=100 align=0',
    );
    expect((await script.read()).reconstruction.memory.areasAtStart.get('r')).toMatchObject({
      total: 100,
      used: 10,
    });
  });
});

test('kprobes: a call, the IOMMU page mapped within it, and its return are one request', async () => {
  const requests: DmaRequest[] = [];
  const reconstruction = new Reconstruction(new Names(), {
    sink: { alloc: (request) => requests.push(request) },
  });
  const { names } = reconstruction;
  await readTrace(recorded('x86-6.1-kprobe/probe.trace.gz'), names, reconstruction);
  expect(requests[0]).toMatchObject({
    device: '0000:62:00.0',
    size: 512,
    gfp: '0xcc0',
    dmaAddr: 0xfffff000,
    source: 'buddy',
  });
  expect(requests.length).toBe(46);
  expect(reconstruction.maps.matched).toBe(50);
  expect(reconstruction.maps.unmatched).toBe(0);
});

test('every page of the exhausted area is claimed at the end, as its counters say', async () => {
  const reconstruction = new Reconstruction(new Names());
  for (const phase of ['probe', 'ifup', 'ring', 'net', 'nvme', 'reload']) {
    const file = recorded(`x86-7.2-exhaust/${phase}.trace.gz`);
    await readTrace(file, reconstruction.names, reconstruction);
    reconstruction.nextPhase();
  }
  const pages = [...reconstruction.memory.claims()].filter(({ area }) => area === 'numa1');
  expect(pages.reduce((sum, { count }) => sum + count, 0)).toBe(512);
  expect(reconstruction.restarts).toBe(0);
});

/** Steps of several tasks; what a step does depends on what the task holds. */
const steps = fc.array(
  fc.record({
    task: fc.integer({ min: 1, max: 4 }),
    what: fc.constantFrom('alloc', 'fallback', 'unreachable', 'own', 'free'),
    count: fc.integer({ min: 1, max: 16 }),
  }),
  { maxLength: 80 },
);

test('whatever tasks do, pages granted less pages released are the pages that are live', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const script = new Script();
      const held: { device: string; pfn: number; count: number }[] = [];
      const expected: string[] = [];
      let next = 0x100;
      for (const { task, what, count } of plan) {
        const device = `dev${task}`;
        const pfn = next;
        next += 16;
        if (what === 'free') {
          const row = held.pop();
          if (row === undefined) continue;
          script.free(task, row.device, row.pfn, row.count * 4096);
          script.release(task, 'area', row.pfn, row.count);
          continue;
        }
        if (what === 'fallback') script.attempt(task, 'other', 0, count, -12);
        script.attempt(task, 'area', pfn, count);
        if (what === 'unreachable') script.release(task, 'area', pfn, count);
        if (what === 'own') script.alloc(task, device, 0xffff, (count + 1) * 4096);
        else script.alloc(task, device, pfn, count * 4096);
        if (what === 'own') expected.push('area', 'buddy');
        else expected.push(what === 'unreachable' ? 'buddy' : 'area');
        if (what === 'alloc' || what === 'fallback') held.push({ device, pfn, count });
      }
      await script.read();
      const { memory } = script.reconstruction;
      expect(sources(script)).toEqual(expected);
      const own = script.requests.filter(({ api }) => api === 'cma_alloc');
      const live = [...memory.claims()].reduce((sum, { count }) => sum + count, 0);
      const kept = [...held.map(({ count }) => count), ...own.map(({ size }) => size / 4096)];
      expect(live).toBe(kept.reduce((sum, count) => sum + count, 0));
      expect(script.frees.every(({ request, pfn }) => request?.pfn === pfn)).toBe(true);
      expect(memory.beforeCount).toBe(0);
    }),
    cases(60),
  );
});
