import type { Upcast } from '#event-store/fact-shapes';
import type { NewFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';

/** The stream in which the server notes how far it has done what follows from its facts, and which process does it. */
export const EFFECTS_STREAM = 'effects';

/** A fact up to which an effect is done, with all before it. */
export interface Mark {
  readonly stream: string;
  readonly revision: number;
  /** Where it is in the log of this id; in another log that is a copy of it, stream and revision tell. */
  readonly position: Position;
  readonly log_id: string | null;
  /** When it was decided. */
  readonly at: number;
}

/** What followed from a fact was tried too often, and is left to an operator. */
export interface EffectLetter {
  readonly effect: string;
  readonly key: string;
  /** The id of the fact, and where it is. */
  readonly fact: string;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly error: string;
  readonly tries: number;
  /** When it was given up, in milliseconds since the epoch. */
  readonly at: number;
  /** It was not tried, for it waits behind another one of its key. */
  readonly behind?: true;
  /** An operator has asked for it to be tried again. */
  readonly retrying?: true;
}

/** `by`: a name that a process gives itself when it starts. */
interface EffectsFacts {
  /** `effects-begun`: effects that are new in this log, and the fact they begin after; null: before all. */
  'effects-begun': { readonly by: string; readonly effects: readonly string[]; readonly after: Mark | null };
  /** `effects-taken`: a process runs these effects from now on, and no other one does. */
  'effects-taken': { readonly by: string; readonly effects: readonly string[] };
  /** `effects-asked`: a process that would run effects asks whether those who do are still there. */
  'effects-asked': { readonly by: string };
  /** `effects-held`: one of those is. */
  'effects-held': { readonly by: string };
  /** `effects-released`: a process runs these effects no more, or none where they are not named. */
  'effects-released': { readonly by: string; readonly effects?: readonly string[] };
  /** `effects-passed`: what follows from these facts, and from all before them, has been done. */
  'effects-passed': {
    readonly by: string;
    readonly passed: readonly { readonly effects: readonly string[]; readonly mark: Mark }[];
  };
  /** `effect-given-up`: a dead letter, new or once more. */
  'effect-given-up': { readonly by: string; readonly letter: EffectLetter };
  /** `effect-retried`: an operator wants dead letters tried again. */
  'effect-retried': { readonly effect: string; readonly facts: readonly string[] };
  /** `effect-settled`: dead letters are gone: done, or dropped by an operator. */
  'effect-settled': { readonly by?: string; readonly effect: string; readonly facts: readonly string[] };
  /** `effects-summary`: all that the facts before say; they are not needed any more. */
  'effects-summary': {
    readonly by: string;
    readonly runs: Readonly<Record<string, string>>;
    readonly marks: Readonly<Record<string, Mark | null>>;
    readonly letters: readonly EffectLetter[];
  };
}

export type EffectsFact = {
  [T in keyof EffectsFacts]: { readonly type: T; readonly data: EffectsFacts[T] };
}[keyof EffectsFacts];

/** What the stream says. */
export interface EffectsState {
  /** Which process runs an effect. */
  readonly runs: ReadonlyMap<string, string>;
  /** By process that has asked: those who run effects and have written nothing since. */
  readonly silent: ReadonlyMap<string, ReadonlySet<string>>;
  readonly marks: ReadonlyMap<string, Mark | null>;
  /** In the order of the stream, by effect and fact (`letterName`). */
  readonly letters: ReadonlyMap<string, EffectLetter>;
  /** How many facts there are since the last summary. */
  readonly sinceSummary: number;
}

export const NO_EFFECTS: EffectsState = {
  runs: new Map(),
  silent: new Map(),
  marks: new Map(),
  letters: new Map(),
  sinceSummary: 0,
};

/** What a dead letter goes by. */
export function letterName({ effect, fact }: Pick<EffectLetter, 'effect' | 'fact'>): string {
  return `${effect} ${fact}`;
}

/** Whether an earlier fact of the key was given up, and nobody tries it again. */
export function isHeldUp({ letters }: EffectsState, effect: string, key: string, fact: string): boolean {
  for (const letter of letters.values()) {
    if (letter.effect !== effect || letter.key !== key) continue;
    if (letter.fact === fact) return false;
    if (letter.retrying !== true) return true;
  }
  return false;
}

/** Folds the facts of the stream `effects`; those it does not know change nothing. */
export function evolveEffects(before: EffectsState, { type, data }: Pick<NewFact, 'type' | 'data'>): EffectsState {
  const fact = { type, data: JSON.parse(data) as unknown } as EffectsFact; // only this library writes it
  const state: EffectsState = {
    ...before,
    silent: withoutSign(before.silent, fact),
    sinceSummary: before.sinceSummary + 1,
  };
  switch (fact.type) {
    case 'effects-begun':
      return { ...state, marks: withEach(state.marks, fact.data.effects, fact.data.after) };
    case 'effects-taken':
      return { ...state, runs: withEach(state.runs, fact.data.effects, fact.data.by) };
    case 'effects-asked': {
      const others = [...state.runs.values()].filter((process) => process !== fact.data.by);
      return { ...state, silent: new Map([...state.silent, [fact.data.by, new Set(others)]]) };
    }
    case 'effects-released': {
      const { by, effects } = fact.data;
      const isKept = ([name, process]: [string, string]): boolean =>
        process !== by || effects?.includes(name) === false;
      return { ...state, runs: new Map([...state.runs].filter(isKept)) };
    }
    case 'effects-passed': {
      const pairs = fact.data.passed.flatMap(({ effects, mark }) => effects.map((effect) => [effect, mark] as const));
      return { ...state, marks: new Map([...state.marks, ...pairs]) };
    }
    case 'effect-given-up':
      return { ...state, letters: new Map(state.letters).set(letterName(fact.data.letter), fact.data.letter) };
    case 'effect-retried':
      return { ...state, letters: retryEach(state.letters, fact.data) };
    case 'effect-settled': {
      const letters = new Map(retryEach(state.letters, fact.data));
      for (const each of fact.data.facts) letters.delete(letterName({ effect: fact.data.effect, fact: each }));
      return { ...state, letters };
    }
    case 'effects-summary':
      return {
        runs: new Map(Object.entries(fact.data.runs)),
        silent: state.silent,
        marks: new Map(Object.entries(fact.data.marks)),
        letters: new Map(fact.data.letters.map((letter) => [letterName(letter), letter])),
        sinceSummary: 0,
      };
    default:
      return state;
  }
}

/** All that a state says, as one fact. */
export function summaryOf({ runs, marks, letters }: EffectsState, by: string): EffectsFact {
  return {
    type: 'effects-summary',
    data: { by, runs: Object.fromEntries(runs), marks: Object.fromEntries(marks), letters: [...letters.values()] },
  };
}

/** Whoever writes is there. Asks of those who run effects themselves by now are over. */
function withoutSign(silent: EffectsState['silent'], { type, data }: EffectsFact): EffectsState['silent'] {
  if (silent.size === 0 || !('by' in data) || data.by === undefined || type === 'effects-asked') return silent;
  const { by } = data;
  const left = [...silent].filter(([asking]) => asking !== by);
  return new Map(left.map(([asking, others]) => [asking, new Set([...others].filter((process) => process !== by))]));
}

/** The letters are tried again, and those that wait behind them. */
function retryEach(
  letters: EffectsState['letters'],
  { effect, facts }: { readonly effect: string; readonly facts: readonly string[] },
): EffectsState['letters'] {
  const meant = new Set(facts);
  const keys = new Set<string>();
  for (const letter of letters.values()) if (letter.effect === effect && meant.has(letter.fact)) keys.add(letter.key);
  return new Map(
    [...letters].map(([name, letter]) => {
      const isDue = meant.has(letter.fact) || (letter.behind === true && keys.has(letter.key));
      return [name, letter.effect === effect && isDue ? { ...letter, retrying: true } : letter];
    }),
  );
}

function withEach<V>(map: ReadonlyMap<string, V>, keys: readonly string[], value: V): ReadonlyMap<string, V> {
  return new Map([...map, ...keys.map((key) => [key, value] as const)]);
}

/** How old shapes of these facts become today's. */
export const EFFECTS_SHAPES: Readonly<Record<EffectsFact['type'], readonly Upcast[]>> = {
  'effects-begun': [],
  'effects-taken': [],
  'effects-asked': [],
  'effects-held': [],
  'effects-released': [],
  'effects-passed': [],
  'effect-given-up': [],
  'effect-retried': [],
  'effect-settled': [],
  'effects-summary': [],
};
