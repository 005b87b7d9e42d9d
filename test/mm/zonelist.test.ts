/** Zonelists and fallback orders against those that booted kernels built. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fallbackOrders, type NodeLoad } from '#cmasim/mm/boot/zonelist.js';
import type { NodeLayout } from '#cmasim/mm/layout.js';
import { cases } from '../cases.js';

/**
 * A node's zonelist: the populated zones of its fallback order, of each node from the highest down.
 */
function zonelist(
  nodes: readonly NodeLayout[],
  order: ArrayLike<number>,
): (readonly [nid: number, zone: string])[] {
  const zonesOf = new Map(nodes.map(({ nid, zones }) => [nid, zones]));
  return Array.from(order).flatMap((nid) =>
    (zonesOf.get(nid) ?? [])
      .filter((zone) => zone.present > 0)
      .map((zone) => [nid, zone.name] as const)
      .reverse(),
  );
}

interface RecordedZonelists {
  readonly from: string;
  readonly nids: readonly number[];
  readonly hasMemory: readonly boolean[];
  readonly zones: readonly (readonly string[])[];
  readonly distances: readonly (readonly [number, number, number])[];
  readonly zonelist: Readonly<Record<string, readonly (readonly [number, string])[]>>;
}
interface RecordedFallback {
  readonly from: string;
  readonly distance: readonly (readonly number[])[];
  readonly order: readonly (readonly number[])[];
}
const recorded = JSON.parse(
  readFileSync(new URL('../kernel/zonelists.json', import.meta.url), 'utf8'),
) as { zonelists: RecordedZonelists[]; fallback: RecordedFallback[] };

/** 10 on the diagonal, 20 elsewhere but where a recording says otherwise. */
function distanceOf({ nids, distances }: RecordedZonelists): number[][] {
  const matrix: number[][] = nids.map((a) => nids.map((b) => (a === b ? 10 : 20)));
  for (const [a, b, value] of distances) {
    matrix[nids.indexOf(a)][nids.indexOf(b)] = value;
    matrix[nids.indexOf(b)][nids.indexOf(a)] = value;
  }
  return matrix;
}

function layoutOf({ nids, hasMemory, zones }: RecordedZonelists): NodeLayout[] {
  return nids.map((nid, i) => ({
    nid,
    online: true,
    hasMemory: hasMemory[i],
    zones: zones[i].map((name) => ({
      name,
      startPfn: 0,
      spanned: 1,
      present: 1,
      managed: 1,
      free: 0,
      freeCma: 0,
      ranges: [],
    })),
  }));
}

for (const machine of recorded.zonelists) {
  test(`the zonelists of ${machine.from} are the recorded ones`, () => {
    const nodes = layoutOf(machine);
    const orders = fallbackOrders(nodes, { distance: distanceOf(machine), maxNumnodes: 64 });
    for (const [nid, list] of Object.entries(machine.zonelist)) {
      expect(zonelist(nodes, orders.get(Number(nid))!), `node ${nid}`).toEqual(list);
    }
  });
}

const withMemory = (nodes: number) =>
  Array.from({ length: nodes }, (_, nid) => ({ nid, online: true, hasMemory: true }));

for (const { from, distance, order } of recorded.fallback) {
  test(`the fallback orders of ${from} are those of its boot log`, () => {
    const orders = fallbackOrders(withMemory(order.length), { distance, maxNumnodes: 64 });
    expect(Array.from(orders.values(), (list) => [...list])).toEqual(order);
  });
}

test('kernels up to 5.15 send nodes 2 and 3 to node 0 alike; charges that add up part them', () => {
  // The machine of 54d032ced983, which changed the rule, with the orders before and after it.
  const distance = [
    [10, 12, 32, 32],
    [12, 10, 32, 32],
    [32, 32, 10, 12],
    [32, 32, 12, 10],
  ];
  const last = (nodeLoad: NodeLoad) =>
    Array.from(fallbackOrders(withMemory(4), { distance, maxNumnodes: 1024, nodeLoad }).get(3)!);
  expect(last('remaining')).toEqual([3, 2, 0, 1]);
  expect(last('remaining added')).toEqual([3, 2, 1, 0]);
  expect(last('one')).toEqual([3, 2, 1, 0]);
});

/** find_next_best_node() as the kernel runs it: the best of what is left, again and again. */
function pickBest(
  hasMemory: readonly boolean[],
  distance: readonly (readonly number[])[],
  maxNumnodes: number,
): number[][] {
  const load = hasMemory.map(() => 0);
  return hasMemory.map((_, local) => {
    const order: number[] = [];
    let previous = local;
    for (;;) {
      let best = -1;
      let least = Number.POSITIVE_INFINITY;
      for (const [node, memory] of hasMemory.entries()) {
        if (!memory || order.includes(node)) continue;
        const value = (distance[local][node] + (node < local ? 1 : 0)) * maxNumnodes + load[node];
        if (node === local || value < least) {
          best = node;
          least = node === local ? -1 : value;
        }
      }
      if (best < 0) return order;
      if (distance[local][best] !== distance[local][previous]) load[best] += 1;
      order.push(best);
      previous = best;
    }
  });
}

test('one sort per node equals picking the best node again and again', () => {
  const machine = fc.integer({ min: 1, max: 12 }).chain((n) =>
    fc.tuple(
      fc.array(fc.boolean(), { minLength: n, maxLength: n }),
      fc.array(fc.array(fc.integer({ min: 11, max: 14 }), { minLength: n, maxLength: n }), {
        minLength: n,
        maxLength: n,
      }),
      fc.constantFrom(4, 16, 64),
    ),
  );
  fc.assert(
    fc.property(machine, ([hasMemory, far, maxNumnodes]) => {
      const distance = far.map((row, i) => row.map((value, j) => (i === j ? 10 : value)));
      const nodes = hasMemory.map((memory, nid) => ({ nid, online: true, hasMemory: memory }));
      const orders = fallbackOrders(nodes, { distance, maxNumnodes });
      const lists = Array.from(orders.values(), (list) => [...list]);
      expect(lists).toEqual(pickBest(hasMemory, distance, maxNumnodes));
    }),
    cases(300),
  );
});

test('1 024 nodes get their orders, each its own node and chassis first', () => {
  const nodes = withMemory(1024);
  const distance = nodes.map((_, a) =>
    nodes.map((_, b) => (a === b ? 10 : a >> 4 === b >> 4 ? 20 : 40)),
  );
  const orders = fallbackOrders(nodes, { distance, maxNumnodes: 1024 });
  for (const [nid, order] of orders) {
    expect(order[0]).toBe(nid);
    expect(order.length).toBe(1024);
    expect(order.slice(0, 16).every((node) => node >> 4 === nid >> 4)).toBe(true);
  }
});
