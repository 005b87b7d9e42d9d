/**
 * Steps of the policy as one request went through them, out of what was recorded: the walk itself
 * said why it passed a step over, and what came of those it took.
 */

import { conditions } from '../mm/policy.js';
import type { SkipReason, ZoneTried } from '../nodes/recorder.js';
import type { Placement, Tried } from '../run/placement.js';
import type { StepRow } from './explained.js';

/** `steps`: in the order and the words of the policy. */
export function stepRows(
  request: Placement,
  steps: readonly string[],
  zonesTried: readonly ZoneTried[],
): StepRow[] {
  const served = servedBy(request, zonesTried);
  if (request.mode === 'raw') return [rawRow(request)];
  return steps.map((step, i): StepRow => {
    const attempts = request.attempts.filter((one) => one.step === i);
    const zones = zonesTried.filter((one) => one.step === i);
    const isServed = served === i;
    if (attempts.length > 0) {
      const back = attempts.some(({ givenBack }) => givenBack);
      const outcome = isServed ? 'served' : back ? 'given back' : 'failed';
      return { step, outcome, text: attemptsText(attempts) };
    }
    if (zones.length > 0) {
      return { step, outcome: isServed ? 'served' : 'failed', text: zonesText(request, zones) };
    }
    const skip = request.skipped.findLast((one) => one.step === i);
    if (skip) return { step, ...skipped(step, skip.reason) };
    return { step, outcome: 'not reached', text: notReached(request) };
  });
}

/** Position of the step that the pages are from; -1: none. */
function servedBy({ role, attempts }: Placement, zones: readonly ZoneTried[]): number {
  if (role === 'refused') return -1;
  if (role === 'buddy') return zones.findLast(({ pages }) => pages > 0)?.step ?? -1;
  return attempts.findLast(({ err, givenBack }) => err === 0 && !givenBack)?.step ?? -1;
}

/** A call of cma_alloc() itself asks one area, and no policy. */
function rawRow({ attempts, role }: Placement): StepRow {
  const outcome = role === 'refused' ? 'failed' : 'served';
  if (attempts.length === 0) return { step: 'cma_alloc()', outcome, text: 'there is no area' };
  return { step: 'cma_alloc()', outcome, text: attemptsText(attempts) };
}

function notReached({ settled }: Placement): string {
  return Number.isNaN(settled) ? 'the run ended before' : 'an earlier step served it';
}

function attemptsText(attempts: readonly Tried[]): string {
  const texts = attempts.map((one) => `${one.area || 'no area'} ${errText(one)}`);
  const back = attempts.some(({ givenBack }) => givenBack);
  return `${texts.join(', ')}${back ? '; the mask does not reach it: given back' : ''}`;
}

function errText({ err, retries }: Tried): string {
  const busy = retries > 0 ? `, ${retries} windows given up` : '';
  if (err === 0) return `had room${busy}`;
  if (err === 1) return 'returned at once: inactive, or smaller than the request';
  return `${err === -12 ? 'ENOMEM (-12)' : err === -16 ? 'EBUSY (-16)' : err}${busy}`;
}

function zonesText({ mode }: Placement, zones: readonly ZoneTried[]): string {
  const isScattered = mode === 'bulk' || mode === 'iommu' || mode === 'tables';
  const texts = zones.map(({ nid, round, hasZone, pages }, i) => {
    if (pages > 0 && isScattered) return `node ${nid} gave ${pages} pages`;
    // A block ends the walk, unless it goes back.
    if (pages > 0) return `node ${nid} had room${i < zones.length - 1 ? ' beyond the mask' : ''}`;
    if (!hasZone) return `node ${nid} has no zone that the flags allow`;
    return `node ${nid} below its ${round === 0 ? 'low' : 'min'} watermark`;
  });
  const what = isScattered ? 'page by page' : `order ${zones[0].order}`;
  return `${what}: ${[...new Set(texts)].join(', ')}`;
}

function skipped(step: string, reason: SkipReason): Pick<StepRow, 'outcome' | 'text'> {
  switch (reason.why) {
    case 'no area':
      return { outcome: 'no area', text: 'this slot is empty' };
    case 'conditions':
      return { outcome: 'skipped', text: `does not hold: ${missingConditions(reason.missing)}` };
    case 'size': {
      const size = /size [^,]+/.exec(step)?.[0] ?? 'size';
      return { outcome: 'skipped', text: `does not hold: ${size} (it is ${reason.bytes} bytes)` };
    }
    case 'mode':
      return { outcome: 'skipped', text: 'the call asks the buddy only' };
    case 'no node':
      return { outcome: 'skipped', text: 'no node to ask' };
    case 'mask':
      return { outcome: 'skipped', text: 'an area gave pages that the mask does not reach' };
    case 'order':
      return { outcome: 'failed', text: `order ${reason.order} is above the largest` };
  }
}

function missingConditions(bits: number): string {
  const missing = Object.entries(conditions).filter(([, bit]) => (bits & bit) !== 0);
  return missing.map(([name]) => name).join(', ');
}
