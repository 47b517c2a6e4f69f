import { threepidHash } from '../facts/identity-facts.js';
import type { ToldEntry } from './read-entry.js';

/** What another identity server says of an identifier. */
export type ToldOfIdentifier = Exclude<ToldEntry, { readonly kind: 'readers' }>;

/** Of one server. Whose clock is right has none. */
const MOST_WAITING = 1_000;

/**
 * What another identity server says of identifiers as of times to come: it waits until then, since what is said meanwhile by others would count for less. Kept
 * in memory alone: who starts anew reads it again from where it was told.
 */
export class WaitingEntries {
  /** By identifiers; the longest known first. */
  readonly #waiting = new Map<string, { readonly told: ToldOfIdentifier; readonly from: string }>();

  /** The place in the feed behind which the first of them was told; undefined where none waits. */
  get firstPlace(): string | undefined {
    return this.#waiting.values().next().value?.from;
  }

  /** One that was told behind a place. Answers false where too many wait already. */
  add(told: ToldOfIdentifier, from: string): boolean {
    if (this.#waiting.size >= MOST_WAITING) return false;
    this.#waiting.set(hashOfTold(told), { told, from });
    return true;
  }

  /** Forgets what was said of an identifier: it is known by now, or that server says something else. */
  drop(hash: string): void {
    this.#waiting.delete(hash);
  }

  /** Those whose time has come by then, in milliseconds since the epoch. */
  listUntil(latest: number): ToldOfIdentifier[] {
    return [...this.#waiting.values()].flatMap(({ told }) => (countsFrom(told) <= latest ? told : []));
  }
}

/** The hash of the identifier that it is about. */
export function hashOfTold(told: ToldOfIdentifier): string {
  return told.kind === 'end' ? told.hash : threepidHash(told.told.of);
}

/** When the identifier was made somebody's by what is said: what is made later overtakes it. In milliseconds since the epoch. */
export function countsFrom(told: ToldOfIdentifier): number {
  return told.kind === 'end' ? told.told.made.ts : told.told.ts;
}
