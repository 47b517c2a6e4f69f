import { isDeepStrictEqual } from 'node:util';

/** What is asked, in words: made only where something is wrong with the answer. */
export type Words = string | (() => string);

/** A difference between an answer and the model. */
export class Difference extends Error {
  constructor(what: Words, ...details: readonly string[]) {
    super([typeof what === 'string' ? what : what(), ...details].join('\n  '));
    this.name = 'Difference';
  }
}

/** PERF: a life compares some hundred thousand values; the runner's own assertions would take most of its time. */
export function expectSame(what: Words, told: unknown, meant: unknown): void {
  if (told === meant || isDeepStrictEqual(told, meant)) return;
  throw new Difference(what, `was answered: ${inWords(told)}`, `should be:    ${inWords(meant)}`);
}

/** Holds that an answer is one of several that are right. */
export function expectOneOf(what: Words, told: unknown, meant: readonly unknown[]): void {
  if (meant.some((one) => told === one || isDeepStrictEqual(told, one))) return;
  throw new Difference(what, `was answered: ${inWords(told)}`, `should be one of: ${meant.map(inWords).join(' | ')}`);
}

export function expectTrue(what: Words, isSo: boolean): void {
  if (!isSo) throw new Difference(what);
}

function inWords(value: unknown): string {
  return JSON.stringify(value, undefined, Array.isArray(value) && value.length > 1 ? 2 : undefined) ?? 'nothing';
}
