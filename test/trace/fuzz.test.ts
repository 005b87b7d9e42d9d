import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '#cmasim/text/userError.js';
import { Reconstruction } from '#cmasim/trace/join/reconstruct.js';
import { summarizeInput, summarizeTrace } from '#cmasim/trace/join/summary.js';
import { Names } from '#cmasim/trace/read/event.js';
import { LineSplitter } from '#cmasim/trace/read/lines.js';
import { readChunks } from '#cmasim/trace/read/read.js';
import { TextReader } from '#cmasim/trace/read/text.js';
import { cases } from '../cases.js';
import { once, recorded } from './recordings.js';

const samples = [
  'x86-7.2-exhaust/reload.trace.gz',
  'x86-6.1-kprobe/probe.trace.gz',
  'x86-7.2-direct/second-boot/opt-fields.trace.gz',
  'x86-7.2-direct/second-boot/opt-latency.trace.gz',
  'x86-7.2-direct/second-boot/perf-script-callgraph.txt.gz',
  'x86-7.2-direct/second-boot/perf-trace.txt.gz',
  'x86-7.2-direct/second-boot/perf-data-convert.json.gz',
].map((name) => gunzipSync(readFileSync(recorded(name))).subarray(0, 12_000));

/** Summary of the chunks, or the one-line error they end in; anything else fails the test. */
async function digest(...chunks: Uint8Array[]): Promise<string> {
  const names = new Names();
  const reconstruction = new Reconstruction(names);
  try {
    const tally = await readChunks('input', once(...chunks), names, reconstruction);
    const input = summarizeInput('input', tally, reconstruction.nextPhase(), { names });
    return JSON.stringify(summarizeTrace(reconstruction, [input]));
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { message } = error as UserError;
    expect(message).toMatch(/^input(?::\d+(?::\d+)?)?: [^\n]+$/);
    return message;
  }
}

