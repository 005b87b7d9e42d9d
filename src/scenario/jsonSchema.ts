/**
 * The JSON Schema of scenario files: what editors complete from, derived from schema.ts and the
 * devices.
 */

import { z } from 'zod';
import { deviceKeys } from '../devices/deviceKeys.js';
import type { DeviceModel } from '../devices/model.js';
import { deviceModels } from '../devices/registry.js';
import { scenarioKeys } from './schema.js';

/** As much of it as is read here. */
export interface JsonSchema {
  [key: string]: unknown;
  description?: string;
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

/** The schema of one document of a scenario file. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const schema = jsonSchema(scenarioKeys);
  const kinds = deviceModels().map(oneKind);
  const devices = schema.properties?.devices;
  if (devices) devices.additionalProperties = { oneOf: kinds };
  // YAML reads `kernel: 6.12` as a number; the loader takes it by its text.
  for (const key of ['kernel', 'policy']) {
    const named = schema.properties?.[key];
    const text = named?.anyOf?.[0] ?? named;
    if (text) text.type = ['string', 'number'];
  }
  // Later documents of a file keep the first one's keys, so no key is required of every document.
  const { $schema, required: _, ...rest } = schema;
  return { $schema, title: 'A scenario of cmasim', ...rest };
}

/** A device: the keys all have, and those of its kind. */
function oneKind({ kind, summary, config }: DeviceModel): JsonSchema {
  const common = jsonSchema(deviceKeys).properties ?? {};
  const { properties = {} } = jsonSchema(config);
  return {
    type: 'object',
    description: summary,
    properties: { ...common, kind: { ...common.kind, const: kind }, ...properties },
    required: ['kind'],
    additionalProperties: false,
  };
}

/** The keys of one kind, as far as a table shows them. */
export function deviceJsonSchema(config: z.ZodType): Record<string, JsonSchema> {
  return jsonSchema(config).properties ?? {};
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema: part }) => {
      // The bounds of a double say nothing to a reader.
      if (part.maximum === Number.MAX_SAFE_INTEGER) delete part.maximum;
      if (part.minimum === Number.MIN_SAFE_INTEGER) delete part.minimum;
    },
  }) as JsonSchema;
}
