/** A run whose thread dies of seed 3, every time, and that throws at seed 4. */
import run from './runner.mjs';

export default function mortal(scenario) {
  if (scenario.seed === 3) process.exit(1);
  if (scenario.seed === 4) throw new Error('seed 4 is no good');
  return run(scenario);
}
