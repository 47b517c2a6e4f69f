import type { FactPlace } from './effect-marks.js';

/** A fact and one effect that follows from it. */
export interface EffectEntry {
  readonly effect: string;
  readonly place: FactPlace;
  /** When the fact was decided, in milliseconds since the epoch. */
  readonly at: number;
  done: boolean;
}

/** Which effects are under way, and up to which fact all of them are done. They begin in the order of the log and end in any. */
export class EffectProgress {
  /** From the first that is not done on. */
  readonly #entries: EffectEntry[] = [];
  #unfinished = 0;
  #taken: FactPlace | undefined;
  /** The last fact before the first entry. */
  #before: FactPlace | undefined;

  /** Everything up to this fact is done; undefined where no fact was taken yet, or the first one is not done. */
  get passed(): FactPlace | undefined {
    return this.#entries.length === 0 ? this.#taken : this.#before;
  }

  /** How many are under way. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** How many are remembered: done ones, too, where an earlier one is not. */
  get size(): number {
    return this.#entries.length;
  }

  /** Those under way, oldest first. */
  *waiting(): Iterable<EffectEntry> {
    for (const entry of this.#entries) if (!entry.done) yield entry;
  }

  /** Notes an effect that begins, of a fact after all that were taken. */
  begin(effect: string, place: FactPlace, at: number): EffectEntry {
    const entry = { effect, place, at, done: false };
    if (this.#entries.length === 0) this.#before = this.#taken;
    this.#entries.push(entry);
    this.#unfinished++;
    return entry;
  }

  /** A fact was looked at, and what follows from it has begun. */
  take(place: FactPlace): void {
    this.#taken = place;
  }

  end(entry: EffectEntry): void {
    entry.done = true;
    this.#unfinished--;
    let done = 0;
    while (this.#entries[done]?.done === true) done++;
    if (done === 0) return;
    const last = this.#entries[done - 1]!.place;
    const next = this.#entries[done]?.place;
    // Where two effects follow from one fact, that fact is passed with the second of them.
    if (next === undefined || next.position > last.position) this.#before = last;
    this.#entries.splice(0, done);
  }
}
