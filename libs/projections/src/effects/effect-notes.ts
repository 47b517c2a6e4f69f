import { Aggregates } from '#event-store/aggregates';
import type { EventStore } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import {
  EFFECTS_STREAM,
  type EffectLetter,
  type EffectsFact,
  type EffectsState,
  evolveEffects,
  letterName,
  NO_EFFECTS,
  summaryOf,
} from './effect-facts.js';

/** An operator asked for a dead letter that there is not. */
export class EffectCommandRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EffectCommandRefused';
  }
}

/** A summary comes after so many facts, and one more for each dead letter in it: what it repeats is paid for by then. */
const FACTS_PER_SUMMARY = 256;
/** All are part of every summary: beyond it nothing is given up, and what fails is tried on. */
const MOST_LETTERS = 5_000;

/**
 * What is noted of the effects. It is kept in the log and nowhere else: views may be deleted, restored or belong to another log,
 * and a back-up of the log holds what was done when it was taken. Whatever is appended is decided upon the newest state: that
 * fences a process that runs an effect no more.
 */
export class EffectNotes {
  readonly #aggregates: Aggregates<EffectsState>;
  #state = NO_EFFECTS;

  /** `by`: the process that writes. */
  constructor(
    private readonly store: EventStore,
    clock: Clock,
    private readonly by = 'operator',
  ) {
    this.#aggregates = new Aggregates({ store, clock, capacity: 1, initialState: NO_EFFECTS, evolve: evolveEffects });
  }

  /** What was known last. */
  get state(): EffectsState {
    return this.#state;
  }

  /** Reads what others have written. */
  async load(): Promise<EffectsState> {
    return (this.#state = (await this.#aggregates.load(EFFECTS_STREAM)).state);
  }

  /** Appends what `decide` answers upon the newest state; nothing, where that is nothing. Throws where the log is away. */
  async change(decide: (state: EffectsState) => readonly EffectsFact[]): Promise<EffectsState> {
    let hasSummary = false;
    const { state, revision } = await this.#aggregates.execute(
      EFFECTS_STREAM,
      (before) => {
        const facts = [...decide(before)];
        const after = facts.map(textOf).reduce(evolveEffects, before);
        hasSummary = facts.length > 0 && after.sinceSummary >= FACTS_PER_SUMMARY + after.letters.size;
        if (hasSummary) facts.push(summaryOf(after, this.by));
        return facts.map(textOf);
      },
      { actor: 'server' },
    );
    this.#state = state;
    if (hasSummary && typeof revision === 'number') await this.#forgetBefore(revision);
    return state;
  }

  /** What is left where the log cannot be reached just now goes with the next summary. */
  async #forgetBefore(summary: number): Promise<void> {
    await this.store.truncate(EFFECTS_STREAM, summary).catch(() => {});
  }

  /** Notes a dead letter, where the effect is this process's. Throws where there are too many. */
  async giveUp(letter: EffectLetter, isOurs: (state: EffectsState) => boolean): Promise<void> {
    await this.change((state) => {
      if (!isOurs(state)) return [];
      if (state.letters.size >= MOST_LETTERS && !state.letters.has(letterName(letter))) {
        throw new Error(`there are ${MOST_LETTERS} dead letters: nothing more is given up`);
      }
      return [{ type: 'effect-given-up', data: { by: this.by, letter } }];
    });
  }

  /** The dead letters, oldest first. */
  async letters(effect?: string): Promise<EffectLetter[]> {
    const { letters } = await this.load();
    return [...letters.values()].filter((letter) => effect === undefined || letter.effect === effect);
  }

  /** Has the dead letters of an effect tried again, or one of them by the id of its fact. Throws EffectCommandRefused. */
  retry(effect: string, fact?: string): Promise<EffectsState> {
    return this.change((state) => [{ type: 'effect-retried', data: { effect, facts: meant(state, effect, fact) } }]);
  }

  /** Drops them: what should have followed from their facts never will. Throws EffectCommandRefused. */
  drop(effect: string, fact?: string): Promise<EffectsState> {
    return this.change((state) => [{ type: 'effect-settled', data: { effect, facts: meant(state, effect, fact) } }]);
  }
}

/** The name of a fact is enough: whoever decided it, and when, goes into its id. */
function textOf({ type, data }: EffectsFact): { id: string; type: string; data: string } {
  const text = JSON.stringify(data);
  return { id: `${type} ${text}`, type, data: text };
}

function meant({ letters }: EffectsState, effect: string, fact: string | undefined): string[] {
  const found = [...letters.values()].filter((each) => each.effect === effect && (fact ?? each.fact) === each.fact);
  if (found.length > 0) return found.map((letter) => letter.fact);
  throw new EffectCommandRefused(
    fact === undefined ? `${effect} has no dead letters` : `${effect} has no dead letter of the fact ${fact}`,
  );
}
