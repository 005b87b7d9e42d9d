/**
 * Tables for people: aligned columns, numbers to the right, a plain header line with units.
 *
 * Colour is one word per meaning, and only where the caller says that a terminal takes it.
 */

export type Cell = string | number | null;

/** A title; with `right`, of numbers and what reads like them. */
export type Column = string | { readonly title: string; readonly right?: boolean };

/** Columns of numbers. */
export function right(...titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, right: true }));
}

const gap = '  ';

/** Lines without trailing space; the header first. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[] {
  const titles = columns.map((column) => (typeof column === 'string' ? column : column.title));
  const lines = [titles, ...rows.map((row) => row.map(cellText))];
  const widths = titles.map((_, i) =>
    lines.reduce((width, cells) => Math.max(width, cells[i]?.length ?? 0), 0),
  );
  return lines.map((cells) =>
    columns
      .map((column, i) => {
        const text = cells[i] ?? '';
        const isRight = typeof column !== 'string' && column.right;
        return isRight ? text.padStart(widths[i]) : text.padEnd(widths[i]);
      })
      .join(gap)
      .trimEnd(),
  );
}

function cellText(cell: Cell): string {
  if (cell === null) return '-';
  return typeof cell === 'number' ? numberText(cell) : cell;
}

/** Digits in threes; three significant places below 100 unless it is whole. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 100) {
    return Math.round(value)
      .toString()
      .replaceAll(/\B(?=(\d{3})+(?!\d))/g, ' ');
  }
  return value.toPrecision(3);
}

/** Bytes as the largest unit that leaves a whole number. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${numberText(value)} ${units[unit]}`;
}

/** ns as a time a person reads, three significant places. */
export function timeText(ns: number): string {
  const units = [
    ['s', 1e9],
    ['ms', 1e6],
    ['us', 1e3],
  ] as const;
  for (const [unit, factor] of units) {
    if (Math.abs(ns) >= factor) return `${trimmed(ns / factor)} ${unit}`;
  }
  return `${trimmed(ns)} ns`;
}

function trimmed(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export function percentText(share: number | null): string {
  if (share === null) return '-';
  const percent = share * 100;
  // 99.97 % is not all, and 0.02 % is not nothing.
  if (percent > 99.9 && percent < 100) return '>99.9 %';
  if (percent > 0 && percent < 0.1) return '<0.1 %';
  return `${Number(percent.toFixed(1))} %`;
}

export interface Paint {
  bold(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
}

const plain = (text: string) => text;
const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;

export function paint({ colour }: { colour: boolean }): Paint {
  if (!colour) return { bold: plain, good: plain, bad: plain, dim: plain };
  return { bold: sgr(1), good: sgr(32), bad: sgr(31), dim: sgr(2) };
}
