import { beforeEach, describe, expect, it } from 'vitest';
import { Pauses } from './pauses.js';

let now: number;
let pauses: Pauses;

beforeEach(() => {
  now = 0;
  pauses = new Pauses({ elapsed: () => now }, { firstMs: 10, mostMs: 100, growth: 4, capacity: 10 });
});

/** Waits for the end of a pause; answers how long that took. */
function wait(): number {
  const from = now;
  while (!pauses.isOver('a')) now++;
  return now - from;
}

/** How long the next pauses are, each begun once the one before is over. */
function lengthened(times: number): number[] {
  return Array.from({ length: times }, () => (pauses.lengthen('a'), wait()));
}

describe('a pause', () => {
  it('is so many times as long as the one before, up to the longest', () => {
    expect(lengthened(4)).toEqual([10, 40, 100, 100]);
  });

  it('is the first again where it was not in vain, and after its end was told', () => {
    lengthened(2);
    pauses.begin('a');
    expect(wait()).toBe(10);
    lengthened(2);
    pauses.lengthen('a');
    pauses.end('a');
    expect(pauses.isOver('a')).toBe(true);
    expect(lengthened(1)).toEqual([10]);
  });

  it('is no longer where many were in vain together', () => {
    for (let i = 0; i < 5; i++) pauses.lengthen('a');
    expect(wait()).toBe(10);
  });

  it('is of one name alone', () => {
    pauses.lengthen('a');
    expect([pauses.isOver('a'), pauses.isOver('b')]).toEqual([false, true]);
  });
});
