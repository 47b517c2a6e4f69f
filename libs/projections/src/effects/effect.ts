import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';

/** Whether a fact stands: it was not taken back (`RuntimeParts.takenBackBy`). */
export type Stands = () => Promise<boolean>;

/**
 * What happens because of a fact: a command of another domain, a push. It is done at least once, whatever crashes between the
 * fact and the effect; those of one key in the order of their facts; never by a rebuild, nor for facts from before the log knew
 * of the effect. One process of all that share a log runs it.
 *
 * So it may be done twice, also much later: what it appends must tell that it has been done before (by what it finds in the
 * stream it appends to, or by the fact's id), and it reads the views as they are now, which is not always as they were at the fact.
 */
export interface Effect {
  /** Stands in the log: another name is another effect. */
  readonly name: string;
  /** It is for the facts that were there before it, too. */
  readonly fromStart?: boolean;
  /**
   * A fact that was given up holds up the later ones of its key until an operator has it tried again or drops it: for receivers
   * that rely on the order. Else they go on without it.
   */
  readonly isStrict?: boolean;
  /**
   * Into how many ranges its keys are divided, which the processes that share a log divide among them: for what is too much for
   * one of them. Stands in the log, and never changes. One where it is left out.
   */
  readonly ranges?: number;
  /**
   * It hands facts over to who does what follows: `run` is called for one after another in the order of the log, however many are under
   * way, and settles once nothing of the fact can be lost. No request waits for it. It is not divided into ranges.
   */
  readonly handsOver?: boolean;
  /**
   * What the order is kept within (a user, a room); undefined where the fact is none of its business. Called for every fact:
   * looks at the type first, and at the data only where that may be it.
   */
  keyOf(fact: RecordedFact): string | undefined;
  /**
   * Does what follows from the fact, with all views past it. Answers whether there was anything to do. What it throws is tried
   * again a bounded number of times, so what will never succeed (a refusal) is for it to take.
   *
   * It is not run for a fact that was taken back. One that takes long asks before each step whether that `stands`: another process may have done all of it meanwhile, as where
   * this one stood still or has handed it over, and then nothing keeps the fact from being taken back.
   */
  run(fact: RecordedFact, stands: Stands): Promise<boolean>;
  /** This process runs it from now on, and looks at what comes after a position. Called before all else; tried again where it throws. */
  begin?(after: Position): Promise<void>;
  /** This process does not run it any more: it begins nothing more, and what is under way has some seconds to end. */
  end?(): void;
}

/** How one effect does. */
export interface EffectStatus {
  readonly name: string;
  /** Which process runs it: this one, another one, or none for the moment. */
  readonly runs: 'here' | 'elsewhere' | 'nowhere';
  /** Facts whose effect is not done yet, as far as this process has looked. */
  readonly waiting: number;
  /** When the oldest of them was decided, in milliseconds since the epoch. */
  readonly waitingSince: number | undefined;
  /** Tries that failed, and facts that were given up after too many of them, since the start. */
  readonly failures: number;
  readonly givenUp: number;
  /** Facts that were given up and neither done since nor dropped. */
  readonly deadLetters: number;
}
