/**
 * The README's own scenario does what its comment says.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseScenario, simulate } from '#cmasim/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const [example, policy] = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);

test('the example runs, and what it expects holds', async () => {
  const [scenario] = parseScenario(example!, 'README.md');
  const { checks, findings } = await simulate(scenario!, { inline: true });
  expect(checks.map(({ ok }) => ok)).toEqual([true]);
  expect(findings).toEqual([]);
});

test('the policy written as text can be read', () => {
  const text = `${example!.replace(/expect:[\s\S]*/, '')}${policy}`;
  expect(parseScenario(text, 'README.md')[0].policy).toBe('custom');
});
