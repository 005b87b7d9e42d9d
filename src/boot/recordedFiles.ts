/**
 * Files of recorded boots: boots.jsonl, operation files, and directories with a kernel log.
 */

import { join } from 'node:path';
import { exists, inputName, isDirectory, readBytes, unzipped } from '../files/read.js';
import { readKernelLog } from '../machine/import/dmesg.js';
import { readZoneinfo } from '../machine/import/zones.js';
import { UserError } from '../text/userError.js';
import { bootOfLog, type RecordedBoot, readBoots, readCmaTotals } from './recorded.js';

/** A file's text, unpacked; NAME.gz stands in for NAME. */
function readText(path: string): string {
  const isPacked = path !== '-' && !exists(path) && exists(`${path}.gz`);
  const file = isPacked ? `${path}.gz` : path;
  const bytes = readBytes(file, { expected: 'recorded boots' });
  return Buffer.from(unzipped(inputName(file), bytes)).toString('utf8');
}

/**
 * A directory with dmesg.txt, and beside it cmdline.txt, iomem.txt, zoneinfo.txt where they are
 * there.
 */
function readDirectory(directory: string): RecordedBoot {
  const file = join(directory, 'dmesg.txt');
  const has = (path: string) => exists(path) || exists(`${path}.gz`);
  if (!has(file)) throw new UserError({ file: directory }, 'no dmesg.txt or dmesg.txt.gz in it');
  const beside = (name: string) => {
    const path = join(directory, name);
    return has(path) ? readText(path) : null;
  };
  const log = readKernelLog(readText(file), beside('iomem.txt') ?? '');
  if (log.memory.length === 0 || log.online.length === 0) {
    throw new UserError({ file }, `cannot be booted: ${log.lacks.join('; ')}`);
  }
  const zoneinfo = beside('zoneinfo.txt');
  const totals = beside('sys-kernel-mm-cma.txt');
  const rest = {
    zones: zoneinfo === null ? null : readZoneinfo(zoneinfo),
    totals: totals === null ? null : readCmaTotals(totals),
  };
  const cmdline = beside('cmdline.txt')?.trim() ?? log.commandLine;
  return { ...bootOfLog({ file, name: directory }, log, rest), cmdline };
}

/** The boots in a file or a directory. @throws UserError */
export function readRecorded(path: string): RecordedBoot[] {
  if (isDirectory(path)) return [readDirectory(path)];
  return readBoots(inputName(path), readText(path));
}
