/**
 * The ways between nodes: what the published measurements say, and what the event core relies on.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { customMachine } from '#cmasim/machine/custom.js';
import { LatencyTable } from '#cmasim/machine/latency.js';
import { presetMachine } from '#cmasim/machine/preset.js';
import { anyMachine } from './anyMachine.js';

test('messages between any two nodes take at least one whole ns, and none inside a node', () => {
  fc.assert(
    fc.property(anyMachine, (machine) => {
      const table = new LatencyTable(machine);
      for (let a = 0; a < table.size; a++) {
        for (let b = 0; b < table.size; b++) {
          const way = table.oneWay(a, b);
          expect(Number.isInteger(way)).toBe(true);
          expect(way === 0).toBe(a === b);
        }
      }
    }),
  );
});

test('the lookahead is the shortest way that leaves a part', () => {
  fc.assert(
    fc.property(anyMachine, fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }), (machine, cut) => {
      const table = new LatencyTable(machine);
      let least = Number.POSITIVE_INFINITY;
      for (let a = 0; a < table.size; a++) {
        for (let b = 0; b < table.size; b++) {
          if (cut[a] !== cut[b]) least = Math.min(least, table.oneWay(a, b));
        }
      }
      expect(table.lookahead(cut)).toBe(least);
    }),
  );
});

test('node 2 of a Kunpeng sees node 3 on its socket, node 0 across, node 1 behind that', () => {
  const machine = presetMachine('kunpeng920-2p')!;
  expect(machine.latency[2]).toEqual([191, 214, 100, 111.5]);
  const table = new LatencyTable(machine);
  expect([0, 1, 2, 3].map((to) => table.oneWay(2, to))).toEqual([76, 87, 0, 36]);
});

test('3.5 transfers and 30 ns are the published CMD_SYNC times, local and from node 2 to node 0', () => {
  const table = new LatencyTable(presetMachine('kunpeng920-2p')!);
  expect(3.5 * table.transfer(2, 2) + 30).toBe(240);
  expect(3.5 * table.transfer(2, 0) + 30).toBeCloseTo(558.5);
});

test('a link between chassis is added once to every way across it', () => {
  const near = customMachine({ chassis: { count: 2, nodes: 2, link: 0 } });
  const far = customMachine({ chassis: { count: 2, nodes: 2, link: 300 } });
  const [a, b] = [new LatencyTable(near), new LatencyTable(far)];
  expect(b.oneWay(0, 2) - a.oneWay(0, 2)).toBe(300);
  expect(b.oneWay(0, 1)).toBe(a.oneWay(0, 1));
});

test('1 024 nodes cost 4 MiB', () => {
  const machine = customMachine({ chassis: { count: 128, nodes: 8, link: 300 } });
  expect(new LatencyTable(machine).oneWayNs.byteLength).toBe(4 * 2 ** 20);
});
