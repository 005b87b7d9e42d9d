/**
 * Reading a recording: MB/s of text through reader and reconstruction, on one core, beside a loop
 * that only looks for the ends of lines. Targets: 60 MB/s of text, 15 MB/s of JSON.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { Reconstruction } from '../../dist/src/trace/join/reconstruct.js';
import { Names } from '../../dist/src/trace/read/event.js';
import { readChunks } from '../../dist/src/trace/read/read.js';

const FILES = [
  ['ftrace text, maps', 'x86-7.2-life/lifecycle.trace.gz'],
  ['ftrace text, iommu', 'arm64-7.2-smmuv3/reload.trace.gz'],
  ['ftrace text, raw fields', 'x86-7.2-direct/second-boot/opt-fields.trace.gz'],
  ['kprobes', 'x86-6.1-kprobe/ifup-ring.trace.gz'],
  ['trace-cmd report -t', 'x86-7.2-direct/second-boot/trace-cmd-report-t.txt.gz'],
  ['perf script', 'x86-7.2-direct/second-boot/perf-script.txt.gz'],
  ['perf script, call graphs', 'x86-7.2-direct/second-boot/perf-script-callgraph.txt.gz'],
  ['perf JSON', 'x86-7.2-direct/second-boot/perf-data-convert.json.gz'],
];
const CHUNK = 1 << 20;
const TOTAL = 100e6;

/** About 100 MB made of the file again and again; of JSON, of its samples. */
async function* repeated(bytes) {
  if (bytes[0] === 123) {
    const from = bytes.indexOf('"samples": [') + 12;
    const to = bytes.lastIndexOf(']');
    yield bytes.subarray(0, from);
    for (let sent = 0; sent < TOTAL; sent += to - from) {
      if (sent > 0) yield Buffer.from(',');
      yield bytes.subarray(from, to);
    }
    yield bytes.subarray(to);
    return;
  }
  for (let sent = 0; sent < TOTAL; sent += bytes.length) {
    for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
  }
}

async function linesOnly(bytes) {
  const start = performance.now();
  let sent = 0;
  let lines = 0;
  for await (const chunk of repeated(bytes)) {
    sent += chunk.length;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  }
  return { rate: sent / 1e3 / (performance.now() - start), lines };
}

async function read(bytes) {
  const names = new Names();
  const reconstruction = new Reconstruction(names);
  const start = performance.now();
  const tally = await readChunks('bench', repeated(bytes), names, reconstruction);
  const ms = performance.now() - start;
  return { rate: tally.bytes / 1e3 / ms, events: tally.events / ms / 1e3 };
}

export async function run() {
  const root = fileURLToPath(new URL('../kernel/traces/', import.meta.url));
  console.log(`${'input'.padEnd(28)}${'MB/s'.padStart(8)}  M events/s  of finding line ends`);
  for (const [what, file] of FILES) {
    const bytes = gunzipSync(readFileSync(root + file));
    await read(bytes.subarray(0, CHUNK));
    const yardstick = await linesOnly(bytes);
    const { rate, events } = await read(bytes);
    const share = `${((100 * rate) / yardstick.rate).toFixed(0)} %`;
    console.log(
      what.padEnd(28) +
        rate.toFixed(0).padStart(8) +
        events.toFixed(2).padStart(12) +
        share.padStart(22),
    );
  }
}
