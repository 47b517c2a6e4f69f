import type { RecordedFact } from '#event-store/event-store';

/**
 * What happens because of a fact: a command of another domain, a push. It is done at least once, whatever crashes between the
 * fact and the effect; those of one key in the order of their facts; never by a rebuild. One process of a server runs it.
 *
 * So it may be done twice, also much later: what it appends must tell that it has been done before (by what it finds in the
 * stream it appends to), and it reads the views as they are now, which is not always as they were at the fact.
 */
export interface Effect {
  readonly name: string;
  /**
   * What the order is kept within (a user, a room); undefined where the fact is none of its business. Called for every fact:
   * looks at the type first, and at the data only where that may be it.
   */
  keyOf(fact: RecordedFact): string | undefined;
  /**
   * Does what follows from the fact, with all views past it. Answers whether there was anything to do. What it throws is tried
   * again a bounded number of times, so what will never succeed (a refusal) is for it to take.
   */
  run(fact: RecordedFact): Promise<boolean>;
}

/** How one effect does. */
export interface EffectStatus {
  readonly name: string;
  /** Facts whose effect is not done yet. */
  readonly waiting: number;
  /** When the oldest of them was decided, in milliseconds since the epoch. */
  readonly waitingSince: number | undefined;
  /** Tries that failed, and facts that were given up after too many of them, since the start. */
  readonly failures: number;
  readonly givenUp: number;
}
