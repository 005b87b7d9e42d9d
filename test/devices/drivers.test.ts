import { expect, test } from 'vitest';
import { run } from './world.js';

const sizes = (asked: readonly string[], verb = 'alloc') =>
  asked.filter((line) => line.includes(` ${verb} `)).map((line) => Number(line.split(' ')[2]));
/** Node a request was made for. */
const forNode = (line: string) => Number(/ for (-?\d+)/.exec(line)![1]);

test('ixgbe asks on the node of the vector, then on the device’s own, and leaves the attribute as it was', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'ixgbe', nid: 0, config: { queues: 2 } }],
    localSpread: (i) => i % 2,
    serve: (_bytes, nid, count) => (count === 1 ? -1 : nid),
  });
  // Queue 1 has its vector on node 1: refused there, granted on node 0.
  expect(asked.slice(0, 3).map(forNode)).toEqual([0, 1, 0]);
  expect(ends[0]).toMatchObject({ state: 'ixgbe.up.running', numaNode: 0 });
});

test('ixgbe gives up when the second attempt fails too, and frees what it has', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'ixgbe', config: { queues: 2 } }],
    localSpread: () => 1,
    serve: (_bytes, nid, count) => (count >= 3 ? -1 : nid),
  });
  expect(sizes(asked, 'free')).toHaveLength(3);
  expect(ends[0]).toMatchObject({ state: 'ixgbe.down', numaNode: 0, pagesHeld: 0 });
});

test('rings on vectors’ nodes are freed with the node of the device', () => {
  const { asked } = run({
    devices: [{ kind: 'ixgbe', numaNode: -1, config: { queues: 2 } }],
    localSpread: (i) => i,
    timeline: [{ at: 9_000, event: 'DOWN' }],
  });
  const rings = asked.filter((line) => line.includes(' 8192 '));
  expect(rings.filter((line) => line.includes('alloc')).map(forNode)).toEqual([0, 1, 0, 1]);
  expect(rings.filter((line) => line.includes('free')).map(forNode)).toEqual([-1, -1, -1, -1]);
});

test('igb exchanges its transmit rings before it begins with the receive rings', () => {
  const { asked } = run({
    devices: [{ kind: 'igb', config: { queues: 1 } }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [1024] }],
  });
  const steps = asked.slice(3).map((line) => line.split(' ').slice(1, 3).join(' '));
  const buffers = 1024 * 4096;
  expect(steps).toEqual([
    'alloc 16384',
    'free 4096',
    'alloc 16384',
    `alloc ${buffers}`,
    `free ${buffers / 4}`,
    'free 4096',
  ]);
});

test('a virtqueue is halved until it fits a page, and the last attempt may not fail', () => {
  const halved = run({
    devices: [{ kind: 'virtio-net', config: { rx_queue_size: 1024 } }],
    serve: (bytes, nid) => (bytes > 8192 ? -1 : nid),
  });
  expect(sizes(halved.asked).slice(0, 4)).toEqual([26_694, 13_382, 6726, 6726]);
  const never = run({ devices: [{ kind: 'virtio-net' }], serve: () => -1 });
  expect(sizes(never.asked)).toEqual([6726, 3398]);
  expect(never.ends[0].state).toBe('virtio-net.failed');
});

test('host memory of a drive: chunks are halved down to the least it takes, and it can do without', () => {
  const hmb = { queues: 1, hmb: '16M', hmb_min: '8M' };
  const drive = (serve: (bytes: number, nid: number, count: number) => number, config = hmb) =>
    run({ devices: [{ kind: 'nvme', config }], serve });
  const MiB = 2 ** 20;
  expect(sizes(drive((_, nid) => nid).asked).slice(2, 7)).toEqual([
    64,
    ...Array<number>(4).fill(4 * MiB),
  ]);
  // 4 MiB are never free; of 2 MiB there are three: less than the least.
  let two = 0;
  const small = drive((bytes, nid) => {
    if (bytes > 2 * MiB) return -1;
    if (bytes < 2 * MiB) return nid;
    return ++two > 3 ? -1 : nid;
  });
  expect(sizes(small.asked).slice(2, 5)).toEqual([64, 4 * MiB, 128]);
  expect(sizes(small.asked)).toContain(MiB);
  expect(small.sum('hmb_bytes')).toBe(16 * MiB);
  const none = drive((bytes, nid) => (bytes > 65_536 || bytes === 8192 ? -1 : nid), {
    ...hmb,
    hmb_chunk_min: '1M',
  } as typeof hmb);
  expect(none.sum('hmb_refused')).toBe(1);
  expect(none.ends[0].state).toBe('nvme.up.running');
});

