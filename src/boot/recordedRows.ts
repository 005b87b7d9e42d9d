/**
 * The rows in which a recording describes its kernel: meta data, memblock around the reservation,
 * areas with zones and zonelists. Operation files begin with them, boots.jsonl holds them per row.
 *
 * Only what is read is described; a recording may say more.
 */

import { z } from 'zod';
import { found } from '../machine/values.js';
import { InputError } from '../trace/read/input.js';

/** Physical addresses have 52 bits. */
const address = z
  .int()
  .min(0)
  .max(2 ** 52);
const pfn = z
  .int()
  .min(0)
  .max(2 ** 40);
const nid = z.int().min(0).max(1023);
const order = z.int().min(0).max(30);
const flag = z.union([z.literal(0), z.literal(1)], 'expected 0 or 1');
const zoneName = z.enum(['DMA', 'DMA32', 'Normal', 'Movable']);

const memory = z.array(z.tuple([address, address, z.int().min(-1).max(1023)]).rest(z.unknown()));
const reserved = z.array(z.tuple([address, address]).rest(z.unknown()));

const memblock = z.looseObject({
  max_pfn_mapped: pfn,
  bottom_up: flag,
  memory,
  reserved,
  online: z.array(z.tuple([nid, flag])),
});

const config = z.looseObject({
  page_shift: z.union([z.literal(12), z.literal(14), z.literal(16)], 'expected 12, 14 or 16'),
  max_numnodes: z.int().min(1).max(1024),
  max_page_order: order,
  pageblock_order: order,
  cma_alignment: order,
});

export const metaRow = z.looseObject({ type: z.literal('meta'), name: z.string(), config });
export type MetaRow = z.output<typeof metaRow>;

/** Memblock after the reservations, and what the kernel said: enough to lay out a replay. */
export const laidOutRow = z.looseObject({
  log: z.array(z.string()),
  post: z.looseObject({ memory, reserved }),
});
export type LaidOutRow = z.output<typeof laidOutRow>;

/** Memblock before as well: enough to repeat the boot. */
export const bootRow = z.looseObject({
  pre: memblock,
  post: z.looseObject({ reserved }),
  log: z.array(z.string()),
});
export type BootRow = z.output<typeof bootRow>;

export const areasRow = z.looseObject({
  areas: z.array(
    z.looseObject({
      index: z.int().min(0),
      name: z.string(),
      base_pfn: pfn,
      count: pfn,
      order_per_bit: order,
      nid,
      zone: zoneName,
    }),
  ),
  default: z.int().min(-1),
  cpus: z.array(z.looseObject({ cpu: z.int().min(0), node: nid, mem_node: nid })),
  nodes: z
    .array(
      z.looseObject({
        nid,
        online: flag,
        has_memory: flag,
        zones: z.array(
          z.looseObject({
            name: zoneName,
            start_pfn: pfn,
            spanned: pfn,
            present: pfn,
            managed: pfn,
            free: pfn,
            free_cma: pfn,
          }),
        ),
      }),
    )
    .min(1),
  zonelist: z.record(z.string(), z.array(z.tuple([nid, zoneName]).rest(z.unknown()))),
});
export type AreasRow = z.output<typeof areasRow>;

/** What a row of boots.jsonl says of its kernel; `config` is null where it did not come up. */
export const bootedRow = z.looseObject({
  name: z.string(),
  kernel: z.string(),
  cmdline: z.string(),
  crash: z.boolean().optional(),
  config: config.extend({ max_cma_areas: z.int().min(0) }).nullable(),
});
export type BootedRow = z.output<typeof bootedRow>;

/** @throws InputError with file, line, the path into the row, what is there, what was expected. */
export function readRow<T>(
  schema: z.ZodType<T>,
  value: unknown,
  { file, line, root = '' }: { file: string; line: number; root?: string },
): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  const names = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
  const name = `${root}${names.join('')}`.replace(/^\./, '');
  let there = value;
  for (const part of path) there = (there as Record<PropertyKey, unknown> | undefined)?.[part];
  const wanted = message.replace(/^.*?\bexpected\b/, 'expected').replace(/, received .*/, '');
  const text = `${found(there)}, ${wanted[0].toLowerCase()}${wanted.slice(1)}`;
  throw new InputError(file, `${line}:1`, name === '' ? text : `${name}: ${text}`);
}

/** One JSON value of a recording, with the line it stands on. */
export interface RecordedLine {
  readonly line: number;
  readonly value: unknown;
}

/** Values of a JSON Lines text, or its first `most`. @throws InputError with line and column. */
export function linesOf(
  file: string,
  text: string,
  most = Number.POSITIVE_INFINITY,
): RecordedLine[] {
  const lines: RecordedLine[] = [];
  for (const [i, content] of text.split('\n').entries()) {
    if (lines.length === most) break;
    if (content.trim() !== '') lines.push({ line: i + 1, value: parseLine(file, i + 1, content) });
  }
  return lines;
}

function parseLine(file: string, line: number, content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    const at = /position (\d+)/.exec(String(error));
    const column = at === null ? 1 : Number(at[1]) + 1;
    throw new InputError(file, `${line}:${column}`, 'not JSON, expected one JSON value per line');
  }
}
