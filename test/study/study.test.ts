/** Studies: what their axes make of a scenario, what names a run, where a mistake stands. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical, Naming } from '#cmasim/study/identity.js';
import { parseStudy } from '#cmasim/study/load.js';
import { RunLedger } from '#cmasim/study/runLedger.js';
import { baselineOf, type Study, StudyRuns, variantText } from '#cmasim/study/study.js';

const scenario = 'scenario: { kernel: "6.12", machine: { nodes: 2 }, seed: 5 }\n';
const study = (text: string): Study => parseStudy(scenario + text, 'study.yaml', { model: 'test' });
const texts = (of: Study) => of.variants.map(variantText);
const fails = (text: string, whole = scenario + text) => {
  try {
    parseStudy(whole, 'study.yaml', { model: 'test' });
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

describe('axes', () => {
  test('make every combination, the last one fastest', () => {
    const of = study('axes: { kernel: [v2, 5.10], nodes: { key: machine.nodes, values: [2, 4] } }');
    expect(texts(of)).toEqual([
      'kernel=v2 nodes=2',
      'kernel=v2 nodes=4',
      'kernel=5.10 nodes=2',
      'kernel=5.10 nodes=4',
    ]);
    expect(of.variants[3].document).toMatchObject({ kernel: '5.10', machine: { nodes: 4 } });
  });

  test.each([
    ['{ key: seed, from: 1, to: 4 }', [1, 2, 3, 4]],
    ['{ key: seed, from: 0, to: 10, step: 4 }', [0, 4, 8]],
    ['{ key: stop, from: 10us, to: 1ms, factor: 10 }', ['10us', '100us', '1ms']],
    ['{ key: stop, from: 500us, to: 2ms, step: 500us }', ['500us', '1ms', '1500us', '2ms']],
    ['{ key: machine.memory, from: 1G, to: 4G, factor: 2 }', ['1G', '2G', '4G']],
    ['{ key: cost.zero_page_ns, from: 0.1, to: 0.3, step: 0.1 }', [0.1, 0.2, 0.3]],
  ])('of a range %s are %j', (axis, values) => {
    const text = `axes: { x: ${axis} }`;
    // A number of the cost model that is not there would be another test's business.
    if (axis.includes('cost')) return expect(fails(text)).toContain('cost');
    expect(study(text).variants.map(({ values }) => values.x)).toEqual(values);
  });

  test('that are zipped move together, and fill placeholders of `set`', () => {
    const of = study(`
set: { cmdline: "cma={area} quiet", machine.nodes: "{nodes}" }
axes: { area: [16M, 32M], nodes: [2, 4] }
zip: [[area, nodes]]
`);
    expect(of.variants.map(({ document }) => document)).toMatchObject([
      { cmdline: 'cma=16M quiet', machine: { nodes: 2 } },
      { cmdline: 'cma=32M quiet', machine: { nodes: 4 } },
    ]);
  });

  test('are thinned by conditions on numbers, sizes, times and words', () => {
    const of = study(`
axes:
  kernel: [v2, 5.10, 6.12]
  stop: [1ms, 10ms]
where: ["kernel != v2 or stop > 5ms", "not kernel == 6.12"]
`);
    expect(texts(of)).toEqual([
      'kernel=v2 stop=10ms',
      'kernel=5.10 stop=1ms',
      'kernel=5.10 stop=10ms',
    ]);
  });

  test('with a baseline pair every variant with the one that differs in it alone', () => {
    const of = study('axes: { kernel: [v2, 5.10], stop: [1ms, 2ms] }\nbaseline: { kernel: v2 }');
    expect(of.variants.map((variant) => baselineOf(of, variant)?.index)).toEqual([
      undefined,
      undefined,
      0,
      1,
    ]);
  });
});

describe('a mistake is named with its place', () => {
  test.each([
    ['axs: {}', 'study.yaml:2:1: axs: unknown key, did you mean axes?'],
    ['axes: { kernel: [6.13] }', /^study.yaml:2:\d+: kernel: 6.13 is not known/],
    [
      'axes: { x: { from: 1 } }',
      'study.yaml:2:12: axes.x: no values, expected a list, or from and to',
    ],
    ['axes: { x: { from: 4K, to: 3ms } }', /axes.x.to: a time, expected a size as in from$/],
    ['axes: { mean: [1] }', /axes.mean: a column of the tables/],
    ['axes: { x: [1] }', /^study.yaml:2:\d+: x: unknown key/],
    ['set: { cmdline: "cma={y}" }', /set.cmdline: \{y\} is no axis/],
    ['axes: { kernel: [v2] }\nzip: [[kernel, stop]]', /zip\[0\]\[1\]: stop is no axis/],
    ['axes: { kernel: [v2] }\nwhere: ["kernel = v2"]', /where\[0\]: =, expected/],
    ['axes: { kernel: [v2] }\nwhere: ["kernel != v2"]', /none of 1 combinations is left/],
    ['until: ["refused within 5%"]', /until: no bound, expected replications: { at_most/],
    [
      'replications: { at_most: 50 }\nuntil: ["refused below 5"]',
      /until\[0\]: below, expected within/,
    ],
    ['axes: { kernel: [v2] }\nbaseline: { kernel: v3 }', /baseline.kernel: v3, expected one of v2/],
    ['baseline: { kernel: v2 }\nrandom: independent', /pairs nothing, expected random: common/],
    ['replications: none', /replications: none, expected a number, or at_least and at_most/],
  ])('%s', (text, message) => {
    if (typeof message === 'string') expect(fails(text)).toBe(message);
    else expect(fails(text)).toMatch(message);
  });

  test('of the scenario too, which keeps its lines within the study', () => {
    const text = 'title: x\nscenario:\n  kernel: "6.12"\n  machine: { nodes: none }\n';
    expect(fails('', text)).toMatch(/^study.yaml:4:21: machine.nodes: none/);
    expect(fails('', 'scenario: nowhere.yaml')).toMatch(
      /^study.yaml:1:11: scenario: nowhere.yaml: no such file$/,
    );
    expect(fails('', '')).toBe('study.yaml:1:1: an empty file, expected a study');
  });
});

describe('the name of a run', () => {
  const document = { kernel: '6.12', machine: { nodes: 2 }, title: 'a' };

  test('is decided by scenario, seed, model and warm-up, and by nothing else', () => {
    const name = (one: object, seed = 1, ground = { model: 'test', warmupNs: 0, modules: {} }) =>
      new Naming(ground).nameOf(one as Record<string, unknown>, seed);
    const same = { title: 'b', machine: { nodes: 2 }, kernel: '6.12', seed: 7 };
    expect(name(same)).toBe(name(document));
    expect(name(document)).toMatch(/^[0-9a-f]{64}$/);
    const others = [
      name(document, 2),
      name({ ...document, kernel: '6.6' }),
      name(document, 1, { model: 'other', warmupNs: 0, modules: {} }),
      name(document, 1, { model: 'test', warmupNs: 5, modules: {} }),
    ];
    expect(new Set([...others, name(document)]).size).toBe(5);
  });

  test('is decided by what is in a module, not by where it lies', () => {
    const name = (path: string, digest: string) => {
      const naming = new Naming({ model: 'test', warmupNs: 0, modules: { [path]: digest } });
      return naming.nameOf({ ...document, modules: [path] }, 1);
    };
    expect(name('/a/disk.mjs', 'one')).toBe(name('/b/disk.mjs', 'one'));
    expect(name('/a/disk.mjs', 'two')).not.toBe(name('/a/disk.mjs', 'one'));
  });

  test('equal data is written alike, different data is not', () => {
    const data = fc.jsonValue();
    fc.assert(
      fc.property(data, data, (a, b) => {
        const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
        expect(JSON.parse(canonical(a))).toEqual(plain(a));
        if (canonical(a) === canonical(b)) expect(plain(a)).toEqual(plain(b));
      }),
    );
  });

  test('replication i of all variants has one seed, unless the study wants otherwise', () => {
    const seeds = (of: Study) =>
      of.variants.map((variant) => [0, 1].map((i) => new StudyRuns(of).at(variant, i).seed));
    expect(seeds(study('axes: { kernel: [v2, 5.10] }'))).toEqual([
      [5, 6],
      [5, 6],
    ]);
    const independent = seeds(study('axes: { kernel: [v2, 5.10] }\nrandom: independent')).flat();
    expect(new Set(independent).size).toBe(4);
  });
});

test('shards part the runs: together all, none twice', () => {
  const of = study('axes: { kernel: [v2, 5.10, 6.12] }\nreplications: 7');
  for (const count of [1, 2, 5, 30]) {
    const parts = Array.from({ length: count }, (_, index) => {
      const ledger = new RunLedger(of, { index, count });
      const runs: string[] = [];
      for (let one = ledger.next(); one; one = ledger.next()) runs.push(one.run);
      return runs;
    });
    expect(new Set(parts.flat()).size).toBe(21);
    expect(parts.flat().length).toBe(21);
  }
});
