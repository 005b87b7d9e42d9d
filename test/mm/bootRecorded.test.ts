/** Every recorded boot, and every machine with a kernel log, held against the model's boot. */

import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compareBoot } from '#cmasim/boot/check.js';
import { recordedBoot } from '#cmasim/boot/input.js';
import {
  bootOfLog,
  type RecordedBoot,
  readBoots,
  readCmaTotals,
  releaseOfVersion,
} from '#cmasim/boot/recorded.js';
import { readKernelLog } from '#cmasim/machine/import/dmesg.js';
import { readZoneinfo } from '#cmasim/machine/import/zones.js';
import { boot } from '#cmasim/mm/boot/boot.js';
import { kernelOf } from '#cmasim/mm/release.js';
import { claims } from '../claims.js';

const evidence = new URL('../kernel/', import.meta.url);
const unpacked = (path: string) =>
  gunzipSync(readFileSync(new URL(path, evidence))).toString('utf8');

function compare(recorded: RecordedBoot, kernel = recorded.release ?? '6.12') {
  return compareBoot(recorded.outcome, boot(recordedBoot(recorded, kernelOf(kernel)).input));
}

const recordings = readdirSync(new URL('oracle/', evidence)).filter((f) => f.endsWith('.jsonl.gz'));
const boots = readBoots('boots.jsonl', unpacked('oracle/boots.jsonl.gz'));

describe('recorded boots of 6.12', () => {
  test('there are 118 of them, one of which the kernel did not survive', () => {
    expect(boots).toHaveLength(118);
    expect(boots.filter((one) => one.outcome.crashed).map((one) => one.cmdline)).toEqual([
      'cma=64M@3G',
    ]);
  });

  test.each(boots.map((one) => [one.name, one.cmdline, one] as const))('%s %s', (_n, _c, one) => {
    expect(compare(one).first).toBeNull();
  });

  test.each(recordings.filter((f) => f !== 'boots.jsonl.gz'))(
    '%s begins with an equal boot',
    (f) => {
      const [one] = readBoots(f, unpacked(`oracle/${f}`));
      expect(compare(one!).first).toBeNull();
    },
  );

  test('another release is found out: 5.10 places areas and words messages otherwise', () => {
    const one = boots.find(({ cmdline }) => cmdline === 'cma=128M')!;
    expect(compare(one, '5.10').first?.what).toBe('log[0]');
  });
});

function machine(name: string): RecordedBoot {
  const log = readKernelLog(unpacked(`machines/${name}/dmesg.txt.gz`));
  const zones = readZoneinfo(unpacked(`machines/${name}/zoneinfo.txt.gz`));
  const counters = new URL(`machines/${name}/sys-kernel-mm-cma.txt`, evidence);
  let totals: [string, number][] | null = null;
  try {
    totals = readCmaTotals(readFileSync(counters, 'utf8'));
  } catch {} // older kernels have no such counters
  return bootOfLog({ file: name, name }, log, { zones, totals });
}

const machines = readdirSync(new URL('machines/', evidence)).filter((n) => !n.endsWith('.md'));

describe('machines with a kernel log', () => {
  test.each(machines)('%s boots to the addresses, zones and pools it logged', (name) => {
    const one = machine(name);
    expect(compare(one)).toMatchObject({ first: null });
    expect(compare(one).compared).toBeGreaterThanOrEqual(10);
  });

  test('with the boots of recordings they are as many as the README says', () => {
    // Files of operations begin with a boot each; boots.jsonl is no such file.
    expect(boots.length + (recordings.length - 1) + machines.length).toBe(claims.boots);
  });

  test('the log of arm64 6.12 does not fit 7.2, which takes struct pages later', () => {
    expect(compare(machine('arm64-6.12-smmuv3-pt'), '7.2').first).not.toBeNull();
  });

  test('a log says what it lacks', () => {
    const log = readKernelLog('[    0.000000] Linux version 6.1.0-9-arm64 (x)\n');
    expect(log.pageSize).toBe(4096);
    expect(log.lacks.join('\n')).toMatch(/Early memory node ranges.*\n.*NODE_DATA/);
  });

  test('parameters that the kernel called unknown are remembered', () => {
    const line = 'Unknown kernel command line parameters "cma_pernuma=16M foo", will be passed to';
    expect(readKernelLog(line).unknownParameters).toEqual(['cma_pernuma=16M', 'foo']);
  });

  test.each([
    ['7.2.13+deb14-amd64', '7.2'],
    ['6.12.117', '6.12'],
    ['6.14.0', '6.12'],
    ['5.8.0-rc2', '5.8'],
    ['5.4.0', null],
  ])('version %s stands for release %s', (version, release) => {
    expect(releaseOfVersion(version)).toBe(release);
  });
});

describe('files of another kind', () => {
  test.each([
    ['', /^f:1:1: an empty file, expected recorded boots$/],
    ['no json\n', /^f:1:1: not JSON/],
    ['{"a":1}\n', /^f:1:1: expected a recorded boot/],
    ['{"type":"meta"}\n{"type":"boot"}\n', /^f:1:1: ends before/],
    ['{"boot":{"pre":3}}\n', /^f:1:1: name: nothing, expected string$/],
  ])('%j is refused with its place', (text, message) => {
    expect(() => readBoots('f', text)).toThrow(message);
  });
});
