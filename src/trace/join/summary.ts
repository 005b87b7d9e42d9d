/**
 * A recording in numbers: per input the events by name, the calls per device, the requests per
 * area, and what could not be read; over all inputs what was live before, and what is live at the
 * end.
 *
 * `events`, `first`, `last`, `devices` and `areas` are those of the summary.json beside the
 * recordings, and `by_event` and `lost_markers` those of its counts.json; keys they do not have are
 * additions.
 */
import { Names } from '../read/event.js';
import { readTrace } from '../read/read.js';
import type { Tally } from '../read/tally.js';
import type { DeviceCounts, Phase } from './phase.js';
import { Reconstruction, type ReconstructionOptions } from './reconstruct.js';

export type InputSummary = ReturnType<typeof summarizeInput>;
export type TraceSummary = ReturnType<typeof summarizeTrace>;

/** Reads the inputs, in the order of time, as one recording. Throws InputError. */
export async function summarizeTraces(
  files: readonly string[],
  options: ReconstructionOptions = {},
): Promise<TraceSummary> {
  const names = new Names();
  const reconstruction = new Reconstruction(names, options);
  const inputs: InputSummary[] = [];
  for (const file of files) {
    const tally = await readTrace(file, names, reconstruction);
    const phase = reconstruction.nextPhase();
    inputs.push(summarizeInput(file, tally, phase, { ...options, names }));
  }
  return summarizeTrace(reconstruction, inputs);
}

export function summarizeTrace(reconstruction: Reconstruction, inputs: readonly InputSummary[]) {
  const { memory, maps, requests, restarts } = reconstruction;
  let bytes = 0;
  for (const { size } of memory.requests()) bytes += Math.max(size, 0);
  const areaPages: Record<string, number> = {};
  for (const { area, count } of memory.claims()) areaPages[area] = (areaPages[area] ?? 0) + count;
  const areasBefore: Record<string, { total: number; used: number }> = {};
  for (const [area, { total, used }] of memory.areasAtStart) areasBefore[area] = { total, used };
  return {
    format: 'cmasim-trace/1',
    page_size: 2 ** reconstruction.pageShift,
    inputs,
    requests,
    /** Inputs that begin before the one before them ended: what was live is forgotten there. */
    restarts,
    live_before: { count: memory.beforeCount, listed: memory.before },
    /** Pages in use before an area's first request, -1 when the release does not print it. */
    areas_before: areasBefore,
    live_at_end: { requests: memory.requestsLive, bytes, area_pages: areaPages, maps: maps.live },
    maps: {
      matched: maps.matched,
      unmatched_unmaps: maps.unmatched,
      remapped: maps.remapped,
      forgotten: maps.forgotten,
    },
  };
}

export function summarizeInput(
  file: string,
  tally: Tally,
  phase: Phase,
  { names, nodeOf }: Pick<ReconstructionOptions, 'nodeOf'> & { names: Names },
) {
  const byEvent = tally.byEvent(names);
  for (const marker of ['tracing_mark_write', 'print']) delete byEvent[marker];
  const scale = tally.clock === 'ticks' ? 1 : 1e9;
  const rows = (counts: ReadonlyMap<number, DeviceCounts>) =>
    Object.fromEntries(
      Array.from(counts, ([id, row]) => {
        const device = names.devices.text(id);
        return [device, deviceRow(row, nodeOf?.(device))];
      }),
    );
  return {
    file,
    /** Form of the text, in words. */
    printed: tally.format,
    clock: tally.clock,
    lines: tally.lines,
    bytes: tally.bytes,
    /** With the markers people wrote into the trace. */
    events: tally.events,
    /** Seconds, or what the clock counts; null without events. */
    first: tally.events === 0 ? null : tally.first / scale,
    last: tally.events === 0 ? null : tally.last / scale,
    /** Kernel events by name, markers left out. */
    by_event: byEvent,
    lost_markers: tally.lostMarkers,
    lost_events: tally.lostEvents,
    overwritten_events: tally.overwritten,
    devices: rows(phase.devices),
    areas: Object.fromEntries(Array.from(phase.areas, ([id, row]) => [names.areas.text(id), row])),
    /** Kprobes: maps and unmaps per place of the probe; what a reader without `dev=` counts. */
    probe_places: rows(phase.places),
    /** Lines that were not read, and what a reader of the numbers must know: true sentences. */
    notes: notesOf(tally, phase, names),
  };
}

/** `node` is dev_to_node(); null when no list of devices names it. */
function deviceRow(counts: DeviceCounts, node: number | null = null) {
  return {
    ...counts,
    alloc_sizes: Object.fromEntries(counts.alloc_sizes),
    from_area: Object.fromEntries(counts.from_area),
    node,
  };
}

function notesOf(tally: Tally, phase: Phase, names: Names): string[] {
  const notes: string[] = [];
  const found = tally.firstUnrecognised;
  if (found !== null) {
    const where = `first at ${found.line}:${found.column}: ${found.text}`;
    notes.push(`${plural(tally.unrecognised, 'line')} not understood, ${where}`);
  }
  if (tally.oversize > 0) notes.push(`${plural(tally.oversize, 'line')} over 65536 bytes skipped`);
  if (tally.cutOff) notes.push('the input breaks off before its end');
  else if (tally.unfinished) notes.push('the last line has no end: it may be incomplete');
  if (tally.lostMarkers > 0) {
    const lost = tally.lostEvents > 0 ? `: ${plural(tally.lostEvents, 'event')} lost` : '';
    notes.push(`${plural(tally.lostMarkers, 'gap')} in the recording${lost}`);
  }
  if (tally.overwritten > 0) {
    notes.push(`${plural(tally.overwritten, 'event')} overwritten before the recording was read`);
  }
  if (tally.backwards > 0) notes.push(`time goes back ${plural(tally.backwards, 'time')}`);
  if (tally.clock === 'ticks') notes.push('the clock has no unit: times are its ticks');
  if (tally.clock === 'relative') notes.push('times are relative to the first event');
  if (tally.guessedNames) notes.push('the format names no events: told from their fields');
  const isUnknown = (id: number) => names.kind(id) === 'other' && names.probeKind(id) === 'other';
  const unknown = tally.byName.filter((_count, id) => isUnknown(id)).length;
  if (unknown > 0) notes.push(`${plural(unknown, 'event name')} counted but not used`);
  if (phase.areas.size === 0 && tally.events > 0) notes.push('no request to a CMA area in it');
  return notes;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
