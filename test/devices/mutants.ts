/** Small lies in lowered tables, one at a time, in every word that a run of the machine reads. */
import { OP_BITS, opcode, type Tables } from '#cmasim/devices/chart/lower.js';

export interface Mutant {
  readonly name: string;
  readonly changed: Tables;
}

type Column =
  | 'select'
  | 'always'
  | 'candidates'
  | 'guardCode'
  | 'blocks'
  | 'timerEvent'
  | 'timerDelay';

/** The words of `tables` that `run` reads. */
function wordsRead(tables: Tables, run: (tables: Tables) => void): Map<Column, Set<number>> {
  const read = new Map<Column, Set<number>>();
  const watched: Record<string, unknown> = { ...tables };
  for (const column of [
    'select',
    'always',
    'candidates',
    'guardCode',
    'blocks',
    'timerEvent',
    'timerDelay',
  ] as const) {
    const seen = new Set<number>();
    read.set(column, seen);
    watched[column] = new Proxy(tables[column], {
      get(words, key) {
        if (typeof key === 'string' && /^[0-9]+$/.test(key)) seen.add(Number(key));
        return Reflect.get(words, key, words) as unknown;
      },
    });
  }
  run(watched as unknown as Tables);
  return read;
}

/** All mutants; `run` must read everything that matters. */
export function* mutants(tables: Tables, run: (tables: Tables) => void): Generator<Mutant> {
  const read = wordsRead(tables, run);
  for (const [column, words] of read) {
    for (const index of words) {
      const word = tables[column][index];
      for (const [what, other] of lies(tables, column, index, word)) {
        if (other === word || Number.isNaN(word)) continue;
        const copy = tables[column].slice();
        copy[index] = other;
        yield { name: `${column}[${index}]: ${what}`, changed: { ...tables, [column]: copy } };
      }
    }
  }
  yield* shortBlocks(tables, read.get('blocks')!);
}

function lies(tables: Tables, column: Column, index: number, word: number): [string, number][] {
  switch (column) {
    case 'select':
    case 'always':
      return doesNothing(tables, word) ? [] : [['nobody listens', 0]];
    case 'candidates':
      return word === 0 ? [] : isGuard(tables, index) ? [['guard forgotten', 0]] : [];
    case 'guardCode':
      return [['another word', word === 1 ? 2 : 1]];
    case 'blocks':
      return blockLies(tables, index, word);
    case 'timerEvent':
      return [['another event', (word + 1) % tables.events.length]];
    case 'timerDelay':
      return [['later', word + 1]];
  }
}

/** A forbidden event: that nobody listens is the same. */
function doesNothing({ candidates, blocks }: Tables, list: number): boolean {
  return list > 0 && candidates[list] === 0 && blocks[candidates[list + 1] + 1] === 0;
}

/** Lists begin at the offsets that `select` and `always` name, and alternate from there. */
function isGuard({ select, always, candidates }: Tables, index: number): boolean {
  const starts = [...select, ...always].filter((start) => start > 0 && start <= index);
  const start = Math.max(...starts);
  return (index - start) % 2 === 0 && candidates[index + 1] !== 0;
}

function startsOf({ candidates, initial, select, always }: Tables): number[] {
  const starts = new Set([initial]);
  for (const list of [...select, ...always]) {
    for (let at = list; at > 0 && candidates[at + 1] !== 0; at += 2) starts.add(candidates[at + 1]);
  }
  return [...starts].sort((a, b) => a - b);
}

function blockLies(tables: Tables, index: number, word: number): [string, number][] {
  const starts = startsOf(tables);
  const start = starts.filter((one) => one <= index).at(-1)!;
  if (index === start) return [['ends in another leaf', (word + 1) % tables.leaves.length]];
  if (index === start + 1) return word > 0 ? [['last operation forgotten', word - 1]] : [];
  const argument = word >> OP_BITS;
  const code = word & ((1 << OP_BITS) - 1);
  if (code === opcode.arm)
    return [['disarmed instead of armed', opcode.disarm | (argument << OP_BITS)]];
  if (code === opcode.disarm)
    return [['armed instead of disarmed', opcode.arm | (argument << OP_BITS)]];
  // Another event may have the same effect, where only a wildcard hears it.
  if (code === opcode.raise) return [['acts instead of raising', opcode.action]];
  return [['another action', code | (((argument + 1) % tables.actions.length) << OP_BITS)]];
}

/** Blocks whose first two different operations change places. */
function* shortBlocks(tables: Tables, read: ReadonlySet<number>): Generator<Mutant> {
  for (const start of startsOf(tables)) {
    if (!read.has(start)) continue;
    const end = start + 2 + tables.blocks[start + 1];
    const actions = (at: number): boolean =>
      (tables.blocks[at] & ((1 << OP_BITS) - 1)) === opcode.action;
    for (let at = start + 2; at + 1 < end; at++) {
      const [one, two] = [tables.blocks[at], tables.blocks[at + 1]];
      if (one === two || !actions(at) || !actions(at + 1)) continue;
      const blocks = tables.blocks.slice();
      blocks.set([two, one], at);
      yield { name: `blocks[${at}]: in the wrong order`, changed: { ...tables, blocks } };
    }
  }
}
