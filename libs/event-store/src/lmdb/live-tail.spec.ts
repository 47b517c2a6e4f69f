import { describe, expect, it } from 'vitest';
import { positionOf } from './counted-position.js';
import type { RecordedFact } from '../event-store.js';
import { LiveTail } from './live-tail.js';

function batch(from: number, to: number, characters = 0): { facts: RecordedFact[]; characters: number } {
  const facts = Array.from({ length: to - from + 1 }, (_, index) => ({ position: positionOf(from + index) }));
  return { facts: facts as RecordedFact[], characters };
}

const numbers = (facts: readonly RecordedFact[] | undefined) => facts?.map((fact) => Number(fact.position));

describe('LiveTail', () => {
  it('joins what comes right behind the position', () => {
    const tail = new LiveTail();
    tail.push(batch(4, 5));
    tail.push(batch(6, 6));
    expect(numbers(tail.take(3))).toEqual([4, 5, 6]);
    expect(tail.take(6)).toBeUndefined();
  });

  it('leaves out what the subscriber has from the log', () => {
    const tail = new LiveTail();
    tail.push(batch(1, 3));
    tail.push(batch(4, 8));
    tail.push(batch(9, 9));
    expect(numbers(tail.take(5))).toEqual([6, 7, 8, 9]);
    tail.push(batch(10, 10));
    expect(tail.take(10)).toBeUndefined();
  });

  it('answers nothing while there is a gap before it', () => {
    const tail = new LiveTail();
    tail.push(batch(7, 8));
    expect(tail.take(4)).toBeUndefined();
    expect(numbers(tail.take(6))).toEqual([7, 8]);
  });

  it('forgets what is too much, by count and by size, and goes on with what comes then', () => {
    for (const many of [batch(1, 5000), batch(1, 2, 100_000_000)]) {
      const tail = new LiveTail();
      tail.push(many);
      expect(tail.take(0)).toBeUndefined();
      const next = many.facts.length + 1;
      tail.push(batch(next, next));
      expect(tail.take(0)).toBeUndefined();
      expect(numbers(tail.take(next - 1))).toEqual([next]);
    }
  });

  it('counts only what still waits', () => {
    const tail = new LiveTail();
    for (let position = 1; position <= 20_000; position += 1000) {
      tail.push(batch(position, position + 999, 4_000_000));
      expect(tail.take(position - 1)).toHaveLength(1000);
    }
  });

  it('keeps batches within bounds when it joins them', () => {
    const tail = new LiveTail();
    tail.push(batch(1, 900));
    tail.push(batch(901, 1100));
    expect(tail.take(0)).toHaveLength(900);
    expect(tail.take(900)).toHaveLength(200);
  });

  it('wakes whoever waits', async () => {
    const tail = new LiveTail();
    const woken = tail.changed().then(() => 'woken');
    tail.push(batch(1, 1));
    expect(await woken).toBe('woken');
  });
});
