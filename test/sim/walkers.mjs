/**
 * A model made to break engines: actors that post each other events of all kinds, driven by what they
 * received. Whatever differs in order, time or payload changes everything that follows.
 */

/**
 * @typedef {object} Plan
 * @property {number[]} groupOf  group of each actor
 * @property {number} seed
 * @property {number} tokens  events per actor at the start
 * @property {number} lookahead  between groups g and h: lookahead * (1 + |g - h| % 3)
 * @property {number} [spread]  delays inside a group are below this; default 50
 * @property {{ actor: number, after: number, what: 'throw' | 'stop' | 'circle' | 'die' }} [fault]
 */

/** @param {number} h @param {number} word */
function mix(h, word) {
  h = Math.imul(h ^ word, 0x9e3779b1);
  return (h ^ (h >>> 15)) | 0;
}

/** Delay between two groups. @param {Plan} plan */
export function lookaheadOf(plan) {
  return (/** @type {number} */ a, /** @type {number} */ b) =>
    plan.lookahead * (1 + (Math.abs(a - b) % 3));
}

/** What runShards() needs. @param {Plan} plan @param {number} until */
export function walkers(plan, until) {
  const weights = new Float64Array(Math.max(...plan.groupOf) + 1).fill(1);
  return {
    module: import.meta.url,
    plan,
    groups: { weights, lookahead: lookaheadOf(plan) },
    until,
  };
}

class Walkers {
  /** @param {Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.actors = plan.groupOf.length;
    this.hashes = Int32Array.from(plan.groupOf, (_, actor) => mix(plan.seed, actor + 1));
    this.handled = new Int32Array(this.actors);
    this.between = lookaheadOf(plan);
    this.circling = false;
  }

  /**
   * @param {import('../../src/sim/loop.js').Loop} loop
   * @param {number} type @param {Float64Array} m @param {number} at
   */
  receive(loop, type, m, at) {
    const { actor } = loop;
    if (this.circling && actor === this.plan.fault?.actor) {
      loop.post(actor, 0, 0);
      return;
    }
    let h = mix(this.hashes[actor], type);
    h = mix(h, loop.now | 0);
    for (let i = 0; i < 8; i++) h = mix(h, m[at + i] | 0);
    this.hashes[actor] = h;
    this.handled[actor]++;
    this.act(loop, actor);
    // On average one event follows one: many die, some have two children.
    const children = [1, 1, 1, 2, 1, 0, 1, 1][h & 7];
    for (let child = 0; child < children; child++) {
      h = mix(h, child + 77);
      this.send(loop, actor, h);
    }
    this.hashes[actor] = h;
  }

  /** @param {import('../../src/sim/loop.js').Loop} loop @param {number} from @param {number} h */
  send(loop, from, h) {
    const { groupOf, spread = 50 } = this.plan;
    let dest = (h >>> 3) % this.actors;
    // Half of the events stay in the group: the next member in order of numbers.
    if ((h & 1) === 0) while (groupOf[dest] !== groupOf[from]) dest = (dest + 1) % this.actors;
    const near = groupOf[dest] === groupOf[from];
    const least = near ? 0 : this.between(groupOf[from], groupOf[dest]);
    const far = (h >>> 8) % 97 === 0 ? 1_000_000 : 0;
    // Few distinct delays, so that many events fall on one instant.
    const delay = least + ((h >>> 16) % 4) * Math.floor(spread / 4) + far;
    const out = loop.post(dest, delay, (h >>> 5) & 255, (h & 3) - 1);
    if ((h & 6) === 0) return;
    loop.out[out] = h;
    loop.out[out + 7] = (h >>> 4) & 1;
  }

  /** @param {import('../../src/sim/loop.js').Loop} loop @param {number} actor */
  act(loop, actor) {
    const { fault } = this.plan;
    if (fault === undefined || fault.actor !== actor || this.handled[actor] !== fault.after) return;
    if (fault.what === 'throw') throw new Error(`actor ${actor} gave up`);
    if (fault.what === 'stop') loop.stop();
    if (fault.what === 'die') process.exit(7);
    if (fault.what === 'circle') {
      this.circling = true;
    }
  }
}

/** @type {import('../../src/sim/model.js').BuildShard} */
export default function build(plan, shard) {
  const p = /** @type {Plan} */ (plan);
  const model = new Walkers(p);
  return {
    actors: p.groupOf.length,
    groupOf: p.groupOf,
    behaviourOf: new Uint8Array(p.groupOf.length),
    behaviours: [model],
    start(loop) {
      for (let actor = 0; actor < p.groupOf.length; actor++) {
        if (!shard.owns(p.groupOf[actor])) continue;
        loop.actor = actor;
        for (let i = 0; i < p.tokens; i++) model.send(loop, actor, mix(model.hashes[actor], i));
      }
    },
    finish() {
      return [...model.hashes.keys()]
        .filter((actor) => shard.owns(p.groupOf[actor]))
        .map((actor) => [actor, model.hashes[actor], model.handled[actor]]);
    },
    progress: () => model.handled.reduce((sum, n) => sum + n, 0),
  };
}
