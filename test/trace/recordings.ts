/** Where the recorded traces lie, and how a test reads one event by event. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Names, type TraceEvent } from '#cmasim/trace/read/event.js';
import { readChunks, readTrace } from '#cmasim/trace/read/read.js';

const root = fileURLToPath(new URL('../kernel/traces/', import.meta.url));

export const recordings = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

export const recorded = (name: string): string => `${root}${name}`;

export const json = (name: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(recorded(name), 'utf8'));

/** The numbers of an event that a format prints whatever its options. */
export function numbersOf(event: TraceEvent) {
  return {
    name: event.eventName(),
    device: event.deviceName(),
    area: event.areaName(),
    pid: event.pid,
    size: event.size,
    dmaAddr: event.dmaAddr,
    pfn: event.pfn,
    count: event.count,
    align: event.align,
    available: event.available,
  };
}

export type Numbers = ReturnType<typeof numbersOf>;

/** All events of a file, `pick`ed one by one. */
export async function eventsOf<T>(file: string, pick: (event: TraceEvent) => T): Promise<T[]> {
  const events: T[] = [];
  await readTrace(file, new Names(), { event: (event) => events.push(pick(event)), lost() {} });
  return events;
}

export async function* once(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** The events of a text, with what the reader noticed. */
export async function readText<T>(text: string, pick: (event: TraceEvent) => T) {
  const events: T[] = [];
  const names = new Names();
  const tally = await readChunks('text', once(Buffer.from(text)), names, {
    event: (event) => events.push(pick(event)),
    lost() {},
  });
  return { events, tally, names };
}
