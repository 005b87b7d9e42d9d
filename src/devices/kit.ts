/**
 * What a device model in a module of the user's own is written with: the words of our own models.
 *
 * The module's default export is a function of this kit that returns a model or several, so that it
 * needs no packages of its own and shares our statistics. docs/devices.md shows one.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { counter, histogram } from '../sim/statistics.js';
import { mustBeInterpreted } from './chart/check.js';
import { type DeviceModel, defineDevice, number, words } from './model.js';
import * as keys from './parts/keys.js';
import * as life from './parts/life.js';
import * as sequence from './parts/sequence.js';
import * as traffic from './parts/traffic.js';
import { deviceModel, registerDevice } from './registry.js';

const kit = {
  setup,
  z,
  keys,
  defineDevice,
  words,
  number,
  counter,
  histogram,
  sequence,
  life,
  traffic,
};
type Kit = typeof kit;

const parts = ['kind', 'config', 'fields', 'machine', 'actions', 'statistics', 'memory'] as const;

/** Modules of this thread by URL: one that several scenarios name is made once. */
const made = new Map<string, readonly DeviceModel[]>();

/** URLs of the modules that this thread knows. */
export function registeredModules(): string[] {
  return [...made.keys()];
}

/**
 * Registers what a module gives in this thread.
 * @throws Error in one line if it gives no models, one of a kind that is taken, or one whose chart
 * no device can have, whoever finds fault with it.
 */
export function registerModule(url: string, module: { readonly default?: unknown }): void {
  if (made.has(url)) return;
  const models = inOneLine('', () => modelsOf(module.default));
  for (const model of models) {
    const missing = parts.find(
      (part) => (model as Partial<DeviceModel> | null)?.[part] === undefined,
    );
    if (missing) throw new Error(`a model without ${missing}, expected what defineDevice() takes`);
    if (deviceModel(model.kind)) throw new Error(`device ${model.kind} is there already`);
    inOneLine(`device ${model.kind}: `, () => mustBeInterpreted(model));
  }
  for (const model of models) registerDevice(model);
  made.set(url, models);
}

function modelsOf(make: unknown): DeviceModel[] {
  if (typeof make !== 'function') {
    throw new Error('no default export that is a function, expected one of a device kit');
  }
  const given = (make as (kit: Kit) => unknown)(kit);
  return (Array.isArray(given) ? given : [given]) as DeviceModel[];
}

/** What `from` gives; an error of a library may take several lines to say what is wrong. */
function inOneLine<T>(before: string, from: () => T): T {
  try {
    return from();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(before + reason.trim().replaceAll(/\s*\n\s*/g, ' '));
  }
}
