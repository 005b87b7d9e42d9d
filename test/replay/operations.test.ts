import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { compareRows } from '#cmasim/replay/compareRows.js';
import { readOperations } from '#cmasim/replay/operationFile.js';
import { type ReplayOptions, replayOperations } from '#cmasim/replay/replay.js';
import { ReplayThreads } from '#cmasim/replay/threads.js';
import { UserError } from '#cmasim/text/userError.js';
import { readWhole } from '#cmasim/trace/read/whole.js';
import { claims } from '../claims.js';
import { operationText, replayInline } from '../nodes/harness.js';

const folder = new URL('../kernel/oracle/', import.meta.url);
const recordings = readdirSync(folder).filter((name) => /^[cr]\d.*\.jsonl\.gz$/.test(name));
const pathOf = (name: string): string => fileURLToPath(new URL(name, folder));

const threads = new ReplayThreads();
afterAll(() => threads.close());

const replay = async (name: string, options: ReplayOptions = {}) =>
  await replayOperations(threads, { name, text: await readWhole(pathOf(name)) }, options);

describe('the model does what a 6.12 kernel was recorded doing, in every row', () => {
  let operations = 0;
  test.each(recordings)('%s', async (name) => {
    const { first, different, compared, leaks } = await replay(name);
    operations += compared;
    expect(first).toBeNull();
    expect(different).toBe(0);
    expect(compared).toBeGreaterThan(20);
    expect(leaks.modelled).toBe(leaks.recorded);
  });
  test('they are as many as the README says', () => {
    expect(operations).toBe(claims.operations);
  });
});

test('a replay is the same on one, two and four shards', async () => {
  const prints = new Set<string>();
  for (const shards of [1, 2, 4]) {
    const run = await replay('r2k_4n_allpol.jsonl.gz', { shards, inline: true });
    expect(run.different).toBe(0);
    prints.add(run.fingerprint);
  }
  expect(prints.size).toBe(1);
});

describe('a recording that was tampered with is not equal', () => {
  const tampered = async (change: (row: unknown[]) => void): Promise<number> => {
    const rows = [
      ['alloc', 0, 'm', 1, 8192, 'KERNEL', null, 0, 69632, 1, 2, 'DMA32', [[0, 2, 1, 0, 0]]],
    ];
    const areas = [{ name: 'pernuma1', nid: 1, count: 512 }];
    change(rows[0]);
    return (await replayInline(operationText(2, areas, rows))).comparison.different;
  };
  test('untouched, it is', async () => {
    expect(await tampered(() => {})).toBe(0);
  });
  test.each([
    ['pfn', 8, 69634],
    ['area', 7, 'buddy'],
    ['node', 9, 0],
    ['pages', 10, 3],
    ['zone', 11, 'DMA'],
    ['attempts', 12, []],
    ['errno', 12, [[0, 2, 1, -16, 0]]],
    ['retries', 12, [[0, 2, 1, 0, 1]]],
  ])('%s', async (_, field, value) => {
    expect(await tampered((row) => (row[field] = value))).toBe(1);
  });
});

test('the comparison says where the first difference is, with both sides', async () => {
  const areas = [{ name: 'pernuma1', nid: 1, count: 512 }];
  const row = ['alloc', 0, 'm', 1, 8192, 'KERNEL', null, 0, 7, 1, 2, 'DMA32', [[0, 2, 1, 0, 0]]];
  const { comparison } = await replayInline(operationText(2, areas, [['note', 'x'], row]));
  expect(comparison.first).toMatchObject({ line: 5, expected: row });
  expect(comparison.first!.actual[8]).toBe(69632);
});

describe('what is no operation file is one line with its place', () => {
  const good = operationText(1, [{ name: 'pernuma0', nid: 0, count: 512 }], []);
  test.each([
    ['', /^f:1:1: an empty file, expected operations$/],
    ['{"a":1}\n', /^f:1:1: no operation file/],
    [good.split('\n')[0], /^f:1:1: ends before/],
    [`${good}\n["alloc",0,"m",1,8192,"KERNEL"`, /^f:4:\d+: not JSON/],
    [`${good}\n["explode",1]`, /^f:4:2: operation "explode"/],
    [`${good}\n["alloc",0,"z",1,8192,"KERNEL",null]`, /^f:4:1: policy "z", expected m, v or p/],
    [`${good}\n["alloc",0,"m",1,8192,"SLEEPY",null]`, /^f:4:1: gfp flag "SLEEPY"/],
    [`${good}\n["alloc",0,"m",1,8192,"KERNEL","nowhere"]`, /^f:4:1: area "nowhere"/],
    [`${good}\n["alloc",0,"m","x",8192,"KERNEL",null]`, /^f:4:1: field 3 of "alloc" is "x"/],
    [`${good}\n["alloc",0,"m",1.5,8192,"KERNEL",null]`, /^f:4:1: field 3 of "alloc" is 1.5, expe/],
    [`${good}\n["alloc",0,"m",64,8192,"KERNEL",null]`, /^f:4:1: field 3 .* from -1 to 63$/],
    [`${good}\n["free",0,"m",1,1e15,0,null]`, /^f:4:1: field 4 of "free" is 1000000000000000, /],
    [`${good}\n["cma_alloc",0,null,1,0]`, /^f:4:1: area null is not among the areas/],
    [`${good}\n["state",[3]]`, /^f:4:1: \[3\], expected a list with an entry per area/],
    [`${good}\n["zones",[[0,1,1,0,9]]]`, /^f:4:1: undefined, expected a list with zones in/],
    [good.replace('"count":', '"pages":'), /^f:3:1: areas\[0\]\.count: nothing, expected number$/],
    [good.replace('"spanned":', '"span":'), /^f:3:1: nodes\[0\]\.zones\[0\]\.spanned: nothing/],
    [good.replace('"default":-1', '"default":7'), /^f:3:1: default: 7, expected -1 to 0$/],
    [good.replace('"mem_node":0', '"mem_node":9'), /^f:3:1: node 9 is not among the nodes/],
    [`${good}\n["cpu",7,0]`, /^f:4:1: cpu 7 is not among the cpus/],
    [`${good}\n{"alloc":1}`, /^f:4:1: not an operation, expected an array/],
  ])('%#', (text, message) => {
    expect(() => readOperations('f', text)).toThrow(UserError);
    expect(() => readOperations('f', text)).toThrow(message);
  });
});

test('a file that is not there, and one cut short, are named', async () => {
  await expect(readWhole('/nowhere/at/all')).rejects.toThrow(/no such file/);
});

test('buddy pages compare by node, zone and count: their pfn is not in the recording', async () => {
  const row = ['alloc', 0, 'm', 0, 4096, 'KERNEL', null, 'buddy', 12345, 0, 1, 'DMA32', []];
  const { file, result } = await replayInline(operationText(2, [], [row]));
  const record = { observed: [result.observed], outcomes: result.outcomes! };
  expect(compareRows(file, record).equal).toBe(1);
});
