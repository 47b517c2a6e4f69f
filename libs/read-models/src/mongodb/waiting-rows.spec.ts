import { describe, expect, it } from 'vitest';
import type { Write } from '../read-model-store.js';
import { WaitingRows, WrittenTogether } from './waiting-rows.js';

const put = (collection: string, key: string): Write => ({ collection, key: [key], value: key });
const call = (...writes: Write[]): WrittenTogether => new WrittenTogether(writes, 'x');

describe('calls of `write` that go to the server together', () => {
  it('end with the checkpoint of one, also where another writes rows that tell of nothing after it', () => {
    const waiting = new WaitingRows();
    waiting.take(call(put('snapshots', 'before')));
    waiting.take(call(put('own', 'checkpoint'), put('rows', 'a'), put('own', 'checkpoint')));
    const snapshot = call(put('snapshots', 'after'));
    expect(waiting.canTake(snapshot)).toBe(true);
    waiting.take(snapshot);
    expect([...waiting.rows.keys()]).toEqual(['snapshots~x', 'rows~x', 'own~x']);
  });

  it('are not taken together where each ends with rows of a collection of its own, of which one would not be the last', () => {
    const waiting = new WaitingRows();
    waiting.take(call(put('rows', 'a'), put('own', 'checkpoint')));
    expect(waiting.canTake(call(put('rows', 'b'), put('own', 'checkpoint')))).toBe(true);
    expect(waiting.canTake(call(put('own', 'x'), put('rows', 'b')))).toBe(false);
  });

  it('keep the order of what was written to one collection', () => {
    const waiting = new WaitingRows();
    waiting.take(call(put('own', 'last'), put('own', 'first')));
    waiting.take(call(put('own', 'last')));
    expect([...waiting.rows.get('own~x')!.values()]).toEqual(['first', 'last']);
  });
});
