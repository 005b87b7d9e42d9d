/**
 * Observers that a plan can turn on, by name. A new one is a file of its own and a line here.
 */

import type { AreaState, Finding, RunObserver, ZoneState } from './recorder.js';
import { AttemptHistory, RequestHistory } from './requestHistory.js';
import { type LogOptions, RequestLog } from './requestLog.js';
import { RequestWalk } from './requestWalk.js';

/** Findings of policies and ledgers; every run has it. */
class Findings implements RunObserver {
  readonly #findings: Finding[] = [];

  found(finding: Finding): void {
    this.#findings.push(finding);
  }

  take(): Finding[] {
    return this.#findings;
  }
}

/** States of areas and zones that a replay asked for. */
class States implements RunObserver {
  readonly #areas: AreaState[] = [];
  readonly #zones: ZoneState[] = [];

  sawArea(state: AreaState): void {
    this.#areas.push(state);
  }

  sawZone(state: ZoneState): void {
    this.#zones.push(state);
  }

  take(): { readonly areas: readonly AreaState[]; readonly zones: readonly ZoneState[] } {
    return { areas: this.#areas, zones: this.#zones };
  }
}

const makers = {
  findings: () => new Findings(),
  states: () => new States(),
  attempts: () => new AttemptHistory(),
  requests: () => new RequestHistory(),
  walk: (from: number, end: number) => new RequestWalk(from, end),
  log: (options: LogOptions) => new RequestLog(options),
};

type Name = keyof typeof makers;
type Made<K extends Name> = ReturnType<(typeof makers)[K]>;

/** Which observers are on, with what each is told. */
export type Observe = { readonly [K in Name]?: Readonly<Parameters<(typeof makers)[K]>> };

type Taken = { readonly [K in Name]?: ReturnType<Made<K>['take']> };

/** What the observers of one shard bring back: plain data. */
export type Observed = Taken & Pick<Required<Taken>, 'findings'>;

/** The observers of a shard, and how to get what they have when it has ended. */
export function observersOf(observe: Observe): {
  readonly observers: readonly RunObserver[];
  take(): Observed;
} {
  const on = { findings: [], ...observe };
  const names = (Object.keys(makers) as Name[]).filter((name) => on[name] !== undefined);
  const made = names.map((name) => {
    const make = makers[name] as (...told: readonly unknown[]) => Made<Name>;
    return [name, make(...(on[name] ?? []))] as const;
  });
  return {
    observers: made.map(([, observer]) => observer),
    take: () =>
      Object.fromEntries(made.map(([name, observer]) => [name, observer.take()])) as Observed,
  };
}
