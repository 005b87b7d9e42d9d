import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { customMachine } from '#cmasim/machine/custom.js';
import { machineYaml } from '#cmasim/machine/import/yaml.js';
import { machineKeys } from '#cmasim/machine/keys.js';
import { server, servers, topologies, topology } from './servers.js';

const bytes = (memory: readonly (readonly [number, number])[]) =>
  memory.reduce((sum, [start, end]) => sum + end - start, 0);

describe.each([...servers, ...topologies])('%s', (name) => {
  const imported = servers.includes(name) ? server(name) : topology(name);

  test('imports without a warning that is not true', () => {
    // The one snapshot made within a cpuset does lack the nodes outside of it.
    const confined = /^lstopo.xml: made in a cpuset without nodes 0,5,6,7: they are not in it$/;
    const warnings = imported.warnings.filter((warning) => !confined.test(warning));
    expect(warnings).toEqual([]);
    expect(imported.warnings.length).toBe(name.startsWith('16amd64-8n2c') ? 1 : 0);
  });

  test('its machine file gives the same machine', () => {
    const keys = machineKeys.parse(parse(machineYaml(imported)));
    const { reserved, ...machine } = customMachine(keys);
    const { reserved: found, ...expected } = imported.machine;
    expect(machine).toEqual(expected);
  });
});

describe('a topology', () => {
  test.each([
    ['128arm-2pa2n8cluster4co.tar.gz', 'arm64', 4, 128, [10, 16, 32, 33]],
    ['16amd64-8n2c-cpusets.tar.gz', 'x86', 8, 16, [10, 20, 20, 20, 20, 20, 20, 20]],
    ['16amd64-4distances.xml.gz', 'x86', 8, 16, [10, 20, 20, 20, 20, 20, 20, 20]],
    ['40intel64-2g2n4c+pcilocality.tar.gz', 'x86', 4, 40, [10, 20, 20, 20]],
    ['memorysidecaches.tar.gz', 'x86', 4, 80, [10, 21, 11, 21]],
    ['nvidia-dgx-gb10.tar.gz', 'arm64', 1, 20, [10]],
    ['nvidiaDGX2.xml.gz', 'x86', 2, 4, [10, 21]],
  ])('%s: %s, %i nodes, %i CPUs', (name, arch, nodes, cpus, row) => {
    const { machine } = topology(name);
    expect([machine.arch, machine.nodes.length]).toEqual([arch, nodes]);
    expect(machine.nodes.reduce((sum, node) => sum + node.cpus, 0)).toBe(cpus);
    expect(machine.distance[0]).toEqual(row);
  });

  test('24 nodes keep their own distances', () => {
    const { distance } = topology('192em64t-24n8c2t.xml.gz').machine;
    expect(distance.length).toBe(24);
    expect(distance[0].slice(0, 3)).toEqual([10, 50, 65]);
  });

  test('memory of another kind beside the same CPUs is a node without CPUs', () => {
    const { machine } = topology('64intel64-heteromem.xml.gz');
    expect(machine.nodes.map(({ cpus }) => cpus)).toEqual([16, 16, 16, 16, 0, 0, 0, 0]);
    expect(machine.bandwidth).toEqual([22.5, 22.5, 22.5, 22.5, 90, 90, 90, 90]);
  });

  test("devices keep the node sysfs gives them, not the one hwloc's tree suggests", () => {
    const { devices } = topology('40intel64-2g2n4c+pcilocality.tar.gz').state;
    expect(devices.find(({ name }) => name === '0000:00:00.0')!.node).toBe(-1);
    expect(devices.length).toBe(37);
  });
});

describe('a recorded server', () => {
  test('memory, areas and devices are where its kernel had them', () => {
    const { machine, state } = server('x86-7.2-direct');
    expect(machine.nodes[1].memory).toEqual([
      [0x6000_0000, 0x7ffd_0000],
      [0x1_0000_0000, 0x1_4000_0000],
    ]);
    // The first page of each area as the trace shows it.
    const area = (name: string) => state.areas.find((row) => row.name === name)!;
    expect(area('numa0')).toMatchObject({ basePfn: 0x5de00, count: 8192, used: 160 });
    expect(area('numa2')).toMatchObject({ basePfn: 0x140000, count: 8192, used: 80 });
    expect(area('reserved')).toMatchObject({ basePfn: 0x100000, count: 4096, used: 394 });
    const megaraid = state.devices.find(({ name }) => name === '0000:42:00.0')!;
    expect(megaraid).toMatchObject({ node: 1, driver: 'megaraid_sas', coherentMask: 32 });
    expect(state.kernel).toBe('7.2.13+deb14-amd64');
  });

  test("free pages per order add up to what the zone's own count says", () => {
    for (const name of servers) {
      for (const zone of server(name).state.zones) {
        if (zone.freeByOrder.length === 0) continue;
        const pages = zone.freeByOrder.reduce((sum, blocks, order) => sum + blocks * 2 ** order, 0);
        // The two files were read one after the other while the machine ran.
        expect(Math.abs(pages - zone.free)).toBeLessThan(2048);
      }
    }
  });

  test('zones and RAM without the boot log give the addresses the log gives', () => {
    const { machine } = server('x86-7.2-direct');
    for (const [i, node] of machine.nodes.entries()) {
      const zones = server('x86-7.2-direct').state.zones.filter(({ nid }) => nid === node.nid);
      const present = zones.reduce((sum, zone) => sum + zone.present, 0);
      expect(bytes(machine.nodes[i].memory)).toBe(present * 4096);
    }
  });

  test('an area on a node is found by its address, whatever the order of the boot', () => {
    const { state } = server('arm64-7.2-smmuv3');
    expect(state.areas.map(({ name, basePfn }) => [name, basePfn])).toEqual([
      ['numa0', 0x9ee00],
      ['numa1', 0xfae00],
      ['numa2', 0x100000],
      ['numa3', 0x160000],
      ['reserved', 0xfbe00],
    ]);
  });
});
