/**
 * ftrace text: `cat trace` as the release prints it, for Perfetto, trace scripts, and our own
 * readers. Times are in microseconds as the kernel has them; the order of the lines is exact.
 */
import { kernelEvents } from './kernelevents.js';
import type { ExportRun } from './run.js';

const header = (entries: number, cpus: number): string[] => [
  '# tracer: nop',
  '#',
  `# entries-in-buffer/entries-written: ${entries}/${entries}   #P:${cpus}`,
  '#',
  '#                                _-----=> irqs-off/BH-disabled',
  '#                               / _----=> need-resched',
  '#                              | / _---=> hardirq/softirq',
  '#                              || / _--=> preempt-depth',
  '#                              ||| / _-=> migrate-disable',
  '#                              |||| /     delay',
  '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
  '#              | |         |   |||||     |         |',
];

export function ftraceText(run: ExportRun): string {
  const events = kernelEvents(run);
  const cpus = run.machine.nodes.reduce((sum, node) => sum + node.cpus, 0);
  const lines = events.map(({ task, pid, cpu, time, name, payload }) => {
    const who = `${task.padStart(16)}-${String(pid).padEnd(7)}`;
    const cpuText = `[${String(cpu).padStart(3, '0')}]`;
    return `${who} ${cpuText} ..... ${seconds(time).padStart(12)}: ${name}: ${payload}`;
  });
  return `${[...header(events.length, cpus), ...lines].join('\n')}\n`;
}

/** 85820282456 -> `85.820282` */
function seconds(ns: number): string {
  const micros = Math.floor(ns / 1_000);
  return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
}
