/**
 * Results as documents for scripts: base units, the unit in the key where it is not obvious.
 */

import type { RunResult } from './result.js';

/** `run --json`; one run stands by itself, several in a list. */
export function runDocument(results: readonly RunResult[]): Record<string, unknown> {
  const format = 'cmasim-run/1';
  const [first] = results;
  if (first && results.length === 1) return { format, ...oneRun(first) };
  return { format, runs: results.map(oneRun) };
}

function oneRun(result: RunResult): Record<string, unknown> {
  return {
    scenario: result.scenario,
    title: result.title,
    kernel: result.kernel,
    policy: result.policy,
    cmdline: result.cmdline,
    machine: result.machine,
    seed: result.seed,
    shards: result.shards,
    fingerprint: result.fingerprint,
    simulated_ns: result.simulatedNs,
    events: result.events,
    wall_ms: Math.round(result.wallMs),
    interrupted: result.interrupted,
    areas: result.areas.map((area) => ({
      name: area.name,
      nid: area.nid,
      base_pfn: area.basePfn,
      count: area.count,
      used: area.used,
      peak_used: area.peakUsed,
      maxchunk: area.maxchunk,
      alloc_pages_success: area.allocPagesSuccess,
      alloc_pages_fail: area.allocPagesFail,
    })),
    devices: result.devices.map((device) => ({
      name: device.name,
      kind: device.kind,
      node: device.node,
      local_share: device.localShare,
      state: device.state,
      placed: device.placed,
      placed_remote: device.placedRemote,
      refused: device.refused,
      leaked_pages: device.leakedPages,
    })),
    stats: result.stats.map(({ kind: _, ...stat }) => stat),
    checks: result.checks.map(({ missing, ...check }) => {
      return missing.length > 0 ? { ...check, missing } : check;
    }),
    findings: result.findings.map(({ kind, time, text }) => ({ kind, time_ns: time, text })),
    notes: result.notes,
    boot_log: result.bootLog,
    parameters: result.parameters,
  };
}
