import { describe, expect, test } from 'vitest';
import type { TraceEvent } from '#cmasim/trace/read/event.js';
import { eventsOf, type Numbers, numbersOf, readText, recorded } from './recordings.js';

const boot = 'x86-7.2-direct/second-boot';
const numbers = (file: string) => eventsOf(recorded(`${boot}/${file}`), numbersOf);

describe('one recording, printed in several ways, reads the same', () => {
  test('perf script of two versions, with nanoseconds and header, and perf JSON', async () => {
    const plain = await numbers('perf-script.txt.gz');
    expect(plain.length).toBe(516);
    expect(await numbers('perf-script-ns-header.txt.gz')).toEqual(plain);
    expect(await numbers('perf-script-perf7.2.txt.gz')).toEqual(plain);
    expect(await numbers('perf-data-convert.json.gz')).toEqual(plain);
  });

  test('trace-cmd report, with nanoseconds, and with raw fields', async () => {
    const plain = await numbers('trace-cmd-report.txt.gz');
    expect(plain.length).toBe(6412);
    expect(await numbers('trace-cmd-report-t.txt.gz')).toEqual(plain);
    expect(await numbers('trace-cmd-report-R.txt.gz')).toEqual(plain);
  });

  test('the options of one ring resize: the same calls of the same device', async () => {
    const sizes = (events: readonly Numbers[]) =>
      events.filter(({ name }) => name === 'dma_alloc').map(({ device, size }) => [device, size]);
    const plain = sizes(await numbers('opt-clock-mono.trace.gz'));
    expect(plain.length).toBe(16);
    for (const option of ['clock-counter', 'clock-x86-tsc', 'fields', 'latency', 'noirqinfo']) {
      expect(sizes(await numbers(`opt-${option}.trace.gz`))).toEqual(plain);
    }
    expect(sizes(await numbers('opt-nohash-tgid.trace.gz'))).toEqual(plain);
  });

  test('perf with call graphs and perf trace: every area event of the other formats', async () => {
    const cma = (events: readonly Numbers[]) =>
      events.filter(({ area }) => area !== '').map(({ name, count }) => `${name} ${count}`);
    const plain = cma(await numbers('perf-script.txt.gz')).sort();
    expect(cma(await numbers('perf-script-callgraph.txt.gz')).sort()).toEqual(plain);
    expect(cma(await numbers('perf-trace.txt.gz')).sort()).toEqual(plain);
  });
});

const head = 'swapper/0-1       [003] .....     6.953217: ';
const one = async (line: string) => {
  const { events, tally } = await readText(`${line}\n`, (event) => ({
    ...event,
    task: event.task(),
    deviceName: event.deviceName(),
    areaName: event.areaName(),
    eventName: event.eventName(),
  }));
  expect(events.length).toBe(1);
  return { ...events[0], tally };
};

describe('the head of a line', () => {
  test.each([
    ['    kworker/u9:1-48      [000] .....    25.747131: x: y', 'kworker/u9:1', 48],
    ['      my task-with [1]-77      [012] d..1.     1.000001: x: y', 'my task-with [1]', 77],
    ['          <idle>-0       [005] d.h1.   241.986953: x: y', '<idle>', 0],
    ['           <...>-2585    [003]   238.547733: x: y', '<...>', 2585],
    ['         ethtool-2431    (   2431) [003] .....   186.143212: x: y', 'ethtool', 2431],
    ['         ethtool-2431    (-------) [003] .....   186.143212: x: y', 'ethtool', 2431],
    [' ethtool-2449      1..... 540945us+: x: y', 'ethtool', 2449],
    ['              dd-2616  [004]   246.830873549: x:     y', 'dd', 2616],
    ['              dd  2645/2646  [004]   324.860007874:    dma:x: y', 'dd', 2646],
    ['kworker/0:0-eve     9 [000]   324.860007:    dma:x: y', 'kworker/0:0-eve', 9],
    ['              dd  2645   324.860007:    dma:x: y', 'dd', 2645],
    ['              dd  2645 [001]   324.860007:     1    dma:x: y', 'dd', 2645],
  ])('%s', async (line, task, pid) => {
    const event = await one(line);
    expect([event.task, event.pid, event.eventName]).toEqual([task, pid, 'x']);
  });

  test('time is ns, whatever its digits; a clock without a unit keeps its ticks', async () => {
    expect((await one('a-1 [000] ..... 12.000345: x: y')).time).toBe(12_000_345_000);
    expect((await one('a-1 [000] 12.000345678: x: y')).time).toBe(12_000_345_678);
    const tsc = await one('a-1 [000] ..... 578845153325: x: y');
    expect([tsc.time, tsc.tally.clock]).toEqual([578845153325, 'ticks']);
    const latency = await one('  a-1   0..... 541005us : x: y');
    expect([latency.time, latency.tally.clock, latency.cpu]).toEqual([541005e3, 'relative', 0]);
  });
});

