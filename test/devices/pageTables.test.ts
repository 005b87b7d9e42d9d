import { expect, test } from 'vitest';
import { PageTables } from '#cmasim/devices/host/pageTables.js';

/** Bytes that one leaf table of 4 KiB pages maps. */
const LEAF = 2 * 2 ** 20;
const HALF = LEAF / 2;

test('a device begins with three upper tables and a leaf, and another leaf for every 2 MiB', () => {
  const tables = new PageTables(4096);
  expect(tables.map(0, HALF)).toBe(3 + 1);
  expect(tables.map(0, HALF)).toBe(0);
  expect(tables.map(0, HALF)).toBe(1);
});

test('what is unmapped makes room for what comes next: a ring that is resized takes no more tables', () => {
  const tables = new PageTables(4096);
  tables.map(0, HALF);
  for (let resize = 0; resize < 10; resize++) {
    tables.unmap(0, HALF);
    expect(tables.map(0, HALF)).toBe(0);
  }
});

test('tables stay when everything is unmapped: as much can be mapped again without a new one', () => {
  const tables = new PageTables(4096);
  expect(tables.map(0, HALF) + tables.map(0, HALF + 4096)).toBe(3 + 2);
  tables.unmap(0, HALF);
  tables.unmap(0, HALF + 4096);
  expect(tables.map(0, HALF) + tables.map(0, HALF + 4096)).toBe(0);
});

test('whole blocks need no leaf, mapped or unmapped', () => {
  const tables = new PageTables(4096);
  expect(tables.map(0, 8 * LEAF)).toBe(3);
  tables.unmap(0, 8 * LEAF);
  expect(tables.map(0, HALF)).toBe(1);
});

test('every device has tables of its own', () => {
  const tables = new PageTables(4096);
  tables.map(0, HALF);
  expect(tables.map(1, 4096)).toBe(3 + 1);
});
