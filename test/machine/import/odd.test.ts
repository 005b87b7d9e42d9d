import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectFiles } from '#cmasim/cli/collect.js';
import { MachineError } from '#cmasim/machine/check.js';
import { importMachine } from '#cmasim/machine/import/build.js';
import { cases } from '../../cases.js';
import { from, numactl, serverPath } from './servers.js';

describe('odd firmware', () => {
  test('sparse node numbers keep their ids and their distances', () => {
    const text = numactl([
      { nid: 0, cpus: '0 1', mb: 4096 },
      { nid: 8, cpus: '2 3', mb: 4096 },
      { nid: 252, cpus: '', mb: 512 },
    ]).replace('  8:  20  10', '  8:  40  10');
    const { machine, description } = from({ 'numactl-H.txt': text });
    expect(machine.nodes.map(({ nid }) => nid)).toEqual([0, 8, 252]);
    expect(machine.distance[1]).toEqual([40, 10, 20]);
    expect(description).toContain('node numbers are sparse: 0, 8, 252');
    expect(description).toContain('distances are not symmetric: 20 from 0 to 8, 40 back');
  });

  test('sysfs rows of sparse nodes have one column per node', () => {
    const { machine, warnings } = from({
      'node/node0/cpulist': '0-3\n',
      'node/node0/distance': '10 40\n',
      'node/node0/meminfo': 'Node 0 MemTotal: 1048576 kB\n',
      'node/node8/cpulist': '4-7\n',
      'node/node8/distance': '40 10\n',
      'node/node8/meminfo': 'Node 8 MemTotal: 1048576 kB\n',
    });
    expect(warnings).toEqual([]);
    expect(machine.distance).toEqual([
      [10, 40],
      [40, 10],
    ]);
  });

  test('a node without memory and one without CPUs are what they are', () => {
    const { machine, description, warnings } = from({
      n: numactl([
        { nid: 0, cpus: '', mb: 2048 },
        { nid: 1, cpus: '0-3', mb: 0 },
      ]),
    });
    expect(machine.nodes.map(({ cpus }) => cpus)).toEqual([0, 4]);
    expect(machine.nodes[1].memory).toEqual([]);
    expect(description.some((line) => line === 'node 1: 4 CPUs, no memory')).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('64 nodes', () => {
    const nodes = Array.from({ length: 64 }, (_, nid) => ({ nid, cpus: `${nid}`, mb: 1024 }));
    const { machine, warnings } = from({ n: numactl(nodes) });
    expect(machine.nodes.length).toBe(64);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['0 between two nodes', (text: string) => text.replace(' 10  20', ' 10   0')],
    ['11 from a node to itself', (text: string) => text.replace(' 10  20', ' 11  20')],
    ['a row that is too short', (text: string) => text.replace(' 10  20', ' 10')],
  ])('a distance table with %s is ignored, as the kernel ignores it', (_what, break_) => {
    const text = numactl([
      { nid: 0, cpus: '0', mb: 1024 },
      { nid: 1, cpus: '1', mb: 1024 },
    ]).replace('  1:  20  10', '  1:  35  10');
    const { machine, warnings } = from({ n: break_(text) });
    expect(machine.distance).toEqual([
      [10, 20],
      [20, 10],
    ]);
    expect(warnings[0]).toMatch(/^the distance table is broken \(.*\): the kernel uses 10 and 20/);
  });

  test('nodes whose memory overlaps are laid out by size', () => {
    const { machine, warnings } = from({
      n: numactl([
        { nid: 0, cpus: '0', mb: 1024 },
        { nid: 1, cpus: '1', mb: 1024 },
      ]),
      dmesg: [
        '[    0.000000] Linux version 6.12.1-arm64',
        '[    0.000000]   node   0: [mem 0x0000000040000000-0x000000008fffffff]',
        '[    0.000000]   node   1: [mem 0x0000000080000000-0x00000000bfffffff]',
      ].join('\n'),
    });
    expect(warnings[0]).toBe(
      'memory of nodes 0 and 1 overlaps at 0x80000000: only the sizes of the nodes are used',
    );
    expect(machine.nodes.length).toBe(2);
  });

  test('16K pages are seen in the ratio of MemTotal to managed pages', () => {
    const { machine, state } = from({
      meminfo: 'Node 0 MemTotal: 1048576 kB\nNode 0 MemFree: 524288 kB\n',
      zoneinfo:
        'Node 0, zone   Normal\n  pages free     100\n        spanned  65536\n        present  65536\n        managed  65536\n  start_pfn:           65536\n',
    });
    expect(machine.pageSize).toBe(16_384);
    expect(machine.nodes[0].memory).toEqual([[2 ** 30, 2 ** 31]]);
    expect(state.zones[0]).toMatchObject({ managed: 65536, free: 100 });
  });

  test('an architecture that is not modelled is said to be one', () => {
    const { warnings } = from({
      n: numactl([{ nid: 0, cpus: '0', mb: 1024 }]),
      uname: 'Linux host 6.12.0 #1 SMP ppc64le GNU/Linux',
    });
    expect(warnings).toEqual(['architecture ppc64le is not modelled: it boots as arm64 would']);
  });

  test('iomem read without root has no addresses, and that is said', () => {
    const { warnings } = from({
      n: numactl([{ nid: 0, cpus: '0', mb: 1024 }]),
      iomem: '00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n',
    });
    expect(warnings).toEqual(['iomem: addresses are hidden from ordinary users; read it as root']);
  });
});

describe('hwloc XML of version 1', () => {
  const node = (nid: number, cpus: string) =>
    `<object type="NUMANode" os_index="${nid}" cpuset="${cpus}" local_memory="1073741824"/>`;

  test('has factors of a base for distances, in the order of the tree', () => {
    const { machine } = from({
      'old.xml': `<topology><object type="Machine" cpuset="0x0000000f">
        <distances nbobjs="2" relative_depth="1" latency_base="10.000000">
        <latency value="1.000000"/><latency value="2.100000"/>
        <latency value="3.000000"/><latency value="1.000000"/></distances>
        ${node(1, '0x0000000c')}${node(0, '0x00000003')}</object></topology>`,
    });
    expect(machine.nodes.map(({ cpus }) => cpus)).toEqual([2, 2]);
    expect(machine.distance).toEqual([
      [10, 30],
      [21, 10],
    ]);
  });

  test('shows no node where there is one', () => {
    const { machine } = from({
      'old.xml':
        '<topology><object type="Machine" cpuset="0x0000000f" local_memory="1073741824">' +
        '</object></topology>',
    });
    expect(machine.nodes).toMatchObject([{ nid: 0, cpus: 4 }]);
  });
});

describe('hwloc XML is XML', () => {
  const topology = (inner: string, doctype = '') =>
    `<?xml version='1.0'?>${doctype}<topology version="2.0"><object type='Machine' nodeset="0x1">` +
    `${inner}<object type="NUMANode" os_index='0' cpuset='0x3' local_memory="1073741824"/>` +
    '</object></topology>';
  const info = (value: string) => `<info name="OSRelease" value="${value}"/>`;

  test('quotes of either kind, comments, CDATA, characters by number', () => {
    const { state, machine, warnings } = from({
      'x.xml': topology(
        `<!-- <object type="NUMANode" os_index="7"/> --><![CDATA[<object type="PU">]]>` +
          "<info value='6.1 \"&#97;&lt;b>\"' name='OSRelease'/>",
      ),
    });
    expect(machine.nodes).toMatchObject([{ nid: 0, cpus: 2 }]);
    expect(state.kernel).toBe('6.1 "a<b>"');
    expect(warnings).toEqual([]);
  });

  test('entities of a document stand for nothing, and no file is opened for one', () => {
    for (const entity of ['"&b;&b;"', 'SYSTEM "file:///etc/passwd"']) {
      const doctype = `<!DOCTYPE topology [<!ENTITY a ${entity}><!ENTITY b "bbbb">]>`;
      const { state, warnings, machine } = from({
        'x.xml': topology(info('6&a;'), doctype),
        n: numactl([{ nid: 0, cpus: '0', mb: 1024 }]),
      });
      expect(state.kernel).toBe('');
      expect(machine.nodes.length).toBe(1);
      expect(warnings).toEqual([expect.stringMatching(/^x.xml:1:\d+: not XML: Invalid char/)]);
    }
  });

  test('a damaged file gives what stands before the damage', () => {
    const { state, warnings, machine } = from({
      'x.xml': topology(info('6.1')).replace('</object></topology>', '\n</object></topo'),
    });
    expect([state.kernel, machine.nodes.length]).toEqual(['6.1', 1]);
    expect(warnings).toEqual([expect.stringMatching(/^x.xml:2:\d+: not XML: /)]);
  });
});

describe('areas', () => {
  const nodes = numactl([{ nid: 0, cpus: '0', mb: 4096 }]);

  test('the bitmap of debugfs comes with its area, under the old name and the new', () => {
    for (const path of [
      'debug/cma/cma-reserved',
      'debug/cma/reserved',
      'debug/cma/reserved/ranges/0',
    ]) {
      const { state } = from({
        n: nodes,
        [`${path}/base_pfn`]: '262144\n',
        'debug/cma/reserved/count': '64\n',
        'debug/cma/reserved/order_per_bit': '0\n',
        [`${path}/bitmap`]: '4294967295 1\n',
      });
      expect(state.areas[0]).toMatchObject({
        name: 'reserved',
        basePfn: 262144,
        count: 64,
        used: 33,
        bitmap: [0xffffffff, 1],
      });
    }
  });

  test('without sysfs the boot log names the one reservation', () => {
    const { state } = from({
      n: nodes,
      dmesg:
        '[    0.000000] Linux version 6.1.0-arm64\n[    0.000000] cma: Reserved 64 MiB at 0x00000000fa600000\n',
    });
    expect(state.areas).toMatchObject([{ name: 'reserved', basePfn: 0xfa600, count: 16_384 }]);
  });
});

test('no file with a node in it: an error in words', () => {
  expect(() => from({ 'README.md': 'nothing' })).toThrow(
    new MachineError([], 'no NUMA node found in it'),
  );
});

test('whatever becomes of the files, the import gives a machine or an error in words', () => {
  const { files } = collectFiles(serverPath('x86-7.2-direct'));
  const change = fc.record({
    file: fc.nat(),
    at: fc.nat(20_000),
    drop: fc.nat(200),
    put: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 10 }), fc.array(fc.nat(30)), (changes, missing) => {
      const kept = files.filter((_, i) => !missing.includes(i));
      const texts = kept.map(({ path, text }) => ({ path, text }));
      for (const { file, at, drop, put } of changes) {
        const row = texts[file % texts.length];
        if (row !== undefined) row.text = row.text.slice(0, at) + put + row.text.slice(at + drop);
      }
      try {
        const { machine } = importMachine(texts, 'mutated');
        expect(machine.nodes.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(MachineError);
      }
    }),
    cases(100),
  );
});

test('random text under any name is a machine or an error in words', () => {
  const path = fc.constantFrom('node0/distance', 'node1/cpulist', 'zoneinfo', 'cma/a/bitmap', 'x');
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'Node 0, zone Normal 1 2 3 4 5 6 7',
      'available: 2 nodes (0-1)',
      'node 0 size: 999999999999 MB',
      'node 9999 cpus: 1 2',
      '<topology><object type="NUMANode" os_index="-1"/>',
      '0000:00:00.0 node=7 class=0x1 dma_mask=/',
      '# node1 cpulist=0-999999999 distance=1 2',
    ),
  );
  const file = fc.record({ path, text: fc.array(line).map((lines) => lines.join('\n')) });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 6 }), (files) => {
      try {
        importMachine(files, 'random');
      } catch (error) {
        expect(error).toBeInstanceOf(MachineError);
      }
    }),
    cases(300),
  );
});