describe('the names an event has had', () => {
  test.each([
    ['cma_alloc_start: name=reserved count=256 align=8', 'cmaAllocStart', 256],
    [
      'cma_alloc_start: name=r request_count=4 available_count=9 total_count=16 align=2',
      'cmaAllocStart',
      4,
    ],
    [
      'cma_alloc_finish: name=r pfn=0xfa600 page=0 count=2 align=1 errorno=-16',
      'cmaAllocFinish',
      2,
    ],
    ['cma_alloc_finish: name=r pfn=fa600 page=000000003 count=2 align=1', 'cmaAllocFinish', 2],
    ['cma_alloc: pfn=fa600 page=00000000b9f28958 count=2 align=1', 'cmaAlloc', 2],
    ['cma_release: pfn=fa600 page=00000000b9f28958 count=7', 'cmaRelease', 7],
    ['cma_alloc_busy_retry: name=r pfn=0xfa600 page=0 count=3 align=1', 'cmaBusyRetry', 3],
  ])('%s', async (payload, kind, count) => {
    const event = await one(head + payload);
    expect([event.kind, event.count]).toEqual([kind, count]);
  });

  test('dma_alloc of 6.12.0 has no dir; a null pointer is told from a hidden one', async () => {
    const device = 'dma_alloc: arm-smmu-v3.2.auto dma_addr=fa900000 size=1048576 virt_addr=';
    const hidden = await one(`${head}${device}(____ptrval____) flags=GFP_KERNEL attrs=`);
    expect([hidden.deviceName, hidden.dmaAddr, hidden.size, hidden.virtLow]).toEqual([
      'arm-smmu-v3.2.auto',
      0xfa900000,
      1048576,
      -1,
    ]);
    expect((await one(`${head}${device}(nil) flags=GFP_KERNEL attrs=`)).virtLow).toBe(0);
  });

  test('a scatterlist is the sum of its printed sizes, cut or not, from its first page', async () => {
    const event = await one(
      `${head}dma_map_sg: 0000:62:00.0 dir=FROM_DEVICE nents=2/9 ents=2/9 [TRUNCATED] ` +
        'dma_addrs={0xfff40000,0xfff60000} sizes={0x20000,0x1000} phys_addrs={0x5038000,0x501f000} attrs=NO_WARN',
    );
    expect([event.size, event.dmaAddr, event.physAddr]).toEqual([0x21000, 0xfff40000, 0x5038000]);
  });

  test('a kprobe is known by its function, a return probe by its arrow', async () => {
    const entry = await one(
      `${head}p_alloc: (dma_alloc_attrs+0x0/0x60) dev="0000:62:00.0" size=512 gfp=0xcc0 attrs=0x0`,
    );
    expect([entry.kind, entry.deviceName, entry.size]).toEqual(['dmaAlloc', '0000:62:00.0', 512]);
    const back = await one(
      `${head}r_alloc: (nvme_alloc_queue+0x5a/0x170 [nvme] <- dma_alloc_attrs) virt=0xffffd3838012d000`,
    );
    expect([back.kind, back.virtHigh]).toEqual(['probeAllocReturn', 0xffffd383]);
    const bare = await one(
      `${head}dma_free_attrs:  (ffffffffb8341d90) dev="0000:21:00.0" size=16384 virt=0x1 dma=0xfff1c000`,
    );
    expect([bare.kind, bare.dmaAddr]).toEqual(['dmaFree', 0xfff1c000]);
  });
});

