import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadScenario, parseScenario, type RunResult, simulate } from '#cmasim/index.js';
import { figure, interval, meanWaitMD1, runText } from '../harness.js';

const board = `
machine: { nodes: 1, memory: 2G, cpus: 8 }
cmdline: cma=64M
`;
const still = 'drain_lru_sigma: 0, lock_contended: 0, mutex_wake: 0, bitmap_word: 0';

const total = (run: RunResult, name: string): number =>
  Math.round(figure(run, '', name) * figure(run, '', name, 'count')) || 0;

const parts = ['search', 'isolate', 'drain_pcp', 'drain_lru', 'migrate', 'drop', 'freeze', 'undo'];
const partTotal = (run: RunResult): number =>
  parts.reduce((sum, part) => {
    return sum + total(run, part === 'search' ? 'cma_search_ns' : `contig_${part}_ns`);
  }, 0);

/** Threads that meet: every part of alloc_contig_range() and every lock is in use. */
const busy = (kernel: string) => `kernel: "${kernel}"
machine: { nodes: 2, memory: 2G, cpus: 8 }
cmdline: cma=64M
pressure: { all: { movable: 97%, clean: 20%, renew: 500ms, pinned: 0.05%, pin: 3ms } }
devices:
  t: { kind: allocator, mode: cma, node: all, threads: 6, requests: 150, size: 16K, size_max: 2M,
       hold: 500us, interval: 500us, random: true }
stop: 5s
`;

test('the allocation mutex with Poisson arrivals makes calls wait as M/D/1 does', async () => {
  const load = 0.6;
  const text = (interval_: number) => `kernel: 6.15${board}
cost: { ${still} }
devices:
  t: { kind: allocator, mode: cma, threads: 400, requests: 1500, size: 4K, arrivals: poisson,
       interval: ${interval_}ns }
stop: 100s
`;
  const [alone] = await runText(text(1e8).replace('1500', '3'));
  const service = figure(alone!, 't', 'cma_alloc_ns');
  expect(figure(alone!, 't', 'cma_lock_wait_ns')).toBe(0);
  const means: number[] = [];
  for (let seed = 1; seed <= 20; seed++) {
    const change = { seed };
    const [run] = await runText(text(Math.round(service / load)), (s) => ({ ...s, ...change }));
    expect(figure(run!, 't', 'turned_away')).toBe(0);
    means.push(figure(run!, 't', 'cma_lock_wait_ns'));
  }
  const { low, high } = interval(means);
  const expected = meanWaitMD1(load, service);
  expect(low).toBeLessThan(expected);
  expect(high).toBeGreaterThan(expected);
});

test.each(['5.10', '5.16', '6.12', '6.15'])(
  '%s: the time of a call is the sum of its parts and of its waits for locks',
  async (kernel) => {
    // On one node no way to an owner is part of a call; what fails has no lock wait on record.
    const text = busy(kernel).replace('nodes: 2', 'nodes: 1').replace('pinned: 0.05%, ', '');
    const [run] = await runText(text);
    expect(figure(run!, '', 'cma_alloc_fail')).toBe(0);
    expect(figure(run!, '', 'contig_migrate_ns', 'count')).toBeGreaterThan(50);
    const sum = partTotal(run!) + total(run!, 'cma_lock_wait_ns');
    expect(Math.abs(sum / total(run!, 'cma_alloc_ns') - 1)).toBeLessThan(1e-6);
  },
);

test.each(['5.10', '5.16', '6.12', '6.15'])(
  '%s: nothing is lost when all threads have ended: no page held, every request answered',
  async (kernel) => {
    const [run] = await runText(busy(kernel));
    const answered = figure(run!, '', 'cma_alloc_success') + figure(run!, '', 'cma_alloc_fail');
    expect(answered).toBe(300);
    expect(run!.devices.map(({ state }) => state)).toEqual(['allocator.done', 'allocator.done']);
    const fresh = await runText(busy(kernel).replace(/devices:(.|\n)*stop/, 'stop'));
    expect(run!.areas.map(({ used }) => used)).toEqual(fresh[0].areas.map(({ used }) => used));
    expect(run!.findings).toEqual([]);
  },
);

