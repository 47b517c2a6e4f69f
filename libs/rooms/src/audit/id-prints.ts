import { hash, randomUUID } from 'node:crypto';
import type { EventId } from '#kernel/ids';

const BYTES = 6;
const FEWEST_SLOTS = 16;

/**
 * Which ids were here, with no more kept of each than 48 bits of a hash: some 16 bytes, where the id would be a hundred. Of two that
 * share them one may be taken for the other; among a million that happens to one in 280 million. Nobody can make ids that do, for the
 * hash is another one each time.
 */
export class IdPrints {
  readonly #secret = randomUUID();
  /** An open table; 0 is an empty place. */
  #slots = new Float64Array(FEWEST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(eventId: EventId): void {
    if (this.#size * 4 >= this.#slots.length * 3) this.#grow();
    const print = this.#printOf(eventId);
    const slot = this.#slotOf(print);
    if (this.#slots[slot] === print) return;
    this.#slots[slot] = print;
    this.#size++;
  }

  has(eventId: EventId): boolean {
    const print = this.#printOf(eventId);
    return this.#slots[this.#slotOf(print)] === print;
  }

  #printOf(eventId: EventId): number {
    return hash('sha256', this.#secret + eventId, 'buffer').readUIntBE(0, BYTES) + 1;
  }

  /** Where a print is, or would be. */
  #slotOf(print: number): number {
    const { length } = this.#slots;
    let slot = print % length;
    while (this.#slots[slot] !== 0 && this.#slots[slot] !== print) slot = (slot + 1) % length;
    return slot;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Float64Array(before.length * 2);
    for (const print of before) if (print !== 0) this.#slots[this.#slotOf(print)] = print;
  }
}
