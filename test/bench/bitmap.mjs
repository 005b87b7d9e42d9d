/**
 * The bitmap script of the kernel's CMA search: pairs of cma_alloc and cma_release, 2 to 64 pages,
 * at a steady occupancy, through the shipped search, beside the same loop in C.
 *
 * The checksum folds every index that was returned: equal checksums mean equal placements.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cmaAreaFromLayout, cmaClaim, cmaRelease, cmaSearch } from '../../dist/src/mm/alloc/cma.js';

const CELLS = [
  { pages: 4096, occupancy: 50, pairs: 300_000, check: 'cc8df7ea', target: 0.4 },
  { pages: 4096, occupancy: 90, pairs: 300_000, check: 'af01f228', target: 0.4 },
  { pages: 262_144, occupancy: 50, pairs: 20_000, check: '91d2b07a', target: 4 },
  { pages: 262_144, occupancy: 90, pairs: 20_000, target: 4 },
];
const NONE = 0xffffffff;
const MAX_ORDER = 8;

function fmix(z) {
  z ^= z >>> 16;
  z = Math.imul(z, 0x85ebca6b);
  z ^= z >>> 13;
  z = Math.imul(z, 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

const orderOf = (n) => Math.min(MAX_ORDER, n <= 1 ? 0 : 32 - Math.clz32(n - 1));

/** One run: fills to the occupancy, then times `pairs` allocations, each making room for itself. */
export function script({ pages, occupancy, pairs }, seed = 1) {
  const area = cmaAreaFromLayout({
    index: 0,
    name: 'bench',
    basePfn: 0,
    count: pages,
    orderPerBit: 0,
    nid: 0,
    zone: 'Normal',
    role: 'private',
    slotNid: 0,
  });
  const target = Math.floor((pages * occupancy) / 100);
  const pfns = new Int32Array(pages / 2 + 2);
  const sizes = new Int32Array(pages / 2 + 2);
  let state = seed;
  let used = 0;
  let live = 0;
  let hash = 0;
  let fails = 0;
  const random = () => {
    state = (state + 0x9e3779b9) | 0;
    return fmix(state);
  };
  const take = (n) => {
    const window = cmaSearch(area, n, orderOf(n), 0);
    hash = (Math.imul(hash, 31) + (window < 0 ? NONE : window)) | 0;
    if (window < 0) return false;
    cmaClaim(area, window, n);
    pfns[live] = window;
    sizes[live++] = n;
    used += n;
    return true;
  };
  const giveOne = () => {
    const k = random() % live;
    cmaRelease(area, pfns[k], sizes[k]);
    used -= sizes[k];
    live -= 1;
    pfns[k] = pfns[live];
    sizes[k] = sizes[live];
  };
  for (;;) {
    const n = 2 + (random() % 63);
    if (used + n > target || !take(n)) break;
  }
  const from = process.cpuUsage();
  for (let i = 0; i < pairs; i++) {
    const n = 2 + (random() % 63);
    while (used + n > target && live > 0) giveOne();
    if (take(n)) continue;
    fails += 1;
    if (live > 0) giveOne();
  }
  const cpu = process.cpuUsage(from);
  return {
    checksum: (hash >>> 0).toString(16).padStart(8, '0'),
    fails,
    rate: pairs / ((cpu.user + cpu.system) / 1e6),
  };
}

/** Builds the C loop; undefined without a compiler. */
function compile() {
  const directory = mkdtempSync(join(tmpdir(), 'cmasim-bench-'));
  const binary = join(directory, 'bitmap');
  const source = fileURLToPath(new URL('./yardstick/bitmap.c', import.meta.url));
  try {
    execFileSync('cc', ['-O2', '-o', binary, source], { stdio: 'ignore' });
  } catch {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  return {
    run({ pages, occupancy, pairs }) {
      const args = [pages, occupancy, pairs].map(String);
      const [checksum, rate] = execFileSync(binary, args, { encoding: 'utf8' }).trim().split(' ');
      return { checksum, rate: Number(rate) };
    },
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** The best of a few runs: on a shared machine the others measure the neighbours. */
function best(runs, once) {
  let top = once();
  for (let i = 1; i < runs; i++) {
    const next = once();
    if (next.rate > top.rate) top = next;
  }
  return top;
}

/** Prints the table; resolves to true when every checksum and target holds. */
export async function run(print = console.log) {
  const c = compile();
  let good = true;
  print('CMA bitmap script, thousand allocations per CPU second');
  print('   pages  full        JS         C    JS/C  target  checksum');
  for (const cell of CELLS) {
    const js = best(5, () => script(cell));
    const yardstick = c && best(3, () => c.run(cell));
    const expected = cell.check ?? yardstick?.checksum ?? js.checksum;
    const equal = js.checksum === expected && (yardstick?.checksum ?? expected) === expected;
    const ratio = yardstick && js.rate / yardstick.rate;
    good &&= equal && (ratio === undefined || ratio >= cell.target);
    print(
      [
        String(cell.pages).padStart(8),
        `${cell.occupancy} %`.padStart(5),
        (js.rate / 1000).toFixed(0).padStart(9),
        (yardstick ? (yardstick.rate / 1000).toFixed(0) : '-').padStart(9),
        (ratio ? ratio.toFixed(2) : '-').padStart(7),
        `>= ${cell.target}`.padStart(7),
        ` ${js.checksum}${equal ? '' : ` is not ${expected}`}`,
      ].join(' '),
    );
  }
  c?.remove();
  return good;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = (await run()) ? 0 : 1;
