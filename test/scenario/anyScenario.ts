/**
 * Any scenario: machines, kernels, command lines, devices of every kind in every mode with keys of
 * their own, pressure, a timeline. Small enough to run in milliseconds.
 *
 * Kinds, keys and events are read off the models, so that a new one is drawn without a word here.
 * Some documents contradict themselves: readable() keeps those that load and boot.
 */
import fc from 'fast-check';
import { deviceModels } from '#cmasim/devices/registry.js';
import { BootFailed, planRun } from '#cmasim/run/plan.js';
import { ScenarioError } from '#cmasim/scenario/error.js';
import { deviceJsonSchema } from '#cmasim/scenario/jsonSchema.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import { kernelNames } from '#cmasim/scenario/resolve.js';
import type { Scenario } from '#cmasim/scenario/scenario.js';

/** As much of a key's JSON Schema as decides what is drawn for it. */
interface KeySchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: number;
  readonly anyOf?: readonly { readonly const?: number }[];
}

/** Most keys are left out of most devices. */
const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });

const later = fc.constantFrom('700ns', '20us', '300us');
const times = fc.oneof(fc.constant(0), later);
const sizes = fc.constantFrom<unknown>('1', '2K', '64K', '1M');

function drawn(schema: KeySchema): fc.Arbitrary<unknown> {
  const { minimum = 0, maximum = 64, default: usual = minimum } = schema;
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.type === 'array') return fc.array(later, { minLength: 1, maxLength: 3 });
  if (schema.type !== 'integer')
    return schema.anyOf?.some((one) => one.const === 0) ? times : sizes;
  const large = Math.min(maximum, usual, 256);
  return fc.oneof(
    fc.integer({ min: minimum, max: Math.max(minimum, Math.min(maximum, 4)) }),
    fc.integer({ min: Math.min(minimum, large), max: Math.max(minimum, large) }),
  );
}

/** Keys of a kind, most of them left out; not those that say what it does. */
function ownKeys(config: Parameters<typeof deviceJsonSchema>[0]): fc.Arbitrary<object> {
  const schema = deviceJsonSchema(config) as Record<string, KeySchema>;
  const keys = Object.entries(schema).map(([key, one]) => {
    const always = ['traffic', 'arrivals', 'mode'].includes(key);
    return [key, always ? drawn(one) : seldom(drawn(one))] as const;
  });
  return fc.record(Object.fromEntries(keys)).map(withoutNulls);
}

function withoutNulls(keys: object): object {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null));
}

const nid = fc.nat(3);

// CPUs of an SMMU come with one.
const kinds = deviceModels().filter(({ kind }) => kind !== 'smmu-cpu');

const device = fc.constantFrom(...kinds).chain(({ kind, config, timeline }) => {
  const events = Object.entries(timeline).map(([event, { numbers }]) =>
    fc
      .array(fc.integer({ min: 1, max: 600 }), {
        minLength: numbers.length,
        maxLength: numbers.length,
      })
      .map((value) => ({ event, value })),
  );
  return fc.record({
    keys: fc
      .record({
        node: fc.option(nid),
        count: seldom(fc.integer({ min: 1, max: 2 })),
        numa_node: seldom(fc.integer({ min: -1, max: 3 })),
        start: seldom(times),
        area: seldom(fc.constantFrom('reserved', 'own')),
        iommu: seldom(fc.constantFrom('direct', 'passthrough', 'translated')),
        mask: seldom(fc.integer({ min: 24, max: 64 })),
      })
      .map(withoutNulls),
    own: ownKeys(config),
    kind: fc.constant(kind),
    events: fc.array(fc.oneof(...events), { maxLength: events.length > 0 ? 2 : 0 }),
    written: seldom(fc.integer({ min: -1, max: 3 })),
  });
});

const share = fc.constantFrom('0%', '7%', '40%', '100%');
const pressure = fc.oneof(
  fc.constantFrom('16M', '200M'),
  fc
    .record({
      unmovable: fc.option(fc.constantFrom('1M', '100M')),
      movable: fc.constantFrom('10%', '95%', '64M'),
      cma: fc.option(share),
      clean: fc.option(share),
      renew: fc.option(fc.constantFrom('1ms', '40ms')),
      pinned: fc.option(share),
      pin: fc.option(fc.constantFrom('10us', '2ms')),
    })
    .map(withoutNulls),
);