/** The bytes cut at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  return [0, ...ends].map((from, i) => bytes.subarray(from, ends[i] ?? bytes.length));
}

const sample = fc.constantFrom(...samples);

describe('whatever arrives', () => {
  test('random bytes end in one line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4_000 }), async (bytes) => {
        await digest(bytes);
      }),
      cases(300),
    );
  });

  test('random text ends in one line, or in a summary', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 80 });
    const event = line.map((text) => `a-1 [000] ..... 1.000000: ${text}`);
    const dma = line.map((text) => `a-1 [000] ..... 1.000000: dma_alloc: ${text}`);
    const cma = line.map((text) => `a-1 [000] 1.000000: cma_alloc_finish: name=x ${text}`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(line, event, dma, cma)), async (lines) => {
        await digest(Buffer.from(lines.join('\n')));
      }),
      cases(300),
    );
  });

  test('a recording with bytes changed, cut out and put in is read as far as it goes', async () => {
    const change = fc.record({
      at: fc.nat(12_000),
      drop: fc.nat(60),
      put: fc.uint8Array({ maxLength: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(sample, fc.array(change, { maxLength: 12 }), async (bytes, changes) => {
        let mutated: Uint8Array = bytes;
        for (const { at, drop, put } of changes) {
          mutated = Buffer.concat([mutated.subarray(0, at), put, mutated.subarray(at + drop)]);
        }
        await digest(mutated);
      }),
      cases(300),
    );
  });

  test('how the bytes are cut into chunks makes no difference', async () => {
    await fc.assert(
      fc.asyncProperty(sample, fc.array(fc.nat(), { maxLength: 40 }), async (bytes, places) => {
        expect(await digest(...cut(bytes, places))).toBe(await digest(bytes));
      }),
      cases(100),
    );
  });

  test('a recording may begin and end anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(sample, fc.nat(12_000), fc.nat(12_000), async (bytes, from, length) => {
        await digest(bytes.subarray(from, from + length));
      }),
      cases(200),
    );
  });

  test('a gzip stream that breaks off gives what came before, and says so', async () => {
    const zipped = readFileSync(recorded('x86-7.2-exhaust/reload.trace.gz'));
    const text = await digest(zipped.subarray(0, 12_000));
    expect(JSON.parse(text).inputs[0].notes).toContain('the input breaks off before its end');
    expect(JSON.parse(text).inputs[0].events).toBeGreaterThan(500);
  });
});

describe('lines without end', () => {
  test('a line of 100 MB is skipped and counted; what stands around it is read', async () => {
    const event = Buffer.from('a-1 [000] ..... 1.000000: x: y\n');
    const part = Buffer.alloc(1 << 20, 'z');
    const chunks = [event, ...Array.from({ length: 100 }, () => part), Buffer.from('\n'), event];
    const before = process.memoryUsage().arrayBuffers;
    const summary = JSON.parse(await digest(...chunks));
    expect(summary.inputs[0].events).toBe(2);
    expect(summary.inputs[0].notes).toContain('1 line over 65536 bytes skipped');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  test('every byte of every line comes through once, whatever the chunks', () => {
    const lines = fc.array(fc.string({ maxLength: 40 }).map((text) => text.replace(/[\r\n]/g, '')));
    fc.assert(
      fc.property(lines, fc.array(fc.nat(), { maxLength: 10 }), (texts, places) => {
        const seen: string[] = [];
        const splitter = new LineSplitter({
          line: (text) => {
            seen.push(text);
          },
          oversize: () => seen.push('oversize'),
        });
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        for (const chunk of cut(bytes, places))
          splitter.push(Buffer.from(chunk).toString('latin1'));
        splitter.end();
        expect(seen).toEqual(texts);
      }),
    );
  });
});

describe('lines made to be slow', () => {
  const head = 'a-1 [000] ..... 1.000000: ';
  const patterns: [string, string, string?][] = [
    ['', '1'],
    ['', ' ', 'x'],
    ['', '('],
    ['', '-1'],
    ['a-1 ', '( 1'],
    ['', 'a-1 [1] '],
    ['a-1 [0]', ' ', 'x'],
    ['a-1 [0] 1.', '0'],
    [head, '1'],
    [head, ' ', 'x'],
    [head, 'a:'],
    [`${head}x: (`, '<-'],
    [`${head}dma_alloc: `, '='],
    [`${head}dma_alloc: `, 'x '],
    [`${head}dma_alloc: `, 'a="'],
    [`${head}dma_map_sg: sizes={`, '1,'],
    [`${head}dma_alloc: virt=`, 'f'],
    ['', ' a:a(', ')'],
    ['cma:cma_alloc(', 'a: "', ')'],
    ['cma:cma_alloc(', 'a: ', ')'],
    ['1.1 a', '/1'],
    ['', 'PERF_RECORD_LOST'],
    ['# latency: ', '#1/'],
    [' ', 'f'],
  ];

  /** CPU time in us of the fastest of some readings. */
  function cost(line: string): number {
    const chunk = Buffer.from(`${line}\n`);
    const reader = new TextReader(new Names(), { event() {}, lost() {} });
    const times = Array.from({ length: 8 }, () => {
      const before = process.cpuUsage();
      reader.push(chunk);
      return process.cpuUsage(before).user;
    });
    return Math.max(Math.min(...times), 20);
  }

  test.each(patterns)(
    '%j and many times %j: eight times the length, not 64 times the time',
    (start, part, end = '') => {
      const line = (length: number) => start + part.repeat(length / part.length) + end;
      expect(cost(line(64_000)) / cost(line(8_000))).toBeLessThan(40);
    },
  );
});

test.each([
  ['PERFILE2 and more', "perf's binary file: run `perf script` on it"],
  ['\u0017\bDtracing', "trace-cmd's binary file: run `trace-cmd report` on it"],
  ['', 'empty'],
  ['hello\nworld\n', 'input:1:1: not a trace: "hello" is no line of'],
  ['{"samples": [?', 'input:1:14: not JSON at "?"'],
])('%j: one line of error', async (text, message) => {
  expect(await digest(Buffer.from(text, 'latin1'))).toContain(message);
});
