/**
 * The kernel command line, read as the kernel of that release reads it: early_param() handlers,
 * their lenient ends, the last occurrence winning as far as it goes.
 *
 * Models next_arg() and do_early_param(), and the handlers in kernel/dma/contiguous.c,
 * kernel/dma/pool.c, mm/hugetlb.c and drivers/iommu. A mistake is never an error here: what the
 * kernel does with it is done, and a note says so. Left out: bootconfig, parameters built into the
 * kernel.
 */

import type { Kconfig } from '../mm/boot/kconfig.js';
import { type BootParameters, KernelVariables } from '../mm/boot/parameters.js';
import type { Arch } from '../mm/boot/reservation.js';
import { reservations } from '../mm/boot/reservation.js';
import { kstrtobool, type Memparse, memparse } from '../mm/memparse.js';
import type { Kernel } from '../mm/release.js';

interface CmdlineNote {
  readonly parameter: string;
  /**
   * unknown: not a parameter of this kernel. lenient: read in part. inert: read, changes nothing.
   */
  readonly kind: 'unknown' | 'lenient' | 'inert';
  readonly text: string;
}

/** A command line as it is being read. */
class Reading {
  readonly parameters = new KernelVariables();
  /** iommu.passthrough=, iommu=pt; null: not given. */
  iommuPassthrough: boolean | null = null;
  iommuStrict: boolean | null = null;
  /** arm-smmu-v3.disable_msipolling. */
  disableMsipolling = false;
  /** Name and value of what this program does not read, in order; null: no `=`. */
  readonly others: (readonly [name: string, value: string | null])[] = [];
  /** Lines the kernel prints while it reads, in its words. */
  readonly log: string[] = [];
  readonly notes: CmdlineNote[] = [];
  /** The kernel does not survive reading this command line; in words. Null: it does. */
  fatal: string | null = null;
}

type Frozen<T> = {
  readonly [K in keyof T]: T[K] extends readonly (infer One)[] ? readonly One[] : T[K];
};
/** What a kernel has made of its command line. */
export type CommandLine = Omit<Frozen<Reading>, 'parameters'> & {
  readonly parameters: BootParameters;
};

/** A handler returns false where the kernel's returns an error. `value` is null without `=`. */
type Handler = (state: Reading, name: string, value: string | null) => boolean;

function note(state: Reading, parameter: string, kind: CmdlineNote['kind'], text: string): void {
  state.notes.push({ parameter, kind, text });
}

/** memparse() with a note about anything a reader would not expect. */
function size(state: Reading, name: string, text: string): Memparse {
  const m = memparse(text);
  if (m.wrapped)
    note(state, name, 'lenient', `${text} does not fit into 64 bits: the rest is lost`);
  if (/^[^0-9]|^$/.test(text)) {
    note(state, name, 'lenient', `"${text}" is no number: the kernel reads 0`);
  }
  return m;
}

function leftOver(state: Reading, name: string, rest: string): void {
  const saidAlready = state.notes.some((n) => n.text.startsWith(`"${rest}" is no number`));
  if (rest !== '' && !saidAlready) note(state, name, 'lenient', `"${rest}" is not read`);
}

/** A handler that passes NULL on to memparse() or dereferences it: no boot without a value. */
function needsValue(handler: (state: Reading, name: string, value: string) => void): Handler {
  return (state, name, value) => {
    if (value !== null) {
      handler(state, name, value);
      return true;
    }
    const why = 'the kernel reads through a null pointer and does not boot';
    state.fatal ??= `${name} without "=": ${why}`;
    return true;
  };
}

/** early_cma(). */
const cma: Handler = (state, name, value) => {
  if (value === null) {
    state.log.push('cma: Config string not provided');
    return false;
  }
  const p = state.parameters;
  const first = size(state, name, value);
  p.cmaSize = first.isMinusOne ? null : first.value;
  if (!first.rest.startsWith('@')) {
    leftOver(state, name, first.rest);
    if (p.cmaBase !== 0 || p.cmaLimit !== 0) {
      note(state, name, 'lenient', `${value} keeps base and limit of the cma= before it`);
    }
    return true;
  }
  const base = size(state, name, first.rest.slice(1));
  p.cmaBase = base.value;
  if (!base.rest.startsWith('-')) {
    p.cmaLimit = base.value + first.value;
    leftOver(state, name, base.rest);
    return true;
  }
  const limit = size(state, name, base.rest.slice(1));
  p.cmaLimit = limit.value;
  leftOver(state, name, limit.rest);
  return true;
};

