/**
 * scenarios/rack-1024 through the whole simulator: start-up, events per second on one and two shards, and
 * what a node and a device cost in memory.
 */
import { fileURLToPath } from 'node:url';

const dist = new URL('../../dist/src/', import.meta.url);
const { loadScenario } = await import(new URL('index.js', dist));
const { planRun } = await import(new URL('run/plan.js', dist));
const { shardRun } = await import(new URL('run/simulate.js', dist));
const { runShards } = await import(new URL('run/shards.js', dist));
const { default: build } = await import(new URL('nodes/shard.js', dist));

const file = fileURLToPath(new URL('../../scenarios/rack-1024.yaml', import.meta.url));
const ROUNDS = 2;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const overrides = (keys) =>
  Object.entries(keys).map(([path, value]) => ({ path, value, text: value }));

/** Bytes that a built shard of the scenario holds, typed arrays included. */
async function bytesOf(keys) {
  const [scenario] = loadScenario(file, { overrides: overrides(keys) });
  const { plan } = planRun(scenario, { interpreted: false, checks: false });
  globalThis.gc?.();
  const before = process.memoryUsage();
  const model = await build(plan, { index: 0, count: 1, owns: () => true });
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  return { bytes, nodes: plan.machine.nodes.length, devices: plan.devices.length, model };
}

async function memory() {
  const nodes = await bytesOf({ 'devices.nic.count': '1' });
  const both = await bytesOf({});
  const perDevice = (both.bytes - nodes.bytes) / (both.devices - nodes.devices);
  const perNode = (nodes.bytes - nodes.devices * perDevice) / nodes.nodes;
  console.log(`a node costs ${Math.round(perNode)} bytes, a device ${Math.round(perDevice)} bytes`);
}

export async function run() {
  console.log('# rack-1024: 1 024 nodes, 8 192 NICs');
  const begun = performance.now();
  const [scenario] = loadScenario(file);
  const { plan } = planRun(scenario, { interpreted: false, checks: false });
  console.log(
    `scenario read and kernel booted in ${((performance.now() - begun) / 1e3).toFixed(2)} s`,
  );
  await memory();
  const rates = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const shards of [1, 2, 'auto']) {
      const start = performance.now();
      const outcome = await runShards(shardRun(scenario, plan, { shards }));
      const rate = outcome.events / outcome.loopMs / 1e3;
      const list = rates.get(shards) ?? [];
      list.push(rate);
      rates.set(shards, list);
      const startUp = (performance.now() - start - outcome.loopMs) / 1e3;
      console.log(
        `shards ${shards}: ${outcome.events} events, ${rate.toFixed(2)} M/s, ` +
          `start-up of the shards ${startUp.toFixed(2)} s, fingerprint ${outcome.fingerprint}`,
      );
    }
  }
  const one = median(rates.get(1));
  for (const [shards, list] of rates) {
    console.log(
      `shards ${shards}: median ${median(list).toFixed(2)} M events/s, ${(median(list) / one).toFixed(2)} of one`,
    );
  }
}
