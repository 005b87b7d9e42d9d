/**
 * An area's bitmap as a run goes by: how much is used, and how long the longest free run is.
 */
import {
  type Bitmap,
  bitmapClear,
  bitmapMaxZeroRun,
  bitmapSet,
  bitmapZalloc,
} from '../mm/alloc/bitmap.js';
import type { AreaLayout } from '../mm/layout.js';
import type { AreaChange, ExportRun } from './run.js';

/** All areas of a run as they are when it begins, by their index. */
export function areaCounters({ layout, early }: ExportRun): AreaCounter[] {
  return layout.areas.map((area) => new AreaCounter(area, early));
}

export class AreaCounter {
  readonly area: AreaLayout;
  readonly bitmap: Bitmap;

  constructor(area: AreaLayout, early: ExportRun['early']) {
    this.area = area;
    this.bitmap = bitmapZalloc(area.count >>> area.orderPerBit);
    for (const { source, pfn, pages } of early) {
      if (source === area.name) this.#set(pfn, pages, true);
    }
  }

  get used(): number {
    return this.bitmap.weight * 2 ** this.area.orderPerBit;
  }

  /** Pages. */
  get maxchunk(): number {
    return bitmapMaxZeroRun(this.bitmap) * 2 ** this.area.orderPerBit;
  }

  apply({ pfn, count, isClaim }: AreaChange): void {
    this.#set(pfn, count, isClaim);
  }

  #set(pfn: number, count: number, isClaim: boolean): void {
    const { basePfn, orderPerBit } = this.area;
    const first = (pfn - basePfn) >>> orderPerBit;
    const bits = Math.ceil(count / 2 ** orderPerBit);
    if (first < 0 || first + bits > this.bitmap.size) return;
    if (isClaim) bitmapSet(this.bitmap, first, bits);
    else bitmapClear(this.bitmap, first, bits);
  }
}