/** A value that is one size; what is left over is not read. */
function wholeSize(state: Reading, name: string, value: string): number {
  const m = size(state, name, value);
  leftOver(state, name, m.rest);
  return m.value;
}

/** early_cma_pernuma(), and pernuma_cma= of the 2020 series. */
const everyNode = needsValue((state, name, value) => {
  state.parameters.everySize = wholeSize(state, name, value);
  state.parameters.numaCmaConfigured = true;
});

/** The loop that numa_cma= and hugetlb_cma= share: `node:size,...`; returns what stopped it. */
function byNode(
  state: Reading,
  { name, value, maxNumnodes }: { name: string; value: string; maxNumnodes: number },
  take: (nid: number, size: number) => void,
): { rest: string; why: 'end' | 'no number' | 'no colon' | 'no such node' | 'no comma' } {
  let s = value;
  while (s !== '') {
    const digits = /^\s*[0-9]+/.exec(s)?.[0];
    if (digits === undefined) return { rest: s, why: 'no number' };
    if (s[digits.length] !== ':') return { rest: s, why: 'no colon' };
    if (Number(digits) >= maxNumnodes) return { rest: s, why: 'no such node' };
    const m = size(state, name, s.slice(digits.length + 1));
    take(Number(digits), m.value);
    if (!m.rest.startsWith(',')) return { rest: m.rest, why: m.rest === '' ? 'end' : 'no comma' };
    s = m.rest.slice(1);
  }
  return { rest: '', why: 'end' };
}

const whyStopped = {
  end: '',
  'no number': 'a decimal node number was expected',
  'no colon': '":" was expected after the node',
  'no such node': 'the node is not below MAX_NUMNODES',
  'no comma': '"," was expected',
} as const;

/** What stopped the loop above, if it did not come to the end. */
function noteStop(
  state: Reading,
  name: string,
  { rest, why }: { rest: string; why: keyof typeof whyStopped },
): void {
  if (rest === '') return;
  note(state, name, 'lenient', `stops without a word at "${rest}": ${whyStopped[why]}`);
}

/** early_numa_cma(). */
const numaCma = (maxNumnodes: number) =>
  needsValue((state, name, value) => {
    const { sizeByNode } = state.parameters;
    const take = (nid: number, bytes: number) => sizeByNode.set(nid, bytes);
    noteStop(state, name, byNode(state, { name, value, maxNumnodes }, take));
    state.parameters.numaCmaConfigured = true;
  });

/**
 * cmdline_parse_hugetlb_cma(): an item without a colon makes it read its whole value as one size.
 */
const hugetlbCma = (maxNumnodes: number, knowsNodes: boolean) =>
  needsValue((state, name, value) => {
    const p = state.parameters;
    const stop = knowsNodes
      ? byNode(state, { name, value, maxNumnodes }, (nid, bytes) => {
          p.hugetlbByNode.set(nid, bytes);
          p.hugetlbSize += bytes;
        })
      : undefined;
    if (stop && stop.why !== 'no colon') noteStop(state, name, stop);
    else p.hugetlbSize = wholeSize(state, name, value);
  });

const coherentPool = needsValue((state, name, value) => {
  state.parameters.atomicPoolSize = wholeSize(state, name, value);
});

const mem: Handler = (state, name, value) => {
  if (value === null) return false;
  if (value !== 'nopentium') state.parameters.mem = wholeSize(state, name, value);
  return true;
};

const numa: Handler = (state, _name, value) => {
  if (value?.startsWith('off')) state.parameters.numaOff = true;
  return value !== null;
};

const movableNode: Handler = (state, name) => {
  note(state, name, 'inert', 'no range of this machine is marked hot-pluggable: nothing moves');
  return true;
};

function flag(name: 'iommuPassthrough' | 'iommuStrict'): Handler {
  return (state, _name, value) => {
    const parsed = value === null ? null : kstrtobool(value);
    if (parsed !== null) state[name] = parsed;
    return parsed !== null;
  };
}

