/**
 * What devices hold: one slot per handle of every device of a shard, in typed arrays.
 *
 * A handle is what a driver keeps of an allocation: CPU address and dma_addr_t, here a pfn, the size asked
 * for, and where it came from.
 */

export const EMPTY = 0;
export const ASKED = 1;
export const HELD = 2;
export const FREEING = 3;

export class Handles {
  readonly state: Uint8Array;
  /** MODE_* of dma.ts. */
  readonly mode: Uint8Array;
  readonly pfn: Float64Array;
  /** Bytes, as asked for. */
  readonly size: Float64Array;
  /** When it was asked for, ns. */
  readonly since: Float64Array;
  readonly pages: Int32Array;
  readonly nid: Int16Array;
  /** Area index, or BUDDY. */
  readonly source: Int16Array;

  constructor(count: number) {
    this.state = new Uint8Array(count);
    this.mode = new Uint8Array(count);
    this.pfn = new Float64Array(count);
    this.size = new Float64Array(count);
    this.since = new Float64Array(count);
    this.pages = new Int32Array(count);
    this.nid = new Int16Array(count);
    this.source = new Int16Array(count);
  }
}
