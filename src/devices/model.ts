/**
 * What a device model is: a life cycle, the words its actions and guards are written in, its
 * memory.
 *
 * The XState machine is the only source of behaviour; actions and guards are named functions over a
 * row of numbers, so that lowered.ts can run it over tables and interpreted.ts through XState, with
 * equal results.
 */
import { type AnyStateMachine, createMachine, StateMachine } from 'xstate';
import type { z } from 'zod';
import type { Statistic } from '../sim/statistics.js';
import type { DeviceKeys } from './deviceKeys.js';
import type { DmaApi } from './dmaApi.js';
import type { DeviceEnvironment, MemoryList } from './memory.js';

/**
 * One device's row, by the names of its fields. Valid during the call only: the next device reuses
 * it.
 */
export type DeviceRow<Field extends string = string> = { [K in Field]: number };

/**
 * The numbers an event carries; the meaning of each slot is in `number` below. A raised event has
 * none of its own: its actions see those of the event in whose step it was raised.
 */
export type Numbers = Float64Array;

type Word<F extends string, Result> = (dma: DmaApi, row: DeviceRow<F>, n: Numbers) => Result;
export type Action<F extends string = string> = Word<F, void>;
/** A guard asks and changes nothing. */
type Guard<F extends string = string> = Word<F, boolean>;
/** Delay of an `after` that bears its name, in ns. */
type Delay<F extends string = string> = Word<F, number>;

/** The functions a machine's names stand for. */
export interface Vocabulary<F extends string = string> {
  readonly actions: Readonly<Record<string, Action<F>>>;
  readonly guards: Readonly<Record<string, Guard<F>>>;
  readonly delays: Readonly<Record<string, Delay<F>>>;
}

/** Events every device gets from its host, and the numbers they carry. */
export const hostEvents = [
  'START',
  'GRANTED',
  'REFUSED',
  'FREED',
  'ACCESSED',
  'LINE',
  'LOST',
] as const;
export const number = {
  /** `source`: area, or BUDDY. `nid`: where the pages lie. */
  granted: { handle: 0, pages: 1, nid: 2, source: 3 },
  refused: { handle: 0, errno: 1 },
  /** `source`: area that took the pages, BUDDY, or LEAKED. */
  freed: { handle: 0, pages: 1, source: 2 },
  /**
   * `queuedNs`: what the access waited at the memory controller; `elapsedNs`: from call to answer.
   */
  accessed: { handle: 0, queuedNs: 1, elapsedNs: 2 },
  /** Answers line(): the words as they were before the access. */
  line: { line: 0, words: 1 },
  /** A line that was in the cache has been recalled, or one that was waited for has changed. */
  lost: { line: 0 },
} as const;

/** One number a device's times rest on, with where it comes from. */
export interface DeviceParameter {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly class: Statistic['class'];
  readonly source: string;
}

/** An event that a scenario's timeline may send to a device. */
interface TimelineEvent {
  readonly help: string;
  /** Names of its numbers, in order. */
  readonly numbers: readonly string[];
}

/** A device as its file defines it; `State`: the numbers of a row that are no keys. */
export interface DeviceDefinition<
  Keys extends z.ZodObject,
  State extends string,
  Config = z.output<Keys>,
> {
  /** `smmuv3` in a scenario. */
  readonly kind: string;
  readonly summary: string;
  /**
   * Every key with a sentence: it becomes help, schema and docs. A key is a field of the row by its
   * name: a number as it is, true as 1, a word as its position, a list as where it is kept.
   */
  readonly config: Keys;
  /** Keys that only configure() and memory() read: they are no fields. */
  readonly unread?: readonly string[];
  /**
   * The row's other numbers, zeros at first; `handles` and `probed` are how many handles the memory
   * has, and how many of them are the probe's.
   */
  readonly state: readonly State[];
  /** Its chart, or the machine that setup() made of one. */
  readonly machine: AnyStateMachine | object;
  readonly actions: Readonly<Record<string, Action<Field<Keys, State>>>>;
  readonly guards?: Readonly<Record<string, Guard<Field<Keys, State>>>>;
  readonly delays?: Readonly<Record<string, Delay<Field<Keys, State>>>>;
  /** What its actions record. */
  readonly statistics: readonly Statistic[];
  /** What a timeline may send, by event type. */
  readonly timeline?: Readonly<Record<string, TimelineEvent>>;
  /** False for what no IOMMU translates, whatever the machine has. True unless given. */
  readonly behindIommu?: boolean;
  /** Events its own actions send with `after`. */
  readonly own?: readonly string[];
  /** All its allocations, in the order of their handles. */
  memory(config: Config, environment: DeviceEnvironment): MemoryList;
  /** What its times rest on; the machine's own numbers are not among them. */
  parameters?(config: Config): readonly DeviceParameter[];
  /** Adds to the row what follows from the keys. */
  configure?(
    row: DeviceRow<Field<Keys, State>>,
    config: Config,
    environment: DeviceEnvironment,
  ): void;
  /** Words of its slab; none unless given. */
  slab?(config: Config, environment: DeviceEnvironment): number;
  /**
   * Devices that come with one of this kind, such as the CPUs that issue to it. They become its
   * peers 0, 1, …; it is peer 0 of each.
   * @throws CompanionError if the machine has no room for them.
   */
  companions?(config: Config, place: CompanionPlace): readonly Companion[];
}