/** A module parameter of type bool: without a value it is true. */
const msipolling: Handler = (state, _name, value) => {
  const parsed = kstrtobool(value ?? 'y');
  if (parsed !== null) state.disableMsipolling = parsed;
  return true;
};

/** x86's iommu=pt. */
const iommu: Handler = (state, _name, value) => {
  for (const word of (value ?? '').split(',')) {
    if (word === 'pt') state.iommuPassthrough = true;
    if (word === 'nopt') state.iommuPassthrough = false;
  }
  return true;
};

function handlers(kernel: Kernel, config: Kconfig, arch: Arch): Map<string, Handler> {
  const known = new Map<string, Handler>([
    ['mem', mem],
    ['numa', numa],
    ['movable_node', movableNode],
    ['iommu.passthrough', flag('iommuPassthrough')],
    ['iommu.strict', flag('iommuStrict')],
    ['arm_smmu_v3.disable_msipolling', msipolling],
  ]);
  if (arch === 'x86') known.set('iommu', iommu);
  const maxNumnodes = 2 ** config.NODES_SHIFT;
  if (config.HUGETLB_PAGE && config.DMA_CMA) {
    known.set('hugetlb_cma', hugetlbCma(maxNumnodes, kernel.release.hugetlb.byNode));
  }
  if (config.DMA_COHERENT_POOL) known.set('coherent_pool', coherentPool);
  if (!config.DMA_CMA) return known;
  known.set('cma', cma);
  const { kconfig, everyParameter, byNodeParameter } = kernel.reservation;
  if (kconfig !== null && !config[kconfig]) return known;
  if (everyParameter !== null) known.set(everyParameter, everyNode);
  if (byNodeParameter !== null) known.set(byNodeParameter, numaCma(maxNumnodes));
  return known;
}

/** Why this kernel does not know a parameter that some kernel knows. */
function unknownText(name: string, kernel: Kernel): string {
  const passed = 'the kernel passes it on to init and reserves nothing for it';
  const { reservation, release } = kernel;
  const mine = [reservation.everyParameter, reservation.byNodeParameter] as (string | null)[];
  if (mine.includes(name)) return `CONFIG_${reservation.kconfig} is not set: ${passed}`;
  const others = reservations
    .filter((r) => r.everyParameter === name || r.byNodeParameter === name)
    .map((r) => r.id);
  if (others.length > 0) {
    return `release ${release.id} does not know it (${others.join(', ')} do): ${passed}`;
  }
  return `no such parameter, or not in this configuration: ${passed}`;
}

/** next_arg(): words at blanks outside double quotes, a value's own quotes taken off. */
export function splitCmdline(text: string): readonly (readonly [string, string | null])[] {
  const words = text.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
  const result: (readonly [string, string | null])[] = [];
  for (const raw of words) {
    const word = raw.replace(/^"([^"]*)"?$/, '$1');
    if (word === '--') break; // what follows is init's
    const at = word.indexOf('=');
    if (at < 0) result.push([word, null]);
    else result.push([word.slice(0, at), word.slice(at + 1).replace(/^"|"$/g, '')]);
  }
  return result;
}

/**
 * Reads a command line as `kernel`, built with `config` for `arch`, reads it.
 *
 * Never throws: what the kernel would make of a mistake is in `parameters`, what it would print in
 * `log`, what a reader should know in `notes`.
 */
export function parseCmdline(
  text: string,
  kernel: Kernel,
  config: Kconfig,
  arch: Arch,
): CommandLine {
  const known = handlers(kernel, config, arch);
  const state = new Reading();
  for (const [name, value] of splitCmdline(text)) {
    // parameq(): dashes and underscores are the same.
    const canonical = name.replaceAll('-', '_');
    const handler = known.get(canonical);
    if (handler) {
      const accepted = handler(state, canonical, value);
      if (!accepted) state.log.push(`Malformed early option '${name}'`);
    } else {
      state.others.push([name, value]);
      if (canonical.includes('cma')) note(state, name, 'unknown', unknownText(canonical, kernel));
    }
  }
  return state;
}
