/**
 * Records: a table of fields, and the view that names them.
 *
 * A record is a stretch of a Float64Array: the payload of an event, or a row that an actor keeps.
 * The table says what each number is; the view has a getter and a setter for each field and nobody
 * else knows where it lies. A view is moved to a record, not made for it, and costs what an index
 * costs (test/bench/record.mjs). Left out: strings, and numbers that are no doubles.
 */

import type { Loop } from '../sim/model.js';
import { PAYLOAD } from '../sim/pool.js';

/**
 * Whole field: one double, in the unit of mm/units.ts that converts to it, or `Number` for none.
 */
type Whole<T extends number = number> = (value: number) => T;

/** Field of a few bits; fields that follow each other share a double as long as they fit. */
export interface Bits<T = unknown> {
  readonly width: number;
  /** Value that is kept as zero. */
  readonly least: number;
  /** What the numbers stand for, if they are no numbers. */
  readonly values: readonly T[] | null;
}

/** Field of several doubles; the view gives the place of the first in `m`. */
export interface Doubles {
  readonly doubles: number;
}

type Field = Whole | Bits | Doubles;
type Table = Readonly<Record<string, Field>>;

/** Bits of one double that fields may share: the bitwise operators know no more. */
const WORD = 32;

/** Whole numbers from `least` on, as many as `width` bits tell apart. */
export function bits<T extends number = number>(width: number, least = 0): Bits<T> {
  return { width, least, values: null };
}

/** One of a closed list of names. */
export function choice<const T extends string>(values: readonly T[]): Bits<T> {
  return { width: Math.ceil(Math.log2(values.length)), least: 0, values };
}

/** `count` doubles of one kind. */
export function doubles(count: number): Doubles {
  return { doubles: count };
}

type ValueOf<F> = F extends (value: number) => infer T ? T : F extends Bits<infer T> ? T : never;
type DoublesOf<T extends Table> = { [K in keyof T]: T[K] extends Doubles ? K : never }[keyof T];

/** View of a record by the names of its table. */
type View<T extends Table> = RecordView & { readonly [K in DoublesOf<T>]: number } & {
  -readonly [K in Exclude<keyof T, DoublesOf<T>>]: ValueOf<T[K]>;
};

/** Class of the views of one table; a new view shows a record of its own. */
export interface RecordClass<T extends Table> {
  new (): View<T>;
  /** Doubles of a record. */
  readonly width: number;
}

/** What the views of all tables can do. */
class RecordView {
  m: Float64Array;
  at = 0;

  constructor(width: number) {
    this.m = new Float64Array(width);
  }

  /** Moves the view to the record at `m[at]`. */
  on(m: Float64Array, at: number): this {
    this.m = m;
    this.at = at;
    return this;
  }

  /** Overwrites the record in view with a payload. */
  copy(m: Float64Array, at: number): this {
    for (let i = 0; i < PAYLOAD; i++) this.m[this.at + i] = m[at + i];
    return this;
  }

  /** Posts a message, all zero, and moves the view to it. */
  post(loop: Loop, to: number, delay: number, type: number): this {
    return this.on(loop.out, loop.post(to, delay, type));
  }

  /** Posts the record in view as a message. */
  forward(loop: Loop, to: number, delay: number, type: number): void {
    const at = loop.post(to, delay, type);
    const { out } = loop;
    for (let i = 0; i < PAYLOAD; i++) out[at + i] = this.m[this.at + i];
  }
}

/**
 * Class of the views of a table. Its accessors are generated as source, so that each has its
 * numbers as literals: closures would share their code, and V8 what it has learned of one with all.
 * @throws RangeError if a message has no room for the fields; `limit` doubles for what is no
 * message.
 */
export function record<const T extends Table>(table: T, limit = PAYLOAD): RecordClass<T> {
  const { accessors, width } = layOut(table);
  if (width > limit) throw new RangeError(`${width} doubles of fields, expected at most ${limit}`);
  const room = Math.max(PAYLOAD, width);
  const body = `return class extends RecordView {
    static width = ${room};
    constructor() { super(${room}); }
    ${accessors.join('\n')}
  }`;
  const values = Object.values(table).map((field) => ('values' in field ? field.values : null));
  // What the source makes has the fields of the table, which no type can follow.
  return new Function('RecordView', 'values', body)(RecordView, values) as RecordClass<T>;
}

/** Gives each field its place, in the order of the table. */
function layOut(table: Table): { accessors: string[]; width: number } {
  let width = 0;
  let shared = -1;
  let used = WORD;
  const accessors = Object.entries(table).map(([name, field], index) => {
    if (typeof field === 'function') return wholeAccessors(name, width++);
    if ('doubles' in field) {
      width += field.doubles;
      return `get ${name}() { return this.at + ${width - field.doubles}; }`;
    }
    if (used + field.width > WORD) {
      shared = width++;
      used = 0;
    }
    used += field.width;
    return bitAccessors(name, field, { slot: shared, shift: used - field.width, index });
  });
  return { accessors, width };
}

function wholeAccessors(name: string, slot: number): string {
  const double = `this.m[this.at + ${slot}]`;
  return `get ${name}() { return ${double}; } set ${name}(value) { ${double} = value; }`;
}

function bitAccessors(
  name: string,
  { width, least, values }: Bits,
  place: { readonly slot: number; readonly shift: number; readonly index: number },
): string {
  const { slot, shift, index } = place;
  const double = `this.m[this.at + ${slot}]`;
  const mask = 2 ** width - 1;
  const number = `((${double} >>> ${shift}) & ${mask})`;
  const most = values ? values.length - 1 : mask + least;
  const got = values ? `values[${index}][${number}]` : `${number} + ${least}`;
  // Comparisons of names that V8 has once each: indexOf() would be a call.
  const positions = (values ?? []).map((one, at) => `value === ${JSON.stringify(one)} ? ${at} : `);
  const given = values ? `${positions.join('')}-1` : `value - ${least}`;
  return `get ${name}() { return ${got}; }
    set ${name}(value) {
      const number = ${given};
      if (number >>> 0 > ${most - least}) {
        throw new RangeError('${name}: ' + value + ', expected ${least} to ${most}');
      }
      ${double} = (${double} & ${~(mask << shift)}) | (number << ${shift});
    }`;
}
