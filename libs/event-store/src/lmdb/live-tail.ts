import type { RecordedFact } from '../event-store.js';
import { positionNumber } from './counted-position.js';

/** Facts and characters that may wait for one slow subscriber; beyond, it reads from the log instead. */
const MAX_FACTS = 4096;
const MAX_CHARACTERS = 16 * 1024 * 1024;
const MAX_BATCH = 1000;

/** Facts that became durable together. */
export interface DurableBatch {
  readonly facts: readonly RecordedFact[];
  readonly characters: number;
}

/** What was appended lately, waiting for one subscriber: the very objects, in order, within bounds. */
export class LiveTail {
  #waiting: DurableBatch[] = [];
  #facts = 0;
  #characters = 0;
  #wake: (() => void) | undefined;

  /** Adds facts that have become durable. Forgets all that waits when it is too much: the log has it. */
  push(batch: DurableBatch): void {
    this.#waiting.push(batch);
    this.#facts += batch.facts.length;
    this.#characters += batch.characters;
    if (this.#facts > MAX_FACTS || this.#characters > MAX_CHARACTERS) this.forget();
    this.wake();
  }

  /** Forgets all that waits: the log has it, and not as it was where something was erased. */
  forget(): void {
    this.#waiting = [];
    this.#facts = 0;
    this.#characters = 0;
  }

  /** The waiting facts that come right behind the position, as one batch; undefined when the log must be read first. */
  take(after: number): readonly RecordedFact[] | undefined {
    while (this.#waiting.length > 0 && numberOf(this.#waiting[0]!.facts.at(-1)!) <= after) this.#shift();
    if (this.#waiting.length === 0) return undefined;
    const first = numberOf(this.#waiting[0]!.facts[0]!);
    if (first > after + 1) return undefined;
    const taken: (readonly RecordedFact[])[] = [this.#shift().slice(after + 1 - first)];
    let count = taken[0]!.length;
    while (this.#waiting.length > 0 && count + this.#waiting[0]!.facts.length <= MAX_BATCH) {
      const next = this.#shift();
      count += next.length;
      taken.push(next);
    }
    return taken.length === 1 ? taken[0] : taken.flat();
  }

  /** Settles at the next `push` or `wake`. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #shift(): readonly RecordedFact[] {
    const batch = this.#waiting.shift()!;
    this.#facts -= batch.facts.length;
    this.#characters -= batch.characters;
    return batch.facts;
  }
}

function numberOf(fact: RecordedFact): number {
  return positionNumber(fact.position);
}
