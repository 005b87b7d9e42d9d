/**
 * Properties draw the same cases in every run, so that a change and its failure belong together.
 * `FC_SEED=random npm test` draws others; a seed that fails becomes a named test. Every test file tells what
 * CPU time it took (budget.ts).
 */
import fc from 'fast-check';
import { afterAll, expect } from 'vitest';
import { tellCpu } from './budget.js';
import { cases } from './cases.js';

const asked = process.env.FC_SEED;
const seed = asked === undefined ? 20_200_625 : Number(asked);
fc.configureGlobal({ ...cases(), ...(Number.isInteger(seed) ? { seed } : {}) });

afterAll(() => tellCpu(expect.getState().testPath ?? ''));
