/**
 * A recording's summary in words and tables: calls per device, requests per area, what was live
 * before and at the end.
 */

import { right, sizeText, table } from '../../text/table.js';
import type { InputSummary, TraceSummary } from './summary.js';

export function summaryText(summary: TraceSummary): string[] {
  const lines: string[] = [];
  for (const input of summary.inputs) lines.push(...inputText(input), '');
  const { live_before: before, live_at_end: end, maps } = summary;
  const pages = Object.entries(end.area_pages).map(([area, count]) => `${area} ${count}`);
  lines.push(
    `${summary.requests} requests; ${end.requests} live at the end (${sizeText(end.bytes)}), ` +
      `pages of areas: ${pages.length === 0 ? 'none' : pages.join(', ')}`,
    `maps: ${maps.matched} ended by an unmap, ${end.maps} live at the end, ` +
      `${maps.remapped} over one that was never unmapped, ` +
      `${maps.unmatched_unmaps} unmaps of what was mapped before`,
  );
  if (summary.restarts > 0) {
    const many = summary.restarts > 1 ? 's begin' : ' begins';
    lines.push(
      `${summary.restarts} file${many} before the end of the file before: taken as another boot ` +
        '(phases of one boot are to be named in order)',
    );
  }
  const used = Object.entries(summary.areas_before).filter(([, area]) => area.used > 0);
  for (const [area, row] of used) lines.push(`${area}: ${row.used} pages in use before`);
  if (before.count > 0) {
    lines.push(`${before.count} allocations made before the recording were freed in it:`);
    for (const row of before.listed.slice(0, 10)) {
      const from = row.area === '' ? '' : ` ${row.area} 0x${row.pfn.toString(16)}+${row.count}`;
      const size = row.size < 0 ? '' : ` ${row.size} B`;
      lines.push(`  ${row.device || 'kernel'}${size}${from}`);
    }
    if (before.count > 10) lines.push(`  and ${before.count - 10} more`);
  }
  return lines;
}

function inputText(input: InputSummary): string[] {
  const unit = input.clock === 'ticks' ? 'ticks' : 's';
  const span =
    input.first === null ? '' : `, ${String(input.first)} to ${String(input.last)} ${unit}`;
  const lines = [`${input.file}: ${input.printed}, ${input.events} events${span}`];
  lines.push(...input.notes.map((note) => `  ${note}`));
  const devices = Object.entries(input.devices);
  if (devices.length > 0) lines.push(...deviceTable(devices));
  const areas = Object.entries(input.areas);
  if (areas.length > 0) {
    const titles = ['granted', 'pages', 'refused', 'released', 'pages', 'peak', 'net'];
    lines.push(
      ...table(
        ['area', ...right(...titles)],
        areas.map(([area, row]) => [
          area,
          row.ok,
          row.ok_pages,
          row.failed,
          row.released,
          row.released_pages,
          row.peak_delta_pages,
          row.net_pages,
        ]),
      ),
    );
  }
  return lines;
}

function deviceTable(devices: readonly (readonly [string, InputSummary['devices'][string]])[]) {
  const titles = ['node', 'allocs', 'bytes', 'frees', 'maps', 'bytes', 'unmaps'];
  return table(
    ['device', ...right(...titles), 'from areas'],
    devices.map(([device, row]) => [
      device,
      row.node,
      row.alloc_calls,
      row.alloc_bytes,
      row.free_calls,
      row.map_calls,
      row.map_bytes,
      row.unmap_calls,
      Object.entries(row.from_area)
        .map(([area, calls]) => `${area} ${calls}`)
        .join(', '),
    ]),
  );
}
