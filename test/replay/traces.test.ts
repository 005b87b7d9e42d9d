/** Recorded traces against the model: same areas, same pages, and a name for whatever differs. */
import { afterAll, describe, expect, test } from 'vitest';
import { ReplayThreads } from '#cmasim/replay/threads.js';
import { type Recording, replayTrace } from '#cmasim/replay/traceReplay.js';
import type { DmaRequest } from '#cmasim/trace/join/request.js';
import { claims } from '../claims.js';
import { recordings } from '../trace/recordings.js';
import { recordingOf } from '../trace/servers.js';

const threads = new ReplayThreads();
afterAll(() => threads.close());

describe('a recording replayed on its own server goes where the kernel went', () => {
  let requests = 0;
  test.each(recordings)('%s', async (name) => {
    const recording = await recordingOf(name);
    requests += recording.requests.length;
    const { comparison } = await replayTrace(threads, recording);
    expect(comparison.differences).toEqual([]);
    expect(comparison.areaEqual).toBe(recording.requests.length);
    expect(comparison.pfnEqual).toBe(comparison.pfnComparable);
    expect(comparison.buddyNodes.equal).toBe(comparison.buddyNodes.compared);
  });
  test('their requests are as many as the README says', () => {
    expect(requests).toBe(claims.requests);
  });
});

test('where areas print their free pages, every request to one of them is compared', async () => {
  const { requests, ...recording } = await recordingOf('x86-7.2-exhaust');
  const { comparison } = await replayTrace(threads, { ...recording, requests });
  expect(comparison.pfnComparable).toBe(requests.filter(({ pfn }) => pfn >= 0).length);
  expect(comparison.pfnComparable).toBe(179);
  expect(comparison.pfnInferred).toBe(0);
});

test('a recording that begins in the middle is completed by what first fit passed over', async () => {
  const recording = await recordingOf('x86-7.2-exhaust', ['ring.trace.gz']);
  const start = recording.start.find(({ name }) => name === 'numa1')!;
  expect(start).toMatchObject({ knowledge: 'inferred', used: 512 });
  const { comparison } = await replayTrace(threads, recording);
  expect(comparison.differences).toEqual([]);
  expect(comparison.pfnInferred).toBeGreaterThan(0);
});

test('a replay is the same on one, two and four shards', async () => {
  const recording = await recordingOf('x86-7.2-life');
  const prints = new Set<string>();
  for (const shards of [1, 2, 4]) {
    prints.add((await replayTrace(threads, recording, { shards })).fingerprint);
  }
  expect(prints.size).toBe(1);
}, 120_000);

/** The recording with one request of an area changed; the times of others stay. */
function tampered(recording: Recording, change: (request: DmaRequest) => DmaRequest): Recording {
  const at = recording.requests.findIndex(({ pfn }) => pfn >= 0);
  const old = recording.requests[at];
  const other = change(old);
  const requests = recording.requests.with(at, other);
  const steps = recording.workload.steps.map((step) =>
    step.request === old ? { ...step, request: other } : step,
  );
  return { ...recording, requests, workload: { ...recording.workload, steps: steps as never } };
}

describe('a recording that was tampered with is not equal, and is not excused', () => {
  const moved = async (change: (request: DmaRequest) => DmaRequest) => {
    const recording = tampered(await recordingOf('x86-7.2-life'), change);
    const { comparison, drawing } = await replayTrace(threads, recording);
    return { first: comparison.differences[0], drawing };
  };
  test('another page', async () => {
    const { first, drawing } = await moved((request) => ({
      ...request,
      pfn: request.pfn + 256,
      attempts: request.attempts.map((one) => ({ ...one, pfn: one.pfn + 256 })),
    }));
    expect(first).toMatchObject({ kind: 'pfn', reason: 'not explained' });
    expect(drawing!.kernel).toContain('K');
    expect(drawing!.model).toContain('M');
    expect(drawing!.model).not.toBe(drawing!.kernel);
  });
  test('another area', async () => {
    const { first } = await moved((request) => ({
      ...request,
      source: 'reserved',
      attempts: request.attempts.map((one) => ({ ...one, area: 'reserved' })),
    }));
    expect(first.kind).toBe('area');
    expect(first.expected.source).toBe('reserved');
  });
});

describe('what is asked to be otherwise is named as the reason', () => {
  test.each([
    [{ append: 'cma_pernuma=0' }, 'other command line'],
    [{ kernel: '5.10' }, 'other kernel and policy'],
    [{ policy: 'pre' }, 'other policy'],
  ])('%o', async (change, reason) => {
    const recording = await recordingOf('x86-7.2-life');
    const { comparison } = await replayTrace(threads, recording, change);
    expect(comparison.differences.length).toBeGreaterThan(0);
    expect(new Set(comparison.differences.map((one) => one.reason))).toEqual(new Set([reason]));
  });
  test('a closed loop serves everything, in an order of its own', async () => {
    const recording = await recordingOf('x86-7.2-life');
    const { comparison, placements } = await replayTrace(threads, recording, { closedLoop: true });
    expect(placements.every(({ role }) => role !== 'refused')).toBe(true);
    for (const { reason } of comparison.differences) expect(reason).toBe('closed loop');
  });
});
