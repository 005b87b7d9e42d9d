/**
 * What the actors tell a host about the machine around it.
 */

export interface HostWiring {
  /** Actor of a node. */
  nodeActor(nid: number): number;
  /** One-way time between two nodes in whole ns; 0 within a node. */
  oneWay(from: number, to: number): number;
  /** Half a cache line's round trip on one die, whole ns. */
  readonly halfDie: number;
  /** Whose an area is, as far as it serves this machine's devices. */
  areaKind(area: number): 'device' | 'node' | 'default';
  /** dma_contiguous_default_area, or -1. */
  readonly defaultArea: number;
  /** Policy in force, as requests name it. */
  readonly policy: number;
  /** Told of every free that has ended; absent where nobody keeps them. */
  readonly freed?: (event: {
    readonly id: number;
    readonly time: number;
    readonly pfn: number;
    readonly source: number;
  }) => void;
  /** Node of the i-th CPU from a node on, nearest first; from CPU 0 on for -1. */
  localSpread(i: number, nid: number): number;
  /** Order of the largest block an IOMMU maps by one entry and the buddy has; 0: single pages. */
  readonly iommuBlockOrder: number;
}