/** Names of a row's numbers: the keys, and the state. */
export type Field<Keys extends z.ZodObject, State extends string> =
  | (keyof z.output<Keys> & string)
  | State;

/** A definition whose own types are forgotten, so that models of all kinds fit in one list. */
export interface DeviceModel
  extends Omit<
      DeviceDefinition<z.ZodObject, string, unknown>,
      'state' | 'machine' | keyof Vocabulary
    >,
    Vocabulary {
  readonly machine: AnyStateMachine;
  /** Names of the row's numbers. */
  readonly fields: readonly string[];
  readonly timeline: Readonly<Record<string, TimelineEvent>>;
}

export interface CompanionPlace {
  /** Node of the device. */
  readonly nid: number;
  /** Nodes with their CPUs, the device's own first, then by the time to get there. */
  readonly cpus: readonly { readonly nid: number; readonly cpus: number }[];
}

/** The machine has no room for what a device brings with it. */
export class CompanionError extends Error {
  /** The key that asks for too much. */
  readonly key: string;

  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}

/** A device that comes with another. */
interface Companion {
  readonly kind: string;
  readonly nid: number;
  readonly config: unknown;
}

/** One device of a plan: the keys every device has, and what they mean on this machine. */
export interface PlannedDevice
  extends Readonly<Omit<DeviceKeys, 'node' | 'count' | 'numa_node' | 'area'>> {
  /** `nic0`, or `nic0@2`, `nic0@2.1` of a declaration that makes several. */
  readonly name: string;
  /** Key under `devices:`. */
  readonly declaration: string;
  /** Node it is plugged into. */
  readonly nid: number;
  /** Its numa_node attribute, dev_to_node(dev); -1: none. */
  readonly numaNode: number;
  /** Name of its own CMA area, and its index once the kernel has booted; none unless given. */
  readonly areaName?: string;
  readonly area?: number;
  /** Node of the IOMMU's own memory, its page tables among it; the device's unless given. */
  readonly smmuNode?: number;
  /** As its model's schema returned it; devices of one declaration share the object. */
  readonly config: unknown;
  /** Positions in the plan of the devices it speaks to. */
  readonly peers?: readonly number[];
  /** Position of the device it came with: what it records counts for that one. */
  readonly owner?: number;
}

/** A model from what its file says. */
export function defineDevice<Keys extends z.ZodObject, State extends string>(
  definition: DeviceDefinition<Keys, State>,
): DeviceModel {
  const { state, config, machine, unread = [] } = definition;
  const keys = Object.keys(config.shape).filter((key) => !unread.includes(key));
  const fields = new Set([...state, ...keys]);
  const rest = { guards: {}, delays: {}, timeline: {}, ...definition };
  // The host hands a model only rows and configurations that the model itself made.
  return {
    ...rest,
    fields: [...fields],
    machine: machine instanceof StateMachine ? machine : createMachine(machine),
  } as unknown as DeviceModel;
}

/**
 * A model's words as setup() of XState wants them: names to check a machine against, never called.
 */
export function words<A extends string, G extends string = never, D extends string = never>(
  actions: Readonly<Record<A, unknown>>,
  guards?: Readonly<Record<G, unknown>>,
  delays?: Readonly<Record<D, unknown>>,
): {
  actions: { [K in A]: () => void };
  guards: { [K in G]: () => boolean };
  delays: { [K in D]: () => number };
} {
  const unbound = (): never => {
    throw new Error('a device machine runs in a device host, which binds its words');
  };
  const bind = <K extends string>(named: Readonly<Record<K, unknown>> | undefined) =>
    Object.fromEntries(Object.keys(named ?? {}).map((name) => [name, unbound])) as {
      [P in K]: () => never;
    };
  return { actions: bind(actions), guards: bind(guards), delays: bind(delays) };
}
