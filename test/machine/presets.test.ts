/**
 * Every machine that ships is whole, and every number of it says where it comes from.
 */

import { describe, expect, test } from 'vitest';
import { presetMachine } from '#cmasim/machine/preset.js';
import { presets } from '#cmasim/machine/presets.js';

test('the ten machines of the model are there, once each', () => {
  expect(presets.map(({ name }) => name)).toEqual([
    'kunpeng920-2p',
    'epyc-nps4-2p',
    'xeon-2p',
    'xeon-4p',
    'xeon-8p',
    'ft2500-2p-16n',
    'altra-2p-64k',
    'gh200-like',
    'rpi4',
    'single-node-embedded',
  ]);
});

describe.each(presets)('$name', (row) => {
  const machine = presetMachine(row.name)!;
  const named = new Map(machine.parameters.map((parameter) => [parameter.name, parameter]));

  test('every number has a class and a source', () => {
    for (const { name, class: of, source } of machine.parameters) {
      expect(['exact', 'calibrated', 'assumed'], name).toContain(of);
      expect(source, name).not.toBe('');
    }
  });

  test('every distance and latency of the matrices is among the classed numbers', () => {
    machine.distance.forEach((distances, a) => {
      distances.forEach((distance, b) => {
        if (a !== b) expect(named.get(`machine.distance.${distance}`)?.value).toBe(distance);
        expect(named.get(`machine.latency.${distance}`)?.value).toBe(machine.latency[a][b]);
      });
    });
    for (const key of [
      'nodes',
      'cpus',
      'memory',
      'page',
      'on_die',
      'bandwidth',
      'link_bandwidth',
    ]) {
      expect(named.has(`machine.${key}`), key).toBe(true);
    }
  });

  test('distances are symmetric, and what is farther is slower', () => {
    const { distance } = machine;
    distance.forEach((row, a) => {
      row.forEach((value, b) => {
        expect(distance[b][a]).toBe(value);
      });
    });
    const byDistance = [...row.latency].sort((a, b) => a.distance - b.distance);
    const sorted = [...row.latency].sort((a, b) => a.ns - b.ns);
    expect(byDistance).toEqual(sorted);
  });

  test('memory below 4 GiB belongs to node 0 alone, and the kernel lies in it', () => {
    const low = machine.nodes.filter(({ memory }) => memory.some(([start]) => start < 2 ** 32));
    expect(low.map(({ nid }) => nid)).toEqual([0]);
    const [start, end] = machine.reserved.at(-1)!;
    expect(low[0].memory.some((range) => range[0] <= start && end <= range[1])).toBe(true);
  });
});
