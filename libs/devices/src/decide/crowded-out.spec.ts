import { describe, expect, it } from 'vitest';
import { crowdedOut, type WaitingMessage } from './crowded-out.js';

interface Message extends WaitingMessage {
  readonly n: number;
}
/** Messages in the order in which they came, each by the letter of its sender and its size. */
const messages = (...all: readonly (readonly [sender: string, bytes?: number])[]): Message[] =>
  all.map(([sender, bytes = 1], n) => ({ sender, bytes, n }));
const gone = (all: readonly Message[], number: number, size = Infinity): { number: number[]; size: number[] } => {
  const out = crowdedOut(all, { number, size });
  const ns = (some: readonly Message[]): number[] => some.map(({ n }) => n).sort((a, b) => a - b);
  return { number: ns(out.number), size: ns(out.size) };
};

describe('an inbox that is full', () => {
  it('loses nothing while it is within its bounds', () => {
    expect(gone(messages(['a'], ['b'], ['a']), 3, 3)).toEqual({ number: [], size: [] });
  });

  it('loses the oldest where all are of one sender', () => {
    expect(gone(messages(['a'], ['a'], ['a'], ['a']), 2)).toEqual({ number: [0, 1], size: [] });
  });

  it('loses nothing of those who have less in it than their share, however old theirs are', () => {
    const all = messages(['honest'], ['friend'], ['friend'], ...Array.from({ length: 97 }, () => ['flood'] as const));
    expect(gone(all, 10).number).toEqual(Array.from({ length: 90 }, (_, i) => i + 3));
  });

  it('leaves as many to each of those who have more', () => {
    const all = messages(...Array.from({ length: 20 }, (_, i) => [i % 2 === 0 ? 'a' : 'b'] as const), ['c']);
    const left = all.filter(({ n }) => !gone(all, 9).number.includes(n));
    expect(left.map(({ sender, n }) => `${sender}${n}`)).toEqual(
      ['a12', 'b13', 'a14', 'b15', 'a16', 'b17', 'a18', 'b19', 'c20'], // prettier-ignore
    );
  });

  it('loses the oldest where each sender has as much as the others', () => {
    expect(gone(messages(['a'], ['b'], ['c'], ['d']), 3).number).toEqual([0]);
  });

  it('goes by what messages take where they are too large together', () => {
    const all = messages(['small', 10], ['large', 400], ['large', 300], ['small', 20], ['large', 200]);
    expect(gone(all, 10, 600)).toEqual({ number: [], size: [1] });
    expect(gone(all, 10, 250)).toEqual({ number: [], size: [1, 2] });
  });

  it('counts only once what goes for both reasons', () => {
    expect(gone(messages(['a', 100], ['a', 100], ['b', 1]), 2, 101)).toEqual({ number: [0], size: [] });
  });
});
