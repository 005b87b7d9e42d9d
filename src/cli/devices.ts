/**
 * `cmasim devices`: the kinds there are; with KIND its life cycle, its memory, its keys and events.
 */

import { Command } from 'commander';
import { mermaid } from '../devices/chart/mermaid.js';
import { type DeviceEnvironment, memoryOf } from '../devices/memory.js';
import type { DeviceModel } from '../devices/model.js';
import { deviceModel, deviceModels } from '../devices/registry.js';
import { deviceJsonSchema } from '../scenario/jsonSchema.js';
import { didYouMean } from '../scenario/suggest.js';
import { right, sizeText, table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import { print, printJson } from './output.js';

/**
 * Machine that footprints are shown for: 4 KiB pages, 16 CPUs, CONFIG_CMA_ALIGNMENT and
 * MAX_PAGE_ORDER by default.
 */
const environment: DeviceEnvironment = {
  pageSize: 4096,
  maxPageOrder: 10,
  cmaAlignment: 8,
  dmaCma: true,
  cpus: 16,
};

export function devicesCommand(): Command {
  return new Command('devices')
    .summary('list kinds of devices; with KIND, its state chart and memory')
    .description(
      'Lists the kinds a scenario may name. With KIND: its life cycle as a Mermaid diagram, the ' +
        'memory it asks for (4 KiB pages, 16 CPUs, no keys given), its keys, and the events a ' +
        'timeline may send.',
    )
    .argument('[kind]', 'a kind')
    .option('--json', 'print one document instead of tables')
    .action((kind: string | undefined, options: { json?: boolean }) => {
      const models = kind === undefined ? deviceModels() : [find(kind)];
      if (options.json) printJson({ format: 'cmasim-devices/1', devices: models.map(document) });
      else print((kind === undefined ? list(models) : one(models[0])).join('\n'));
    });
}

function find(kind: string): DeviceModel {
  const model = deviceModel(kind);
  if (model) return model;
  const known = deviceModels().map((one) => one.kind);
  throw new UserError(null, `device ${kind} is not known, ${didYouMean(kind, known)}`);
}

function footprint(model: DeviceModel) {
  const config = model.config.parse({});
  return memoryOf(model, config, environment).footprint(environment.pageSize);
}

function list(models: readonly DeviceModel[]): string[] {
  return table(
    ['kind', ...right('memory'), 'what it is'],
    models.map((model) => {
      const bytes = footprint(model).reduce((sum, row) => sum + row.bytes * row.count, 0);
      return [model.kind, sizeText(bytes), model.summary];
    }),
  );
}

function one(model: DeviceModel): string[] {
  const rows = footprint(model);
  const keys = Object.entries(deviceJsonSchema(model.config));
  // Times in ns, sizes in bytes: what the schema makes of no keys at all.
  const unlessGiven = model.config.parse({}) as Record<string, unknown>;
  const sections = [
    [`${model.kind}: ${model.summary}`],
    ['```mermaid', ...mermaid(model.machine), '```'],
    table(
      ['memory for', ...right('bytes', 'count', 'total'), 'may come from CMA'],
      rows.map(({ purpose, bytes, count, cma }) => {
        return [purpose, sizeText(bytes), count, sizeText(bytes * count), cma ? 'yes' : 'no'];
      }),
    ),
    table(
      ['key', 'unless given', 'what it is'],
      keys.map(([key, { description }]) => {
        return [key, String(unlessGiven[key] ?? '-'), description ?? ''];
      }),
    ),
    table(
      ['event', 'numbers', 'what it does'],
      Object.entries(model.timeline).map(([event, { numbers, help }]) => {
        return [event, numbers.join(', ') || '-', help];
      }),
    ),
    table(
      ['statistic', 'unit', 'class', 'what it is'],
      model.statistics.map(({ name, unit, class: of, help }) => [name, unit, of, help]),
    ),
  ];
  return sections.flatMap((lines, i) => (i > 0 ? ['', ...lines] : lines));
}

function document(model: DeviceModel): Record<string, unknown> {
  return {
    kind: model.kind,
    summary: model.summary,
    mermaid: mermaid(model.machine).join('\n'),
    footprint: footprint(model),
    keys: deviceJsonSchema(model.config),
    events: model.timeline,
    statistics: model.statistics,
  };
}
