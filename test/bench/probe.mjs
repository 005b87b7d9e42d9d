/** Loaded before a benchmark (`node --import`): tells on file descriptor 3 what the process took. */

import { writeSync } from 'node:fs';

process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  const whole = { wallMs: performance.now(), cpuMs: (user + system) / 1e3 };
  writeSync(3, JSON.stringify(globalThis.measured ?? whole));
});
