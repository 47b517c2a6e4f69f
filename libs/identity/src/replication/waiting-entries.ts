import type { ToldAssociation } from '../decide/learn-association.js';

/** Of one server. Whose clock is right has none. */
const MOST_WAITING = 1_000;

/**
 * What another identity server says of identifiers as of times to come: it waits until then, since what is said meanwhile by others would count for less. Kept
 * in memory alone: who starts anew reads it again from where it was told.
 */
export class WaitingEntries {
  /** By the ids of associations; the longest known first. */
  readonly #waiting = new Map<string, { readonly told: ToldAssociation; readonly from: string }>();

  /** The place in the feed behind which the first of them was told; undefined where none waits. */
  get firstPlace(): string | undefined {
    return this.#waiting.values().next().value?.from;
  }

  /** One that was told behind a place. Answers false where too many wait already. */
  add(told: ToldAssociation, from: string): boolean {
    if (this.#waiting.size >= MOST_WAITING) return false;
    this.#waiting.set(told.association_id, { told, from });
    return true;
  }

  /** Forgets what was said of an association: it is known by now, or that server says something else. */
  drop({ association_id: id }: Pick<ToldAssociation, 'association_id'>): void {
    this.#waiting.delete(id);
  }

  /** Those whose time has come by then, in milliseconds since the epoch. */
  listUntil(latest: number): ToldAssociation[] {
    return [...this.#waiting.values()].flatMap(({ told }) => (told.ts <= latest ? told : []));
  }
}
