/** Scenarios of long runs print what stands beside them. */

import { test } from 'vitest';
import { expectGolden, slow } from './goldens.js';

test.each([...slow])('%s', expectGolden);
