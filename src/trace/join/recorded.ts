/**
 * Comparison of a summary with the `summary.json` and `counts.json` that lie beside a recording,
 * field by field.
 *
 * Those were counted by a script with two habits of its own, which are known and named here: of
 * kprobe lines it took the place of the probe for the device, and of perf trace the field dma_addr
 * for the event.
 */
import type { InputSummary } from './summary.js';

interface SummaryDifference {
  /** `ring.devices.0000:21:00.0.map_bytes`. */
  readonly path: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

export interface SummaryComparison {
  /** Fields that were compared. */
  readonly compared: number;
  readonly different: readonly SummaryDifference[];
  /** Differences that come from the counting script, in words. */
  readonly habits: readonly string[];
}

type Json = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `/x/ring.trace.gz` -> `ring`. */
function phaseName(file: string): string {
  return baseName(file)
    .replace(/\.gz$/, '')
    .replace(/\.(?:trace|txt|json)$/, '');
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

class Differ {
  compared = 0;
  readonly different: SummaryDifference[] = [];

  /**
   * Every field of `expected` must be in `actual`; what `actual` has beyond them is an addition.
   */
  compare(path: string, expected: unknown, actual: unknown): void {
    if (!isObject(expected)) {
      this.compared++;
      if (expected !== actual) this.different.push({ path, expected, actual });
      return;
    }
    const found = isObject(actual) ? actual : {};
    for (const [key, value] of Object.entries(expected)) {
      this.compare(`${path}.${key}`, value, found[key]);
    }
  }

  /** The same, and nothing beyond: maps by name. */
  compareKeys(path: string, expected: Json, actual: Json): void {
    for (const key of Object.keys(actual)) {
      if (key in expected) continue;
      this.compared++;
      this.different.push({ path: `${path}.${key}`, expected: undefined, actual: actual[key] });
    }
  }
}

/** True for a counts.json, false for a summary.json; null for a document that is neither. */
export function isCounts(document: unknown): boolean | null {
  if (!isObject(document)) return null;
  const rows = Object.values(document);
  if (rows.length > 0 && rows.every((row) => isObject(row) && 'by_event' in row)) return true;
  if (rows.length > 0 && rows.every((row) => isObject(row) && 'devices' in row)) return false;
  return null;
}

/** Compares inputs with the phases of a summary.json that bear their names. */
export function compareSummary(document: Json, inputs: readonly InputSummary[]): SummaryComparison {
  const differ = new Differ();
  const habits: string[] = [];
  for (const input of inputs) {
    const name = phaseName(input.file);
    const expected = document[name];
    if (!isObject(expected)) continue;
    const probed = Object.keys(input.probe_places).length > 0;
    if (probed) {
      habits.push(
        `${name}: devices are compared by the place of the probe, as summary.json has them`,
      );
    }
    const devices = probed ? input.probe_places : input.devices;
    const actual = { ...input, devices };
    differ.compare(name, expected, actual);
    const { devices: wanted, areas } = expected as { devices: Json; areas: Json };
    differ.compareKeys(`${name}.devices`, wanted, devices);
    differ.compareKeys(`${name}.areas`, areas, input.areas);
    for (const [device, row] of Object.entries(wanted)) {
      for (const key of ['alloc_sizes', 'from_area'] as const) {
        const ours = devices[device]?.[key] ?? {};
        differ.compareKeys(`${name}.devices.${device}.${key}`, (row as Json)[key] as Json, ours);
      }
    }
  }
  return { compared: differ.compared, different: differ.different, habits };
}

/** Compares inputs with the files of a counts.json that bear their names. */
export function compareCounts(document: Json, inputs: readonly InputSummary[]): SummaryComparison {
  const differ = new Differ();
  const habits: string[] = [];
  for (const input of inputs) {
    // Compressed or not, it is the same recording.
    const bare = baseName(input.file).replace(/\.gz$/, '');
    const name = [bare, `${bare}.gz`].find((key) => key in document) ?? bare;
    const expected = document[name];
    if (!isObject(expected)) continue;
    if (input.printed === 'perf trace') {
      habits.push(`${name}: counts.json counts the lines with a field dma_addr, not events`);
      const allocs = input.by_event.dma_alloc ?? 0;
      differ.compare(`${name}.by_event.dma_addr`, (expected.by_event as Json).dma_addr, allocs);
      continue;
    }
    const events = Object.values(input.by_event).reduce((sum, count) => sum + count, 0);
    differ.compare(name, expected, { ...input, events });
    differ.compareKeys(`${name}.by_event`, expected.by_event as Json, input.by_event);
  }
  return { compared: differ.compared, different: differ.different, habits };
}
