/**
 * Names stored once, numbered in the order of their first appearance.
 *
 * Recordings repeat a few hundred names millions of times. Bounded: beyond `limit` names all new
 * ones share the last id, whose text says so.
 */

/** No kernel name is longer; a damaged line may be. */
const MAX_LENGTH = 512;

export class Interner {
  readonly #texts: string[] = [];
  readonly #ids = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  text(id: number): string {
    return this.#texts[id] ?? '';
  }

  /** Id of a name, or of its first MAX_LENGTH characters. */
  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    if (name.length > MAX_LENGTH) return this.id(name.slice(0, MAX_LENGTH));
    const id = Math.min(this.#texts.length, this.#limit - 1);
    if (id < this.#limit - 1) this.#ids.set(ownText(name), id);
    this.#texts[id] = id < this.#limit - 1 ? ownText(name) : '(more names than are kept)';
    return id;
  }
}

/** The same text in memory of its own: what V8 cuts out of a chunk keeps the whole chunk alive. */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
