import type { RecordedFact } from '#event-store/event-store';

/** Where a fact is: in its stream, which a copy of the log keeps, and in this log; and when it was decided. */
export interface FactPlace extends Pick<RecordedFact, 'stream' | 'revision' | 'position'> {
  readonly at: number;
}

/** A fact that an effect follows from. */
export interface EffectEntry {
  readonly place: FactPlace;
  done: boolean;
}

/** Of one effect, which facts are under way, and up to which all are done. They begin in the order of the log and end in any. */
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

  /** When the oldest of those under way was decided; undefined where there is none. */
  get waitingSince(): number | undefined {
    return this.#entries[0]?.place.at;
  }

  /** Notes an effect that begins, of a fact after all that were taken. */
  begin(place: FactPlace): EffectEntry {
    const entry = { place, done: false };
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
    this.#before = this.#entries[done - 1]!.place;
    this.#entries.splice(0, done);
  }
}