test.each([
  ['5.10', false],
  ['5.16', true],
  ['6.1', false],
  ['6.12', false],
  ['6.15', false],
])('%s: calls collide: %s', async (kernel, collides) => {
  const [run] = await runText(busy(kernel));
  expect(figure(run!, '', 'cma_window_lost.collision') > 0).toBe(collides);
});

test.each(['5.16', '6.12', '6.15'])(
  '%s: pressure, pins and migration to other nodes give one result on 1, 2 and 4 shards',
  async (kernel) => {
    const text = busy(kernel)
      .replace('nodes: 2', 'nodes: 4')
      .replace('97%', '100%, cma: 100%')
      .replace('5s', '15ms');
    const [scenario] = parseScenario(text, 'test.yaml');
    const runs = [];
    for (const shards of [1, 2, 4]) {
      runs.push(await simulate(scenario!, { shards, inline: true, check: true }));
    }
    expect(new Set(runs.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(runs[0].stats).toEqual(runs[2].stats);
    expect(figure(runs[0], '', 'contig_migrate_ns', 'count')).toBeGreaterThan(0);
  },
);

test('full nodes: targets of a migration come from the next node, and then from nowhere', async () => {
  const text = (free: string) => `kernel: 6.12
config: { DMA_NUMA_CMA: y }
machine: { nodes: 2, memory: [2G, ${free}], cpus: 8 }
cmdline: numa_cma=0:64M
pressure: { 0: { movable: 100%, cma: 100% }, 1: { movable: 100%, cma: 100% } }
devices: { t: { kind: allocator, mode: cma, area: numa0, size: 48M } }
stop: 1s
`;
  const [enough] = await runText(text('4G').replace(', 1: { movable: 100%, cma: 100% }', ''));
  expect(figure(enough!, 't', 'cma_alloc_success')).toBe(1);
  const [none] = await runText(text('2G'));
  expect(figure(none!, 't', 'cma_alloc_fail.ENOMEM')).toBe(1);
  expect(figure(none!, 't', 'cma_window_lost.target')).toBe(1);
  // Copies to the other node take longer than those that stay.
  const [near] = await runText(text('4G').replace('0: { movable: 100%', '0: { movable: 50%'));
  const moved = (run: RunResult) => figure(run, 't', 'contig_migrate_ns');
  expect(moved(enough!)).toBeGreaterThan(1.1 * moved(near!));
});

test('a page that stays pinned fails a call with -EBUSY, one that is soon let go does not', async () => {
  const text = (pin: string) => `kernel: 6.12
machine: { nodes: 1, memory: 2G, cpus: 8 }
cmdline: cma=16M
pressure: { all: { movable: 60%, cma: 100%, pinned: 5%, pin: ${pin} } }
devices: { t: { kind: allocator, mode: cma, size: 4M, requests: 20, interval: 1ms } }
stop: 3s
`;
  const [long] = await runText(text('100s'));
  expect(figure(long!, 't', 'cma_alloc_fail.EBUSY')).toBe(20);
  // Five tries of 10 us each.
  const [brief] = await runText(text('2us'));
  expect(figure(brief!, 't', 'cma_alloc_success')).toBe(20);
});

test('clean page cache is dropped, in a quarter of the time that copying takes', async () => {
  const text = (clean: string) => `kernel: 6.12
machine: { nodes: 1, memory: 2G, cpus: 8 }
cmdline: cma=64M
pressure: { all: { movable: 50%, cma: 100%, clean: ${clean} } }
devices: { t: { kind: allocator, mode: cma, size: 10M } }
`;
  const [copied] = await runText(text('0%'));
  const [dropped] = await runText(text('100%'));
  expect(figure(copied!, 't', 'contig_migrate_ns')).toBe(2560 * 2700);
  expect(figure(dropped!, 't', 'contig_drop_ns')).toBe(2560 * 700);
  expect(figure(dropped!, 't', 'contig_migrate_ns')).toBe(0);
});

test.each([
  ['6.12', 'ENOMEM'],
  ['6.15', 'EBUSY'],
])('%s: a call that finds no window prints %s', async (kernel, errno) => {
  const text = `kernel: "${kernel}"${board}
devices: { t: { kind: allocator, mode: cma, size: 48M, requests: 2, release: false } }
`;
  const [run] = await runText(text);
  expect(figure(run!, 't', 'cma_alloc_success')).toBe(1);
  expect(figure(run!, 't', `cma_alloc_fail.${errno}`)).toBe(1);
  expect(figure(run!, 't', 'cma_window_lost')).toBe(0);
});

test('a caller that slept for the mutex is woken: its wait is longer by mutex_wake, and no other', async () => {
  const waited = async (cost: string): Promise<number> => {
    const text = `kernel: 6.12${board}
cost: { drain_lru_sigma: 0, lock_contended: 0, ${cost} }
devices: { t: { kind: allocator, mode: cma, size: 64K, threads: 2, requests: 2 } }
`;
    const [run] = await runText(text);
    return figure(run!, 't', 'cma_lock_wait_ns', 'max');
  };
  const awake = await waited('mutex_wake: 0, mutex_spin: 1');
  expect(awake).toBeGreaterThan(20_000);
  expect(await waited('mutex_wake: 7000, mutex_spin: 1')).toBe(awake + 7000);
  expect(await waited('mutex_wake: 7000, mutex_spin: 1000000000')).toBe(awake);
});

test('a page that is half dirty is dropped: three of five drop, two are copied', async () => {
  const text = `kernel: 6.12${board}
pressure: { all: { movable: 50%, cma: 100%, clean: 50% } }
devices: { t: { kind: allocator, mode: cma, size: 20K } }
`;
  const [run] = await runText(text);
  expect(figure(run!, 't', 'contig_drop_ns')).toBe(3 * 700);
  expect(figure(run!, 't', 'contig_migrate_ns')).toBe(2 * 2700);
});

test('a request that waited for a lock and ended in the buddy has its wait on record', async () => {
  const text = `kernel: 6.12
machine: { nodes: 1, memory: 2G, cpus: 8 }
cmdline: cma=4M
devices: { t: { kind: allocator, threads: 3, requests: 3, size: 4M } }
`;
  const [run] = await runText(text);
  // The kernel's own pools leave the area no window of 4 MiB.
  expect(figure(run!, 't', 'placed.buddy.local')).toBe(3);
  // Three searches, one after another: the first waits for nobody.
  expect(figure(run!, 't', 'cma_lock_wait_ns', 'count')).toBe(2);
  expect(figure(run!, 't', 'cma_lock_wait_ns', 'min')).toBeGreaterThan(90);
});

test('machines of the allocator run through XState as they run lowered', async () => {
  const [scenario] = parseScenario(busy('6.12').replace('5s', '20ms'), 'test.yaml');
  const lowered = await simulate(scenario!, { shards: 1, inline: true });
  const other = await simulate(scenario!, { shards: 1, inline: true, devices: 'interpreted' });
  expect(other.fingerprint).toBe(lowered.fingerprint);
});

const shipped = new URL('../../scenarios/', import.meta.url);
const ours = ['three-areas', 'cma-latency', 'spurious-busy', 'cma-starves', 'pinned-pages'];

test.each(ours)('scenarios/%s holds what it expects, and says what to notice', async (name) => {
  expect(readdirSync(shipped)).toContain(`${name}.yaml`);
  const file = new URL(`${name}.yaml`, shipped).pathname;
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThanOrEqual(41);
  for (const scenario of loadScenario(file)) {
    const { checks } = await simulate(scenario, { shards: 1, inline: true });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.length).toBeGreaterThan(0);
  }
});
