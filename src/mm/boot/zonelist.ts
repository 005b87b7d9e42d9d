/**
 * Where an allocation goes when its node is full: the other nodes, nearest first, and their zones.
 *
 * Models find_next_best_node() and build_zonelists() (mm/page_alloc.c). node_load is carried from
 * node to node as the kernel builds their lists in ascending order, so that ties rotate; it changes
 * for a node only once the node is in the list at hand, which is why one sort gives the same order
 * as picking the best node again and again. Left out: the preference for nodes without CPUs,
 * without which every recorded machine comes out, and with whose recorded CPUs not every one does.
 */

/**
 * What the first node of each distance group is charged with, in the order of the releases that
 * brought it: as many as nodes were left to order, or 1; in the place of what earlier lists charged
 * or, since 54d032ced983, added to it.
 */
const nodeLoadRules = {
  remaining: { decreasing: true, added: false },
  'remaining added': { decreasing: true, added: true },
  one: { decreasing: false, added: true },
};
export type NodeLoad = keyof typeof nodeLoadRules;
type NodeLoadRule = (typeof nodeLoadRules)[NodeLoad];

export interface FallbackNode {
  readonly nid: number;
  readonly online: boolean;
  readonly hasMemory: boolean;
}

export interface FallbackOptions {
  /** SLIT distance; row = from; by position in the list of nodes. */
  readonly distance: readonly (readonly number[])[];
  /** MAX_NUMNODES: node_load outweighs distance once it reaches this. */
  readonly maxNumnodes: number;
  readonly nodeLoad?: NodeLoad;
}

/**
 * The line "Fallback order for Node n" of every node. `nodes`: all possible nodes in ascending
 * order, those without memory and those offline too, because building their lists moves node_load.
 */
export function fallbackOrders(
  nodes: readonly FallbackNode[],
  { distance, maxNumnodes, nodeLoad = 'one' }: FallbackOptions,
): ReadonlyMap<number, Int32Array> {
  const positions = nodes.length;
  const withMemory = nodes.flatMap((node, position) => (node.hasMemory ? [position] : []));
  const rule = nodeLoadRules[nodeLoad];
  const load = new Float64Array(positions);
  // Where a charge may exceed 1, the kernel multiplies by MAX_NODE_LOAD, the online nodes, as well.
  const online = nodes.filter((node) => node.online).length;
  const weight = maxNumnodes * (rule.decreasing ? online : 1);
  const keys = new Float64Array(withMemory.length);
  const orders = new Map<number, Int32Array>();
  for (const [local, { nid }] of nodes.entries()) {
    const row = distance[local];
    for (const [i, position] of withMemory.entries()) {
      const far = row[position] + (position < local ? 1 : 0);
      // The local node comes first whatever its load. Equal values go to the lower node id.
      const value = position === local ? -1 : far * weight + load[position];
      keys[i] = value * positions + position;
    }
    keys.sort();
    const order = Int32Array.from(keys, (key) => ((key % positions) + positions) % positions);
    chargeGroups(order, row, load, { local, online, rule });
    orders.set(
      nid,
      order.map((position) => nodes[position].nid),
    );
  }
  return orders;
}

/**
 * Charges the first node of every distance group, so that the next list takes another one first.
 */
function chargeGroups(
  order: Int32Array,
  row: readonly number[],
  load: Float64Array,
  { local, online, rule }: { local: number; online: number; rule: NodeLoadRule },
): void {
  let previous = local;
  for (const [taken, position] of order.entries()) {
    if (row[position] !== row[previous]) {
      const charge = rule.decreasing ? online - taken : 1;
      load[position] = charge + (rule.added ? load[position] : 0);
    }
    previous = position;
  }
}