test('a part of the host memory is enough where the drive asks for no least', () => {
  let chunks = 0;
  const { sum, ends } = run({
    devices: [{ kind: 'nvme', config: { queues: 1, hmb: '16M' } }],
    serve: (bytes, nid) => (bytes === 4 * 2 ** 20 && ++chunks > 2 ? -1 : nid),
  });
  expect(sum('hmb_bytes')).toBe(8 * 2 ** 20);
  expect(ends[0].state).toBe('nvme.up.running');
});

test('an I/O queue that is refused fails the probe of a drive', () => {
  const { ends } = run({
    devices: [{ kind: 'nvme', config: { queues: 2 } }],
    serve: (bytes, nid) => (bytes === 65_536 ? -1 : nid),
  });
  expect(ends[0]).toMatchObject({ state: 'nvme.failed', pagesHeld: 0 });
});

test('PRP lists come a page at a time while more commands are under way than there are pages', () => {
  const config = { queues: 1, prp_lists: true, traffic: 'closed', cpus: 5, interval: '1us' };
  const { asked } = run({ devices: [{ kind: 'nvme', config }] }, 100_000);
  expect(sizes(asked).slice(4)).toEqual(Array(5).fill(4096));
});

test('a camera gets as many buffers as there are, or none below what its driver needs', () => {
  const camera = (granted: number, min: number) =>
    run({
      devices: [{ kind: 'vb2', config: { buffers: 4, min_buffers: min, traffic: 'steady' } }],
      serve: (_bytes, nid, count) => (count >= granted ? -1 : nid),
    });
  const some = camera(3, 2);
  expect(some.ends[0]).toMatchObject({ state: 'vb2.streaming.running', pagesHeld: 3 * 760 });
  expect(some.sum('buffers_short')).toBe(1);
  const few = camera(1, 2);
  expect(few.ends[0]).toMatchObject({ state: 'vb2.closed', pagesHeld: 0 });
  expect(few.sum('buffers_short')).toBe(4);
});

test('a plane that is refused takes the other plane of its buffer back with it', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'vb2', config: { format: 'nv12m', buffers: 3, stream: false } }],
    serve: (_bytes, nid, count) => (count === 5 ? -1 : nid),
  });
  expect(sizes(asked, 'free')).toEqual([1920 * 1080]);
  expect(ends[0].state).toBe('vb2.ready');
});

test('a mode that does not fit leaves the old one on the screen', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'display', config: { traffic: 'steady' } }],
    timeline: [{ at: 5_000, event: 'MODESET', numbers: [3840, 2160] }],
    serve: (_bytes, nid, count) => (count === 3 ? -1 : nid),
  });
  expect(sizes(asked, 'free')).toEqual([3840 * 2160 * 4]);
  expect(ends[0]).toMatchObject({ state: 'display.on.running', pagesHeld: 2 * 2025 });
});

test('firmware memory over 2 MiB that is refused is asked for again in pieces', () => {
  const { asked, sum, ends } = run({
    devices: [
      {
        kind: 'wifi',
        config: { half_mib: 1, one_mib: 0, over_one_mib: 0, segments: 1, segment_mib: 6 },
      },
    ],
    serve: (bytes, nid) => (bytes > 2 ** 21 ? -1 : nid),
  });
  const MiB = 2 ** 20;
  expect(sizes(asked)).toEqual([MiB / 2, 6 * MiB, MiB / 2, 2 * MiB, 2 * MiB, 2 * MiB]);
  expect(sum('asked_smaller')).toBe(1);
  expect(ends[0].state).toBe('wifi.up.running');
});

test('an accelerator asks for its contexts without blocking, and fails with any queue pair', () => {
  const { ends, asked } = run({
    devices: [{ kind: 'zip', config: { queues: 4 } }],
    serve: (_bytes, nid, count) => (count === 3 ? -1 : nid),
  });
  expect(ends[0]).toMatchObject({ state: 'zip.failed', pagesHeld: 0 });
  expect(sizes(asked, 'free')).toHaveLength(3);
});

test('queues of mlx5 are pages, one request each, on the node of their channel', () => {
  const config = { channels: 2, tx_entries: 64, rx_entries: 128, fw_pages: '1M' };
  const { asked, ends } = run({
    devices: [{ kind: 'mlx5', config }],
    localSpread: (i) => i,
  });
  const coherent = asked.filter((line) => line.includes(' alloc ') && !line.endsWith('bulk'));
  expect(coherent.every((line) => line.includes(' 4096 '))).toBe(true);
  expect(new Set(coherent.map(forNode))).toEqual(new Set([0, 1]));
  expect(ends[0]).toMatchObject({ state: 'mlx5.up.running', numaNode: 0 });
});
