/**
 * The part of an area around a difference, drawn twice: as the recorded kernel held it and as the
 * model did, when the request in question was about to be served.
 */
import type { AreaLayout } from '../mm/layout.js';
import type { Placement } from '../run/placement.js';
import type { PageRange } from './areaHistory.js';
import type { AreaStart } from './areaStart.js';
import type { Workload } from './workload.js';

/** One character per `scale` pages. */
export interface Drawing {
  readonly area: string;
  readonly firstPfn: number;
  /** Pages per character, a power of two. */
  readonly scale: number;
  /** `.` free, `#` held, `K` what the kernel gave, `M` what the model gave. */
  readonly kernel: string;
  readonly model: string;
}

const WIDTH = 64;

export interface DrawInput {
  readonly area: AreaLayout;
  readonly start: AreaStart | undefined;
  readonly workload: Workload;
  /** Time of the recording at which the kernel began. */
  readonly at: number;
  readonly expected: PageRange | null;
  readonly placements: readonly Placement[];
  /** Position among the placements. */
  readonly index: number;
}

export function draw(input: DrawInput): Drawing {
  const { area, placements, index, expected } = input;
  const placement = placements[index];
  const actual: PageRange | null =
    placement.source === area.name ? [placement.pfn, placement.pages] : null;
  const { first, scale } = windowOf(area, [expected, actual]);
  const line = (held: readonly PageRange[], mark: PageRange | null, sign: string): string => {
    const cells = new Array<string>(Math.min(WIDTH, Math.ceil((end(area) - first) / scale))).fill(
      '.',
    );
    const fill = ([pfn, count]: PageRange, char: string): void => {
      const from = Math.max(0, Math.floor((pfn - first) / scale));
      const to = Math.min(cells.length, Math.ceil((pfn + count - first) / scale));
      for (let i = from; i < to; i++) cells[i] = char;
    };
    for (const range of held) fill(range, '#');
    if (mark !== null) fill(mark, sign);
    return cells.join('');
  };
  return {
    area: area.name,
    firstPfn: first,
    scale,
    kernel: line(kernelHeld(input), expected, 'K'),
    model: line(modelHeld(input), actual, 'M'),
  };
}

const end = ({ basePfn, count }: AreaLayout): number => basePfn + count;

/** The smallest scale at which both places and a little before them are seen. */
function windowOf(area: AreaLayout, places: readonly (PageRange | null)[]) {
  const ranges = places.filter((range): range is PageRange => range !== null);
  const low = Math.min(...ranges.map(([pfn]) => pfn), end(area));
  const high = Math.max(...ranges.map(([pfn, count]) => pfn + count), area.basePfn);
  let scale = 1;
  let first = area.basePfn;
  for (; ; scale *= 2) {
    const lead = Math.floor(low / (8 * scale)) * 8 * scale - 8 * scale;
    first = Math.max(area.basePfn, lead);
    if (high - first <= WIDTH * scale) return { first, scale };
  }
}

/** Held by the recorded kernel just before `at`: granted, and not yet given back. */
function kernelHeld({ area, workload, at, start }: DrawInput): PageRange[] {
  const held = new Map<number, number>(start?.held ?? []);
  for (const step of workload.steps) {
    if (step.kind === 'alloc') {
      for (const { pfn, count, end: granted, area: name, givenBack } of step.request.attempts) {
        if (name === area.name && pfn >= 0 && !givenBack && granted <= at) held.set(pfn, count);
      }
    } else if (step.until <= at) {
      const pfn = step.pfn >= 0 ? step.pfn : (step.request?.pfn ?? -1);
      if ((step.area || step.request?.source) === area.name) held.delete(pfn);
    }
  }
  return [...held];
}

/** Held by the model when it took the request up. */
function modelHeld({ area, placements, index, start, workload, at }: DrawInput): PageRange[] {
  const { issued } = placements[index];
  const before = placements.filter(
    (one, i) =>
      i !== index && one.source === area.name && one.issued <= issued && one.freed > issued,
  );
  const ranges = before.map(({ pfn, pages }): PageRange => [pfn, pages]);
  const gone = new Set<number>();
  for (const step of workload.steps) {
    if (step.time > at) break;
    if (step.kind === 'free' && step.request === null && step.area === area.name)
      gone.add(step.pfn);
  }
  return [...(start?.held ?? []).filter(([pfn]) => !gone.has(pfn)), ...ranges];
}
