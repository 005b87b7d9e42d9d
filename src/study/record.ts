/**
 * Record of a run: what its hash determines, and no more. Two records of one run have the
 * same bytes.
 *
 * Statistics of single devices are kept of up to 32 devices; of more, those of declarations and of
 * all together, so that a thousand runs of a large machine fit on a disk.
 */

import type { AreaResult, Placed, RunResult, StatResult } from '../run/result.js';

/** Requests of the devices of one node. */
interface NodeRequests {
  readonly nid: number;
  readonly refused: number;
  /** Granted on the device's node and elsewhere. */
  readonly local: number;
  readonly remote: number;
  /** Granted by the default area, and by the buddy. */
  readonly byDefault: number;
  readonly byBuddy: number;
}

export interface RunRecord {
  /** Name of the run: Naming.nameOf(). */
  readonly run: string;
  readonly scenario: string;
  readonly kernel: string;
  readonly policy: string;
  readonly machine: string;
  readonly cmdline: string;
  readonly seed: number;
  /** Reason why the kernel does not boot; then everything below is empty. */
  readonly failed: string | null;
  readonly fingerprint: string;
  readonly simulatedNs: number;
  readonly events: number;
  readonly stats: readonly StatResult[];
  readonly areas: readonly AreaResult[];
  readonly devices: readonly { readonly name: string; readonly declaration: string }[];
  readonly nodes: readonly NodeRequests[];
  readonly checks: readonly { readonly expr: string; readonly ok: boolean }[];
  readonly findings: number;
}

const devicesMax = 32;

export function recordOf(run: string, result: RunResult): RunRecord {
  const few = result.devices.length <= devicesMax;
  const declarations = [...new Set(result.devices.map(({ declaration }) => declaration))];
  const devices = few
    ? result.devices.map(({ name, declaration }) => ({ name, declaration }))
    : declarations.map((name) => ({ name, declaration: name }));
  const kept = new Set(['', ...declarations, ...devices.map(({ name }) => name)]);
  const { scenario, kernel, policy, machine, cmdline, seed } = result;
  return {
    run,
    ...{ scenario, kernel, policy, machine, cmdline, seed },
    failed: null,
    fingerprint: result.fingerprint,
    simulatedNs: result.simulatedNs,
    events: result.events,
    stats: result.stats.filter(({ actor }) => kept.has(actor)),
    areas: result.areas,
    devices,
    nodes: nodeRequests(result),
    checks: result.checks.map(({ expr, ok }) => ({ expr, ok })),
    findings: result.findings.length,
  };
}

/** The record of a run whose kernel does not boot. */
export function failedRecord(
  run: string,
  of: Pick<RunRecord, 'scenario' | 'kernel' | 'policy' | 'machine' | 'cmdline' | 'seed'>,
  failed: string,
): RunRecord {
  const { scenario, kernel, policy, machine, cmdline, seed } = of;
  return {
    run,
    ...{ scenario, kernel, policy, machine, cmdline, seed },
    failed,
    ...{ fingerprint: '', simulatedNs: 0, events: 0, findings: 0 },
    ...{ stats: [], areas: [], devices: [], nodes: [], checks: [] },
  };
}

function nodeRequests({ devices }: RunResult): NodeRequests[] {
  const nodes = new Map<number, Record<Exclude<keyof NodeRequests, 'nid'>, number>>();
  for (const { node, placed, placedRemote, refused } of devices) {
    const sum = nodes.get(node) ?? { refused: 0, local: 0, remote: 0, byDefault: 0, byBuddy: 0 };
    const remote = total(placedRemote);
    sum.refused += refused;
    sum.local += total(placed) - remote;
    sum.remote += remote;
    sum.byDefault += placed.default;
    sum.byBuddy += placed.buddy;
    nodes.set(node, sum);
  }
  return [...nodes].sort(([a], [b]) => a - b).map(([nid, sum]) => ({ nid, ...sum }));
}

function total({ device, node, default: byDefault, buddy }: Placed): number {
  return device + node + byDefault + buddy;
}

/** Throws unless the text is the record of that run. */
export function parseRecord(text: string, run: string): RunRecord {
  const record = JSON.parse(text) as RunRecord;
  if (record.run !== run) throw new Error(`run ${run}: the record is of ${record.run}`);
  return record;
}
