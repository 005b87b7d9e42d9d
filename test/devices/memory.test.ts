import { expect, test } from 'vitest';
import { DeviceHost } from '#cmasim/devices/host/host.js';
import { deviceModel } from '#cmasim/devices/registry.js';
import { Ns } from '#cmasim/mm/units.js';
import { Streams } from '#cmasim/sim/random.js';
import { Recorder } from '#cmasim/sim/statistics.js';
import { environment } from './world.js';

/** Bytes of the tables of a host of so many devices of a kind. */
function hostBytes(kind: string, count: number): number {
  const model = deviceModel(kind)!;
  const config = model.config.parse({});
  const planned = Array.from({ length: count }, (_, i) => {
    return {
      name: `d${i}`,
      kind,
      nid: 0,
      declaration: 'd',
      numaNode: 0,
      start: Ns(0),
      mask: 64,
      config,
    };
  });
  const host = new DeviceHost({
    planned,
    firstActor: 0,
    owns: () => true,
    models: [model],
    environment,
    wiring: {
      nodeActor: (nid) => nid,
      oneWay: () => 0,
      halfDie: 30,
      areaKind: () => 'node',
      defaultArea: -1,
      policy: 0,
      localSpread: () => 0,
      iommuBlockOrder: 9,
    },
    recorder: new Recorder(),
    streams: new Streams(1),
    interpreted: false,
  });
  return host.tableBytes;
}

test.each(['hns3', 'igb', 'e1000e', 'smmuv3', 'virtio-net', 'nvme', 'vb2', 'display'])(
  'an idle %s takes less than a KiB of tables',
  (kind) => {
    const perDevice = hostBytes(kind, 2) - hostBytes(kind, 1);
    expect(perDevice).toBeGreaterThan(100);
    expect(perDevice).toBeLessThan(1024);
  },
);