describe('what is no event', () => {
  test('lost and overwritten events are counted', async () => {
    const { tally } = await readText(
      `# entries-in-buffer/entries-written: 529/1200   #P:8\nCPU:1 [LOST 2279 EVENTS]\n${head}x: y\n`,
      () => 0,
    );
    expect([tally.overwritten, tally.lostMarkers, tally.lostEvents, tally.events]).toEqual([
      671, 1, 2279, 1,
    ]);
  });

  test('stacks, markers and strange lines are told apart', async () => {
    const { tally, events } = await readText(
      `${head}x: y\n${head}<stack trace>\n => dma_alloc_attrs\n\tffffffff8ba9a3e5 dma+0xf5 (k)\n` +
        `${head}tracing_mark_write: phase probe\n  what is this\n`,
      ({ kind }) => kind,
    );
    expect(events).toEqual(['other', 'marker']);
    expect([tally.stack, tally.nameless, tally.unrecognised]).toEqual([2, 1, 1]);
    expect(tally.firstUnrecognised).toEqual({ line: 6, column: 3, text: '"what is this"' });
  });
});

describe("perf's JSON", () => {
  const document = (...samples: string[]) =>
    `{"linux-perf-json-version": 1, "samples": [\n${samples.join(',\n')}\n]}`;
  const sample = (fields: string) =>
    `{"timestamp": 5, "tid": 7, "comm": "dd", "device": "d", "virt_addr": "0x1", "size": "8"${fields}}`;
  const device = (event: TraceEvent) => event.deviceName();

  test('its strings are read as JSON escapes them', async () => {
    const text = document(
      sample(String.raw`, "device": "caf\u00e9\r\/x \"\\ {[", "x": {"y": [1]}`),
    );
    const { events } = await readText(text, device);
    expect(events).toEqual(['café\r/x "\\ {[']);
  });

  test('it may end anywhere: the samples that are whole are read', async () => {
    const whole = document(sample(''), sample(''));
    for (
      let length = whole.indexOf(sample('')) + sample('').length;
      length < whole.length;
      length++
    ) {
      const { events, tally } = await readText(whole.slice(0, length), (event) => event.size);
      expect(new Set(events)).toEqual(new Set([8]));
      expect(tally.cutOff).toBe(true);
    }
    expect((await readText(`${whole}\n`, device)).tally.cutOff).toBe(false);
  });

  test.each([
    [document(sample(', "a": 1e5 2 3')), 'text:2:99: not JSON at "2 3}"'],
    [document(sample(', "b" "c"')), 'text:2:'],
    [document(sample(', "b": [1}')), 'text:2:97: not JSON at "}'],
    [document(`${sample('')} ${sample('')}`), 'text:2:90: not JSON at "{'],
    [document('', sample('')), 'text:2:1: not JSON at ",'],
    [document(sample(''), ''), 'text:4:1: not JSON at "]}'],
    [document(sample(''), '[1]'), 'text:3:1: not JSON at "[1]'],
    [document(sample(''), '5'), 'text:3:1: not JSON at "5'],
    [document(sample(', "b": .5')), 'text:2:'],
    [`{"a" "b", ${document(sample('')).slice(1)}`, 'text:1:6: not JSON at "'],
    [`${document(sample('')).slice(0, -1)}, 5}`, 'text:3:'],
    [`${document(sample(''))} {}`, 'text:3:4: not JSON at "{}"'],
    ['{"samples": 5}', 'text: not a trace: '],
    ['{"samples": {}}', 'text: not a trace: '],
    [document(), 'text: not a trace: '],
  ])('%j is refused with the place', async (text, message) => {
    await expect(readText(text, device)).rejects.toThrow(message);
  });
});
