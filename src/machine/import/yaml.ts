/**
 * An imported machine as a file that `--machine` takes.
 */

import { Document, isSeq } from 'yaml';
import type { MachineKeys } from '../keys.js';
import type { ImportedMachine } from './build.js';

/** A machine file, its description as a comment above. */
export function machineYaml({ keys, description }: ImportedMachine): string {
  const comment = description.map((line) => `# ${line}\n`).join('');
  const document = new Document(machineDocument(keys));
  // A matrix reads as one: a row per line.
  const rows = document.get('distance');
  if (isSeq(rows)) for (const row of rows.items) if (isSeq(row)) row.flow = true;
  return `${comment}${document.toString({ flowCollectionPadding: false, lineWidth: 0 })}`;
}

/** Sizes and ranges as a reader wants them, and as the schema of machine files takes them. */
function machineDocument(keys: MachineKeys): unknown {
  const nodes = typeof keys.nodes === 'object' ? keys.nodes : [];
  return {
    ...keys,
    page: `${(keys.page ?? 4_096) / 1_024}K`,
    nodes: nodes.map(({ memory, ...node }) => ({ ...node, memory: memoryText(memory ?? 0) })),
  };
}

function memoryText(memory: number | readonly (readonly [number, number])[]): unknown {
  const hex = (bytes: number) => `0x${bytes.toString(16)}`;
  if (typeof memory === 'number') return memory === 0 ? 0 : `${memory / 2 ** 20}M`;
  return memory.length === 0 ? 0 : memory.map(([start, end]) => `${hex(start)}-${hex(end)}`);
}
