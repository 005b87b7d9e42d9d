/**
 * Properties draw the same cases in every run, so that a change and its failure belong together.
 * `FC_SEED=random npm test` draws others; a seed that fails becomes a named test.
 */
import fc from 'fast-check';

const asked = process.env.FC_SEED;
const seed = asked === undefined ? 20_200_625 : Number(asked);
if (Number.isInteger(seed)) fc.configureGlobal({ seed });
