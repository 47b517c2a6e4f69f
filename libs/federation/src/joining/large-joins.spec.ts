import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LargeJoins } from './large-joins.js';

const MB = 1024 * 1024;

describe('joins of large rooms', () => {
  it('are few at a time, and the next goes on when one has ended, be it in vain', async () => {
    const joins = new LargeJoins();
    const reading: string[] = [];
    const ends = new Map<string, (error?: Error) => void>();
    const begin = (name: string, bytes: number): Promise<void> =>
      joins.run(async (beforeMore) => {
        for (const read of [1, bytes, bytes]) await beforeMore(read);
        reading.push(name);
        await new Promise<void>((resolve, reject) => {
          ends.set(name, (error) => (error === undefined ? resolve() : reject(error)));
        });
      });
    const running = ['a', 'b', 'c', 'd'].map((name) => begin(name, 100 * MB));
    const small = begin('small', 10 * MB);
    await nextTurn();
    expect(reading.toSorted()).toEqual(['a', 'b', 'small']);
    ends.get('small')!();
    ends.get('a')!(new Error('gone'));
    await expect(running[0]).rejects.toThrow('gone');
    await nextTurn();
    expect(reading.slice(3)).toEqual(['c']);
    ends.get('b')!();
    ends.get('c')!();
    await nextTurn();
    expect(reading.slice(4)).toEqual(['d']);
    ends.get('d')!();
    await Promise.all([small, ...running.slice(1)]);
  });
});
