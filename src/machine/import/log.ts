/**
 * The kernel's log, command line and name, as far as a machine is concerned.
 *
 * The memory map itself is read by dmesg.ts; here are the page size a hash table gives away, and
 * where CMA areas were reserved. A syslog's host and date before the lines do no harm.
 */
import type { Range } from '../../mm/ranges.js';
import { readKernelLog } from './dmesg.js';
import type { Facts } from './facts.js';

/** dmesg, or a file of /var/log that holds the boot. */
export function importLog(facts: Facts, text: string, file: string): void {
  const log = readKernelLog(text.replace(/^.{0,80}? kernel: /gm, ''));
  const ranges = new Map<number, Range[]>();
  for (const { base, size, nid } of log.memory) {
    if (facts.node(nid) === null) continue;
    const list = ranges.get(nid) ?? [];
    list.push([base, base + size]);
    ranges.set(nid, list);
  }
  for (const [nid, list] of ranges) facts.nodeRanges.set(nid, list);
  if (ranges.size > 0) facts.from('physical memory', file);
  facts.reserved.push(...log.reserved);
  for (const line of log.cma) {
    const match = /^cma: Reserved (\d+) MiB at (0x[0-9a-f]+)/.exec(line);
    if (match === null) continue;
    facts.reservations.push({ bytes: Number(match[1]) * 2 ** 20, base: Number(match[2]) });
  }
  const hash = /hash table entries: \d+ \(order: (\d+), (\d+) bytes/.exec(text);
  if (hash !== null) facts.pageSize ??= Number(hash[2]) / 2 ** Number(hash[1]);
  facts.release ||= log.version;
  facts.cmdline ||= log.commandLine;
  if (log.version !== '') facts.arch ||= log.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

/** `uname -a` or `uname -rm`. */
export function importUname(facts: Facts, text: string): void {
  const words = text.trim().split(/\s+/);
  const arch = words.findLast((word) =>
    /^(?:x86_64|aarch64|i[3-6]86|ppc64|s390x|riscv)/.test(word),
  );
  if (arch !== undefined) facts.arch = arch;
  const release = words.find((word) => /^\d+\.\d+/.test(word));
  if (release !== undefined) facts.release = release;
}
