/**
 * Runs and replays as exporters take them.
 */
import { kernelOf } from '../mm/release.js';
import type { TraceReplay } from '../replay/traceReplay.js';
import type { RunPlacements } from '../run/placements.js';
import type { ExportRun } from './run.js';

export function exportOfRun(run: RunPlacements): ExportRun {
  const { scenario, planned, outcome, placements, early } = run;
  return {
    name: scenario.name,
    release: kernelOf(scenario.kernel).release,
    machine: scenario.machine,
    layout: planned.plan.layout,
    cmdline: scenario.cmdline,
    bootLog: planned.report.log,
    placements,
    early,
    zones: outcome.zones,
  };
}

export function exportOfReplay(replay: TraceReplay): ExportRun {
  const { name, site, placements, early, zones } = replay;
  return {
    name,
    release: site.kernel.release,
    machine: site.machine,
    layout: site.plan.layout,
    cmdline: site.cmdline,
    bootLog: site.report.log,
    placements,
    early,
    zones,
  };
}
