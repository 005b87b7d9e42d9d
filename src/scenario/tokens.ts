/**
 * Words, numbers and symbols of an `expect` expression.
 */

import { sizeUnits, timeUnits } from '../mm/units.js';

export type Token = { readonly offset: number; readonly text: string } & (
  | { readonly type: 'name' | 'word' | 'symbol' | 'end' }
  | { readonly type: 'number'; readonly value: number; readonly unit: string }
);

const words: ReadonlySet<string> = new Set(['and', 'or', 'not', 'within', 'of']);
// A name may hold the `@2.1` of an expanded device: `nic0@2.1.placed.default.local`.
const namePattern = /[A-Za-z_][A-Za-z0-9_]*(?:@\d+(?:\.\d+)?)?(?:\.[A-Za-z_][A-Za-z0-9_]*)*/y;
const numberPattern = /(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([A-Za-z%]*)/y;
const symbolPattern = /<=|>=|==|!=|[<>+\-*/()]/y;
const spacePattern = /\s+/y;

const factors: Readonly<Record<string, number>> = { '': 1, '%': 0.01, ...timeUnits, ...sizeUnits };

/** More than any check that a person reads. */
const tokensMax = 2000;

/** Every token and one of type `end`; `fail` must throw. */
export function tokens(text: string, fail: (offset: number, message: string) => never): Token[] {
  const list: Token[] = [];
  let offset = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    return pattern.exec(text);
  };
  while (offset < text.length) {
    const found =
      match(spacePattern) ?? match(namePattern) ?? match(numberPattern) ?? match(symbolPattern);
    if (!found)
      return fail(offset, `${text[offset]}, expected a statistic, a number or an operator`);
    const [all, digits, unit] = found;
    if (digits !== undefined && unit !== undefined) {
      const factor = factors[unit];
      if (factor === undefined) {
        const known = Object.keys(factors).filter((name) => name !== '');
        return fail(offset, `unit ${unit}, expected one of ${known.join(', ')}`);
      }
      list.push({ offset, text: all, type: 'number', value: Number(digits) * factor, unit });
    } else if (/^[A-Za-z_]/.test(all)) {
      list.push({ offset, text: all, type: words.has(all) ? 'word' : 'name' });
    } else if (all.trim() !== '') {
      list.push({ offset, text: all, type: 'symbol' });
    }
    if (list.length > tokensMax) {
      return fail(offset, `more than ${tokensMax} words and signs, expected several checks`);
    }
    offset += all.length;
  }
  list.push({ offset, text: '', type: 'end' });
  return list;
}
