/**
 * Ctrl-C and SIGTERM: work ends with what it has; a second time the process ends at once.
 */

import { complain } from './output.js';

export const interruptedCode = 130;

/** Does the work with a signal that says when to end, and complains of it in these words. */
export async function interruptible<Result>(
  words: string | null,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const interrupt = new AbortController();
  const stop = () => {
    if (interrupt.signal.aborted) process.exit(interruptedCode);
    interrupt.abort();
    if (words !== null) complain(words);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    return await work(interrupt.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}
