import { describe, expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { positionOf } from '#testing/position-of';
import { RowMemory } from './row-memory.js';

const RESTORED = new LogHistory([{ name: '0123abcd', agreed: positionOf(1) }]);

describe('what is kept in memory of rows', () => {
  it('is what was offered twice, known by the stored collection, the history of the log and the key', () => {
    const memory = new RowMemory();
    const keep = () => memory.set('rows@1-1', LogHistory.UNBROKEN, ['a', 'b'], 'kept', 1);
    keep();
    expect(memory.find('rows@1-1', LogHistory.UNBROKEN, ['a', 'b'])).toBeUndefined();
    keep();
    expect(memory.find('rows@1-1', LogHistory.UNBROKEN, ['a', 'b'])).toBe('kept');
    expect(memory.find('rows@1-2', LogHistory.UNBROKEN, ['a', 'b'])).toBeUndefined();
    expect(memory.find('rows@1-1', RESTORED, ['a', 'b'])).toBeUndefined();
    expect(memory.find('rows@1-1', LogHistory.UNBROKEN, ['ab'])).toBeUndefined();
  });

  it('is bounded by what it weighs', () => {
    const memory = new RowMemory();
    for (let i = 0; i < 200; i++)
      memory.set('rows', LogHistory.UNBROKEN, [`${Math.floor(i / 2)}`], Math.floor(i / 2), 1_000);
    expect(memory.numbers.size).toBe(50);
    expect(memory.find('rows', LogHistory.UNBROKEN, ['99'])).toBe(99);
    expect(memory.find('rows', LogHistory.UNBROKEN, ['0'])).toBeUndefined();
  });
});
