import { expect } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import type { NewFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';

/** A fact as a test writes it: `data` as a value, not as text. */
export interface PlainFact {
  readonly type: string;
  readonly data: unknown;
}

/** What is tested: a fold and a decider upon it. */
export interface Decider<S, C> {
  readonly initialState: S;
  evolve(state: S, fact: NewFact, revision: number): S;
  decide(state: S, command: C, exists: boolean): readonly FactDraft[];
}

/** What is expected of a command. */
export interface Expectation {
  /** Expects exactly these facts, in order. */
  then(facts: readonly PlainFact[]): void;
  /** Expects a refusal with this errcode. */
  thenRefused(errcode: string): void;
}

/** `given(decider, facts).when(command).then(facts)`: a decider's behaviour in facts only. */
export function given<S, C>(decider: Decider<S, C>, facts: readonly PlainFact[]): { when(command: C): Expectation } {
  return {
    when(command) {
      const state = facts
        .map(asFact)
        .reduce((before, fact, i) => decider.evolve(before, fact, i), decider.initialState);
      const decide = () => decider.decide(state, command, facts.length > 0);
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- reads as given, when, then; nobody awaits it
        then: (expected) => {
          expect(decide().map(({ type, data }) => ({ type, data: JSON.parse(data) as unknown }))).toEqual(expected);
        },
        thenRefused: (errcode) => {
          expect(() => decide()).toThrow(expect.objectContaining({ errcode }) as unknown as MatrixError);
        },
      };
    },
  };
}

function asFact({ type, data }: PlainFact, index: number): NewFact {
  const metadata = { at: 1_700_000_000_000 + index, actor: 'server', schema: 1, chain: '' };
  return {
    id: `00000000-0000-5000-8000-${String(index).padStart(12, '0')}`,
    type,
    data: JSON.stringify(data),
    metadata,
  };
}
