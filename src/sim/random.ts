/**
 * Named random streams, all split from one seed.
 *
 * A stream's numbers depend on the seed and its name only: not on which streams exist, in which
 * order they were made, or on which shard they live. The generator is sfc32 (Doty-Humphrey,
 * PractRand): four words of state, period at least 2^32, about 3 ns per draw.
 */

/** Draws after seeding that are thrown away, until the state no longer shows the seed. */
const WARM_UP = 12;

export class Stream {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(state: readonly [number, number, number, number]) {
    [this.a, this.b, this.c, this.counter] = state;
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** A whole number from 0 to n - 1, all equally likely. `n` from 1 to 2^32. */
  below(n: number): number {
    if (!(n >= 1 && n <= 2 ** 32)) throw new RangeError(`below(${n}): expected 1 to 2^32`);
    // Draws at the incomplete end of the range would favour small results.
    const end = 2 ** 32 - (2 ** 32 % n);
    let draw = this.u32();
    while (draw >= end) draw = this.u32();
    return draw % n;
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    return ((this.u32() >>> 5) * 2 ** 26 + (this.u32() >>> 6)) * 2 ** -53;
  }

  /** Exponential; not rounded. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  /**
   * Standard normal (Box and Muller; the second value is not kept, so the state stays four words).
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Log-normal: exp of a normal with deviation `sigma`, scaled to this median. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal());
  }

  save(): [number, number, number, number] {
    return [this.a, this.b, this.c, this.counter];
  }

  restore(state: readonly number[]): void {
    [this.a, this.b, this.c, this.counter] = state as [number, number, number, number];
  }
}

/** State of all streams, as plain data. */
export interface StreamsState {
  readonly seed: number;
  readonly streams: Record<string, number[]>;
}

export class Streams {
  private readonly streams = new Map<string, Stream>();
  readonly seed: number;

  /** `seed`: a whole number from 0 to 2^53 - 1. */
  constructor(seed: number) {
    if (!(Number.isSafeInteger(seed) && seed >= 0)) {
      throw new RangeError(`seed ${seed}: expected a whole number from 0 to 2^53 - 1`);
    }
    this.seed = seed;
  }

  /** The stream of this name; the same object for the same name. */
  stream(name: string): Stream {
    let stream = this.streams.get(name);
    if (stream === undefined) {
      stream = new Stream(seedState(this.seed, name));
      for (let i = 0; i < WARM_UP; i++) stream.u32();
      this.streams.set(name, stream);
    }
    return stream;
  }

  save(): StreamsState {
    const names = [...this.streams.keys()].sort();
    return {
      seed: this.seed,
      streams: Object.fromEntries(names.map((name) => [name, this.stream(name).save()])),
    };
  }

  restore(state: StreamsState): void {
    if (state.seed !== this.seed) {
      throw new RangeError(`streams of seed ${state.seed} restored into seed ${this.seed}`);
    }
    for (const [name, words] of Object.entries(state.streams)) this.stream(name).restore(words);
  }
}

/** 128 bits out of seed and name: four multiplicative hashes that feed each other. */
function seedState(seed: number, name: string): [number, number, number, number] {
  let a = seed | 0;
  let b = (seed / 2 ** 32) | 0;
  let c = 0x3c6ef372;
  let d = 0xa54ff53a | 0;
  const feed = (word: number): void => {
    a = b ^ Math.imul(a ^ word, 0x23a98ac5);
    b = c ^ Math.imul(b ^ word, 0x4c9ac4d7);
    c = d ^ Math.imul(c ^ word, 0x5a1f87e9);
    d = a ^ Math.imul(d ^ word, 0x6f3b82ad);
  };
  feed(name.length);
  for (let i = 0; i < name.length; i++) feed(name.charCodeAt(i));
  for (let i = 0; i < 4; i++) feed((a >>> 15) ^ (b >>> 13) ^ (c >>> 17) ^ (d >>> 16));
  return [a, b, c, d];
}