const machine = fc
  .record({
    nodes: fc.integer({ min: 1, max: 4 }),
    arch: fc.constantFrom('arm64', 'x86'),
    memory: fc.array(fc.constantFrom('256M', '512M', '1G'), { minLength: 4, maxLength: 4 }),
    cpus: fc.array(fc.nat(2), { minLength: 4, maxLength: 4 }),
    page: fc.constantFrom('4K', '4K', '4K', '16K', '64K'),
    ways: fc.array(fc.integer({ min: 101, max: 900 }), { minLength: 16, maxLength: 16 }),
  })
  .map(({ nodes, arch, memory, cpus, page, ways }) => ({
    nodes,
    arch,
    ...(arch === 'x86' ? {} : { page }),
    memory: memory.slice(0, nodes),
    cpus: [1, ...cpus.slice(1)].slice(0, nodes),
    latency: Array.from({ length: nodes }, (_, a) =>
      Array.from({ length: nodes }, (_, b) => (a === b ? 100 : ways[a * 4 + b])),
    ),
  }));

const memoryEvent = fc.record({
  do: fc.constantFrom('take', 'give'),
  node: nid,
  size: fc.constantFrom('1M', '300M', '4K'),
});

/** A document of any scenario, as text. */
export const anyDocument: fc.Arbitrary<string> = fc
  .record({
    kernel: fc.constantFrom(...kernelNames()),
    seed: fc.nat(1000),
    machine,
    cmdline: fc.constantFrom(
      '',
      'cma=16M',
      'cma=8M cma_pernuma=4M',
      'cma=0 numa_cma=0:4M,1:8M',
      'cma=32M hugetlb_cma=64M coherent_pool=512K iommu.passthrough=1',
    ),
    reserved: seldom(fc.record({ size: fc.constantFrom('4M', '32M'), default: fc.boolean() })),
    devices: fc.array(device, { minLength: 1, maxLength: 4 }),
    pressure: seldom(pressure),
    memory: fc.array(memoryEvent, { maxLength: 2 }),
    whens: fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 16, maxLength: 16 }),
  })
  .map(({ reserved, devices, memory, whens, pressure: held, ...rest }) => {
    const { nodes } = rest.machine;
    const on = (node: number) => Math.min(node, nodes - 1);
    let event = 0;
    const at = () => `${whens[event++ % whens.length]}us`;
    const entries = devices.flatMap(({ events, written }, i) => [
      ...events.map((one) => ({ at: at(), do: 'send', device: `d${i}`, ...one })),
      ...(written === null
        ? []
        : [{ at: at(), do: 'write', device: `d${i}`, numa_node: on(written) }]),
    ]);
    const placed = ({ keys, own, kind }: (typeof devices)[number]): object => {
      const all: Record<string, unknown> = { kind, ...own, ...keys };
      for (const key of ['node', 'numa_node']) {
        if (typeof all[key] === 'number') all[key] = on(all[key]);
      }
      return all;
    };
    return JSON.stringify({
      ...rest,
      ...(reserved ? { reserved_memory: { own: reserved } } : {}),
      devices: Object.fromEntries(devices.map((one, i) => [`d${i}`, placed(one)])),
      ...(held ? { pressure: { all: held } } : {}),
      timeline: [...entries, ...memory.map((one) => ({ at: at(), ...one, node: on(one.node) }))],
      stop: '5ms',
    });
  });

/** The scenario of a document, or null if it contradicts itself or its kernel does not boot. */
export function readable(document: string): Scenario | null {
  try {
    const [scenario] = parseScenario(document, 'any.yaml');
    planRun(scenario, { interpreted: false, checks: false });
    return scenario;
  } catch (error) {
    if (error instanceof ScenarioError || error instanceof BootFailed) return null;
    throw error;
  }
}

/** Any scenario that loads and boots, as text. */
export const anyScenario: fc.Arbitrary<string> = anyDocument.filter(
  (document) => readable(document) !== null,
);
