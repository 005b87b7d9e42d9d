/**
 * Name of a run: a hash of everything that determines its result, and of nothing else.
 *
 * Two machines that agree on a name agree on the result, so runs may be made anywhere, in any
 * order, twice, and put together. Where, when and how fast a run was made is not part of it.
 */

import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Scenario } from '../scenario/scenario.js';
import { known } from './known.js';

/** JSON with keys in order and without those that have no value: equal data, equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, one]) => one !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A resolved scenario as loadScenario() leaves it in Scenario.document. */
export type ScenarioDocument = Readonly<Record<string, unknown>>;

/** The resolved scenario, with its modules where they are found from anywhere on this machine. */
export function placedDocument({ document, modules }: Scenario): ScenarioDocument {
  if (modules.length === 0) return document;
  return { ...document, modules: modules.map((url) => fileURLToPath(url)) };
}

/** SHA-256 by path, of modules that a scenario names. */
export type Digests = Readonly<Record<string, string>>;

/** Digests of modules given by URL. What a module imports itself is not looked at. */
export function digestsOf(urls: Iterable<string>): Digests {
  const paths = [...new Set(urls)].map((url) => fileURLToPath(url)).sort();
  return Object.fromEntries(paths.map((path) => [path, digestOf(path)]));
}

export function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Ground that all runs of a study share. */
export interface Ground {
  /** modelVersion() of whoever makes the runs. */
  readonly model: string;
  /** Simulated time, in ns, whose statistics are thrown away. */
  readonly warmupNs: number;
  /**
   * Of the modules that documents name: a run is decided by what is in them, not by where they lie.
   */
  readonly modules: Digests;
}

/** Names runs; the part of a name that replications share is hashed once. */
export class Naming {
  private readonly ground: Omit<Ground, 'modules'>;
  private readonly modules: Digests;
  private readonly begun = new WeakMap<ScenarioDocument, Hash>();

  constructor({ model, warmupNs, modules }: Ground) {
    this.ground = { model, warmupNs };
    this.modules = modules;
  }

  /** 64 hex digits. A title tells runs apart for people only. */
  nameOf(document: ScenarioDocument, seed: number): string {
    const hash = known(this.begun, document, () => {
      const { title: _, seed: __, modules, ...rest } = document;
      const digests = (modules as string[] | undefined)?.map((path) => this.modules[path]);
      const determines = { ...rest, modules: digests };
      return createHash('sha256').update(canonical([this.ground, determines]));
    });
    return hash.copy().update(`\n${seed}`).digest('hex');
  }
}

/** Rooms whose code decides what a run yields. */
const decisive = ['mm', 'sim', 'machine', 'wire', 'devices', 'nodes', 'scenario', 'boot', 'run'];

let model: string | undefined;

/**
 * The release and a digest of the model's code, such as `0.1.0+3f2a9c01d4e5`: runs of two builds
 * that differ in a single line of the model are never taken for each other.
 */
export function modelVersion(): string {
  model ??= digestOfModel();
  return model;
}

function digestOfModel(): string {
  const source = new URL('../', import.meta.url);
  const folders = decisive.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, source), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .map((name) => `${folder}/${name}`),
  );
  const hash = createHash('sha256');
  for (const name of [...folders, 'study/record.js'].sort()) {
    hash.update(`${name}\n`).update(readFileSync(new URL(name, source)));
  }
  const manifest = readFileSync(new URL('../../package.json', source), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return `${version}+${hash.digest('hex').slice(0, 12)}`;
}
