/**
 * What drivers ask for, against what kernels recorded: Debian 7.2.13 and 6.12 under QEMU, four nodes,
 * counted from dma_alloc events per phase (probe, ifup, ring).
 */
import { expect, test } from 'vitest';
import { queuePairBytes } from '#cmasim/devices/kinds/hisilicon.js';
import { vringSize } from '#cmasim/devices/kinds/virtionet.js';
import { deviceModel } from '#cmasim/devices/registry.js';
import { environment, footprintOf, run } from './world.js';

/** Sizes of coherent allocations and how many there were; pages of pools and buffers aside. */
function asked(kind: string, config: object, cpus: number, timeline: object[] = []) {
  const lines = run({
    devices: [{ kind, config }],
    environment: { ...environment, cpus },
    timeline: timeline as never,
  }).asked.filter((line) => / alloc /.test(line) && !/ (bulk|pages)$/.test(line));
  const sizes: Record<string, number> = {};
  for (const line of lines) {
    const [, , size] = line.split(' ');
    sizes[size!] = (sizes[size!] ?? 0) + 1;
  }
  return sizes;
}

test('NVMe with shadow doorbells: probe on 8 CPUs, and on 4', () => {
  const emulated = { dbbuf: true, queues: 64 };
  expect(asked('nvme', emulated, 8)).toEqual({ 512: 1, 2048: 1, 72: 2, 16384: 8, 65536: 8 });
  expect(asked('nvme', emulated, 4)).toEqual({ 512: 1, 2048: 1, 40: 2, 16384: 4, 65536: 4 });
});

test('igb: 16 rings of a page at ifup on 8 CPUs, 16 of 64 KiB after ethtool -G 4096', () => {
  expect(asked('igb', {}, 8)).toEqual({ 4096: 16 });
  expect(asked('igb', {}, 4)).toEqual({ 4096: 8 });
  const resized = asked('igb', {}, 8, [{ at: 20_000, event: 'RESIZE', numbers: [4096] }]);
  expect(resized).toEqual({ 4096: 16, 65536: 16 });
});

test('e1000e: 4 and 8 KiB at ifup, 64 and 128 KiB after ethtool -G 4096, old rings freed after', () => {
  expect(asked('e1000e', {}, 8)).toEqual({ 4096: 1, 8192: 1 });
  const ring = [{ at: 20_000, event: 'RESIZE', numbers: [4096] }];
  expect(asked('e1000e', {}, 8, ring)).toEqual({ 4096: 1, 8192: 1, 65536: 1, 131072: 1 });
});

test('virtio-net: packed rings on x86, split rings of 1024, 256 and 64 entries on arm64', () => {
  expect(asked('virtio-net', { ring: 'packed' }, 8)).toEqual({ 4096: 2, 1024: 1, 4: 6 });
  const split = { rx_queue_size: 1024, tx_queue_size: 256 };
  expect(asked('virtio-net', split, 4)).toEqual({ 26694: 1, 6726: 1, 1734: 1 });
  // Before virtio 1.0 the used ring begins at a page: 12 KiB for 256 entries.
  expect(vringSize(256, 4096)).toBe(8192 + 2054);
});

const total = (kind: string, config: object = {}, kernel = environment) => {
  const rows = footprintOf(deviceModel(kind)!, config, kernel);
  return rows.reduce((sum, row) => sum + row.bytes * row.count, 0);
};

test('HiSilicon: 148 KiB per queue pair of SEC and ZIP, 84 of HPRE; 37, 9.3 and 5.3 MiB in all', () => {
  expect([queuePairBytes(128, 4096), queuePairBytes(64, 4096)]).toEqual([148 * 1024, 84 * 1024]);
  const mib = ['sec', 'zip', 'hpre'].map((kind) => Math.round(total(kind) / 2 ** 20));
  expect(mib).toEqual([37, 9, 5]);
});

test('ixgbe has 512 receive descriptors, and 128 with large pages: 8 KiB and 4 KiB', () => {
  const rx = (pageSize: number) =>
    footprintOf(deviceModel('ixgbe')!, {}, { ...environment, pageSize }).find(
      ({ purpose }) => purpose === 'RX ring',
    )!.bytes;
  expect([rx(4096), rx(65_536)]).toEqual([8192, 4096]);
});

test('frames: 760 pages of 1080p NV12, 3038 of 4K NV12, 8100 of 4K RGBA; 2025 of a dumb buffer', () => {
  const four = { width: 3840, height: 2160, buffers: 1 };
  const pages = (kind: string, config: object) => total(kind, config) / 4096;
  expect(pages('vb2', { buffers: 1 })).toBe(760);
  expect(pages('vb2', four)).toBe(3038);
  expect(pages('vb2', { ...four, format: 'rgba' })).toBe(8100);
  expect(pages('display', { buffers: 1 })).toBe(2025);
});

test('no queue of mlx5 may come from CMA: every buffer is pages', () => {
  const rows = footprintOf(deviceModel('mlx5')!);
  expect(rows.some(({ cma }) => cma)).toBe(false);
});

test('what a device asks for at its default is its footprint', () => {
  for (const kind of ['hns3', 'igb', 'ixgbe', 'e1000e', 'nvme', 'sec', 'wifi', 'vb2', 'display']) {
    const { asked: lines } = run({ devices: [{ kind }] });
    const bytes = lines
      .filter((line) => line.includes(' alloc '))
      .reduce((sum, line) => sum + Number(line.split(' ')[2]), 0);
    const page = (size: number) => Math.ceil(size / 4096);
    expect([kind, page(bytes)]).toEqual([kind, page(unaligned(kind))]);
  }
});

/** Frames are asked for by their exact size, and rounded where they are granted. */
function unaligned(kind: string): number {
  return kind === 'vb2' ? 4 * 3_110_400 : total(kind);
}
